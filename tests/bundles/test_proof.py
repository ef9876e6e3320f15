"""What a bundle says of how its variants were made and proven."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from edge_runtime.bundles import bundle as bundles
from edge_runtime.bundles.bundle import Bundle
from edge_runtime.bundles.manifest import Calibration, KeptFloat, Measure, Proof
from edge_runtime.errors import BundleError, ConfigError
from export_tools import bundle_writer
from export_tools.bundle_writer import Description, Graph

PROOF = Proof(
    against="onnxruntime-fp32",
    samples=76,
    measures=(Measure(name="recall", value=0.99, n=120, low=0.95, high=1.0), Measure(name="IoU, median", value=1, n=3)),
    gate="failed",
    reasons=("recall is 97.0 % of FP32's",),
    speedup=2.1,
    latency_ms=12.5,
    machine="a processor",
)


def described(bundle: Bundle) -> Description:
    return Description(**{name: getattr(bundle.manifest, name) for name in Description.__dataclass_fields__})


@pytest.fixture
def proven(colour_bundle: Path, tmp_path: Path) -> Bundle:
    """A bundle that says everything that may be said of a variant."""
    plain = bundles.load(colour_bundle, task="detector")
    weights = tmp_path / "weights.bin"
    weights.write_bytes(b"weights")
    graph = Graph(
        plain.path(plain.manifest.variants[0]),
        "openvino-int8",
        "openvino",
        "int8",
        files=(weights,),
        checked=("looked at",),
        kept_float=(KeptFloat(node="/head/Conv", reason="gave back 4 % of recall"),),
        proof=PROOF,
    )
    return bundle_writer.write(
        tmp_path / "proven",
        described(plain),
        [graph],
        labels=colour_bundle / "labels.csv",
        texts={"golden/golden.json": "{}"},
        calibration=Calibration(count=7, seed=1, sha256="0" * 64),
        golden="golden/golden.json",
    )


def test_a_proof_is_read_as_it_was_written(proven: Bundle) -> None:
    variant = proven.manifest.variants[0]
    assert variant.proof == PROOF
    assert variant.kept_float == (KeptFloat(node="/head/Conv", reason="gave back 4 % of recall"),)
    assert variant.checked == ("looked at",)
    assert proven.manifest.calibration == Calibration(count=7, seed=1, sha256="0" * 64)
    assert proven.manifest.golden == "golden/golden.json"


def test_a_file_beside_a_graph_carries_the_graphs_name_and_is_checked(proven: Bundle) -> None:
    (beside,) = proven.manifest.variants[0].files
    assert beside.file == "graphs/openvino-int8.bin"
    proven.path(beside).write_bytes(b"WEIGHTS")
    with pytest.raises(BundleError, match="sha256"):
        bundles.load(proven.folder, task="detector")


def test_a_golden_list_that_no_entry_lists_is_refused(proven: Bundle) -> None:
    file = proven.folder / "manifest.yaml"
    manifest = yaml.safe_load(file.read_text())
    manifest["files"] = [entry for entry in manifest["files"] if "golden" not in entry["file"]]
    file.write_text(yaml.safe_dump(manifest))
    with pytest.raises(BundleError, match="golden"):
        bundles.load(proven.folder, task="detector")


def test_a_gate_that_nobody_knows_is_refused(proven: Bundle) -> None:
    file = proven.folder / "manifest.yaml"
    file.write_text(file.read_text().replace("gate: failed", "gate: perhaps"))
    with pytest.raises(ConfigError, match="gate"):
        bundles.load(proven.folder, task="detector")


def test_a_write_that_fails_half_way_leaves_the_old_bundle_and_nothing_else(proven: Bundle, tmp_path: Path) -> None:
    graph = Graph(
        proven.path(proven.manifest.variants[0]), "fp32", "onnxruntime", "fp32", files=(tmp_path / "none.bin",)
    )
    with pytest.raises(BundleError, match="cannot be written"):
        bundle_writer.write(proven.folder, described(proven), [graph], replace=True)
    assert bundles.load(proven.folder, task="detector").id == proven.id
    assert not list(tmp_path.glob("*.partial"))


def test_a_disk_that_fills_up_leaves_no_half_written_bundle(colour_bundle: Path, tmp_path: Path) -> None:
    # A process that may not write files beyond 4 KiB meets the same error as on a full disk, in the midst of the graph.
    code = f"""
import resource, sys
import subprocess
import sys
from pathlib import Path
from edge_runtime.bundles import bundle as bundles
from edge_runtime.errors import BundleError
from export_tools import bundle_writer
plain = bundles.load(Path({str(colour_bundle)!r}), task="detector")
described = {{name: getattr(plain.manifest, name) for name in bundle_writer.Description.__dataclass_fields__}}
graph = bundle_writer.Graph(plain.path(plain.manifest.variants[0]), "fp32", "onnxruntime", "fp32")
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
try:
    bundle_writer.write(Path({str(tmp_path / "new")!r}), bundle_writer.Description(**described), [graph])
except BundleError as error:
    sys.exit(0 if "cannot be written" in str(error) else 3)
sys.exit(4)
"""
    assert (colour_bundle / "graphs" / "fp32.onnx").stat().st_size > 4096
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
    assert list(tmp_path.iterdir()) == []
