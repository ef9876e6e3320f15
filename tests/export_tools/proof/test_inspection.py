"""A bundle as people and as programs read it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from edge_runtime.bundles import bundle as bundles
from edge_runtime.bundles.bundle import DEFAULTS, Bundle
from edge_runtime.bundles.manifest import Calibration, KeptFloat, Measure, Proof
from edge_runtime.errors import BundleError
from export_tools import bundle_writer
from export_tools.bundle_writer import Description, Graph
from export_tools.proof import inspection


@pytest.fixture
def proven(colour_bundle: Path, tmp_path: Path) -> Bundle:
    plain = bundles.load(colour_bundle, task="detector")
    weights = tmp_path / "weights.bin"
    weights.write_bytes(b"w" * 2_000_000)
    proof = Proof(
        against="onnxruntime-fp32",
        samples=76,
        measures=(
            Measure(name="missed boxes", value=0.02, n=120, low=0.01, high=0.06),
            Measure(name="none", value=0, n=0),
        ),
        gate="passed",
        reasons=("too few to prove it: something",),
        speedup=2.1,
        latency_ms=12.5,
        machine="a processor",
    )
    kept = tuple(KeptFloat(node=f"conv{number}", reason="it was the worst") for number in range(9))
    graph = plain.path(plain.manifest.variants[0])
    return bundle_writer.write(
        tmp_path / "proven",
        Description(**{name: getattr(plain.manifest, name) for name in Description.__dataclass_fields__}),
        [
            Graph(graph, "onnxruntime-fp32", "onnxruntime", "fp32"),
            Graph(graph, "openvino-int8", "openvino", "int8", (weights,), ("parsed",), kept, proof),
        ],
        labels=colour_bundle / "labels.csv",
        calibration=Calibration(count=7, seed=1, sha256="0" * 64),
    )


def test_the_text_says_size_speed_gate_and_what_stayed_in_float(proven: Bundle) -> None:
    text = inspection.as_text(inspection.load(proven.folder))
    row = next(line for line in text.splitlines() if "openvino-int8" in line)
    for part in ("2.0 MB", "12.5 ms", "2.10", "passed, unproven", "9 nodes", "76 samples"):
        assert part in row
    for part in (
        "missed boxes: 0.0200 (n 120, 95 % 0.0100 to 0.0600)",
        "none: nothing to count",
        "too few to prove it",
        "in float: conv0 (it was the worst)",
        "and 3 more",
        "checked: parsed",
        "calibrated on 7 photos",
        "1 animal, 1 person, 1 vehicle",
    ):
        assert part in text


def test_the_data_can_be_written_as_json_and_holds_every_node(proven: Bundle) -> None:
    data = json.loads(json.dumps(inspection.as_dict(proven)))
    variant = data["variants"][1]
    assert len(variant["kept_float"]) == 9
    assert variant["bytes"] == 2_000_000 + data["variants"][0]["bytes"]
    assert variant["proof"]["measures"][0]["n"] == 120
    assert data["labels"] == {"animal": 1, "person": 1, "vehicle": 1, "other": 0}


@pytest.mark.parametrize("name", ["detector", "efficientnet-lite0"])
def test_a_bundle_that_says_nothing_of_its_proof_can_be_looked_at_too(name: str) -> None:
    assert "golden samples" in inspection.as_text(inspection.load(DEFAULTS / name))


def test_a_folder_that_is_no_bundle_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="no bundle"):
        inspection.load(tmp_path)
