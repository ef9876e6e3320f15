"""OpenVINO's variants: what they hold, and that nobody hears of them."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from edge_runtime.engines.openvino_engine import PRECISION_KEY, core
from export_tools.variants import VARIANTS
from export_tools.variants.protocol import FloatGraph, Made
from tests.export_tools.variants import tiny


def read(made: Made) -> object:
    return core().read_model(str(made.graph))


def rounded(made: Made) -> set[str]:
    """Names of the operations that read a rounded activation."""
    return {
        operation.get_friendly_name().removesuffix("/WithoutBiases")
        for operation in read(made).get_ordered_ops()  # type: ignore[attr-defined]
        if any(port.get_node().get_type_name() == "FakeQuantize" for port in operation.input_values())
    }


@pytest.mark.parametrize("name", ["openvino-fp16", "openvino-int8"])
def test_a_variant_is_two_files_of_one_name(
    name: str, tiny_source: FloatGraph, made: Callable[[str, FloatGraph], Made]
) -> None:
    graph = made(name, tiny_source)
    assert graph.graph.name == f"{name}.xml"
    assert [file.name for file in graph.files] == [f"{name}.bin"]
    assert graph.files[0].parent == graph.graph.parent


def test_the_decode_and_the_head_are_not_rounded(
    tiny_source: FloatGraph, made: Callable[[str, FloatGraph], Made]
) -> None:
    # A pooling is rounded with what it reads; the head reads that.
    decode = {"box.scale", "join", "split", "turn", "box.concat", "score.concat"}
    found = rounded(made("openvino-int8", tiny_source))
    assert set(tiny.TRUNK) <= found
    assert not decode & found
    assert not set(made("openvino-int8", tiny_source).quantized) & set(tiny.HEAD)


def test_only_the_fp16_variant_asks_for_16_bit_arithmetic(
    tiny_source: FloatGraph, made: Callable[[str, FloatGraph], Made]
) -> None:
    half, int8 = (read(made(name, tiny_source)) for name in ("openvino-fp16", "openvino-int8"))
    assert half.get_rt_info(list(PRECISION_KEY)).astype(str) == "fp16"  # type: ignore[attr-defined]
    assert not int8.has_rt_info(list(PRECISION_KEY))  # type: ignore[attr-defined]


def test_fp16_halves_the_weights(lite0_source: FloatGraph, made: Callable[[str, FloatGraph], Made]) -> None:
    weights = made("openvino-fp16", lite0_source).files[0].stat().st_size
    assert weights == pytest.approx(lite0_source.graph.stat().st_size / 2, rel=0.02)


def test_making_one_prints_nothing_and_tells_nobody(tmp_path: Path) -> None:
    # In a process of its own: NNCF sends nothing by itself where it sees pytest.
    code = """
import sys, pathlib
sys.addaudithook(lambda event, _: print(event) if event in ("socket.connect", "socket.getaddrinfo") else None)
from export_tools.variants import VARIANTS
from export_tools.variants.protocol import FloatGraph
from tests.export_tools.variants import tiny
work = pathlib.Path(sys.argv[1])
source = FloatGraph(None, tiny.build(work / "tiny.onnx"), frozenset(tiny.HEAD), tiny.pictures(4))
for name in ("openvino-fp16", "openvino-int8"):
    VARIANTS[name].make(source, work)
assert "openvino_telemetry.main" not in sys.modules
"""
    work, home = tmp_path / "work", tmp_path / "home"
    work.mkdir()
    home.mkdir()
    ran = subprocess.run(
        [sys.executable, "-c", code, str(work)],
        capture_output=True,
        text=True,
        check=True,
        env={"HOME": str(home), "PATH": "/usr/bin:/bin"},
    )
    assert ran.stdout == ""
    assert not (home / "intel").exists()


def test_openvino_is_named_when_it_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("export_tools.variants.preparing.util.find_spec", lambda name: None if name == "nncf" else name)
    assert VARIANTS["openvino-int8"].missing() == "nncf missing: pip install 'camtrap-edge[export]'"
    assert VARIANTS["openvino-fp16"].missing() is None
