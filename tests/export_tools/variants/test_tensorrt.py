"""What TensorRT takes: the lint's word for it, and NVIDIA's own parser and builder."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from export_tools.model import VariantRefusedError
from export_tools.variants import VARIANTS, tensorrt_check, tensorrt_variants
from export_tools.variants.preparing import prepared
from export_tools.variants.protocol import FloatGraph, Made
from export_tools.variants.qdq import Scheme, quantize
from export_tools.variants.qdq_lint import lint
from export_tools.variants.ranges import measured
from tests.export_tools.variants import tiny

NAMES = [name for name, variant in VARIANTS.items() if variant.engine == "tensorrt"]
OURS = tensorrt_variants.S8_SYMMETRIC

needs_tensorrt = pytest.mark.skipif(
    tensorrt_check.util.find_spec(tensorrt_check.PACKAGE) is None, reason="tensorrt-rtx-cu12 is not installed"
)


def with_scheme(source: FloatGraph, work: Path, scheme: Scheme) -> Path:
    ready, graph = prepared(source.graph, work), work / "other.onnx"
    quantize(ready, graph, measured(ready, source.calibration, work), scheme, keep_float=tiny.HEAD)
    return graph


def rules(graph: Path) -> set[str]:
    return {finding.rule for finding in lint(graph)}


@pytest.mark.parametrize("name", NAMES)
def test_ours_has_nothing_that_the_lint_finds(
    name: str, detector_source: FloatGraph, lite0_source: FloatGraph, made: Callable[[str, FloatGraph], Made]
) -> None:
    for source in (detector_source, lite0_source):
        assert lint(made(name, source).graph) == []


@needs_tensorrt
@pytest.mark.parametrize("name", NAMES)
def test_ours_is_parsed_and_built_by_tensorrt(
    name: str, detector_source: FloatGraph, lite0_source: FloatGraph, made: Callable[[str, FloatGraph], Made]
) -> None:
    for source in (detector_source, lite0_source):
        graph = made(name, source)
        assert any(note.startswith("parsed and built by TensorRT") for note in graph.notes)
        # Engines belong to the device.
        assert {file.suffix for file in graph.graph.parent.iterdir()} <= {".onnx", ".json", ".xml", ".bin"}


@pytest.mark.parametrize(
    ("rule", "changed"),
    [
        ("uint8", {"activations": "u8", "symmetric": False}),
        ("zero-point", {"symmetric": False}),
        ("int32-bias", {"int32_bias": True}),
    ],
)
def test_a_scheme_of_onnxruntime_is_refused_by_lint_and_parser_alike(
    rule: str, changed: dict[str, object], tiny_source: FloatGraph, tmp_path: Path
) -> None:
    graph = with_scheme(tiny_source, tmp_path, dataclasses.replace(OURS, **changed))  # type: ignore[arg-type]
    assert rule in rules(graph)
    if tensorrt_check.util.find_spec(tensorrt_check.PACKAGE):
        with pytest.raises(VariantRefusedError, match=r"refuses it: '(image|stem|middle)[\w.]*"):
            tensorrt_check.check("other", graph)


def planted(graph: Path, fault: str) -> Path:
    """Our own graph with one fault in it."""
    model = onnx.load(str(graph))
    nodes = {node.name: node for node in model.graph.node}
    quantize_image = next(node for name, node in nodes.items() if name.startswith("image_Quantize"))
    if fault == "opset":
        model.opset_import[0].version = 12
    elif fault == "operator":
        nodes["residual"].domain = "com.microsoft"
    elif fault == "variable scale":
        quantize_image.input[1] = "image"
    elif fault == "negative scale":
        model.graph.initializer.append(numpy_helper.from_array(np.array(-1, np.float32), "bad"))
        quantize_image.input[1] = "bad"
    elif fault == "per-channel-activation":
        model.graph.initializer.append(numpy_helper.from_array(np.full(3, 0.1, np.float32), "bad"))
        quantize_image.input[1] = "bad"
    elif fault == "lonely quantize":
        dequantize = next(node for name, node in nodes.items() if name.startswith("image_Dequantize"))
        dequantize.op_type = "Cast"
    elif fault == "lonely dequantize":
        quantize_image.op_type = "Cast"
    elif fault == "no zero point":
        del quantize_image.input[2]
    broken = graph.with_name("broken.onnx")
    onnx.save(model, str(broken))
    return broken


@pytest.mark.parametrize(
    ("fault", "rule", "node"),
    [
        ("opset", "opset", "tiny"),
        ("operator", "operator", "residual"),
        ("variable scale", "scale", "image_QuantizeLinear"),
        ("negative scale", "scale", "image_QuantizeLinear"),
        ("per-channel-activation", "per-channel-activation", "image_QuantizeLinear"),
        ("lonely quantize", "pair", "image_QuantizeLinear"),
        ("lonely dequantize", "pair", "image_DequantizeLinear"),
        ("no zero point", "uint8", "image_QuantizeLinear"),
    ],
)
def test_the_lint_names_each_planted_fault_and_its_node(
    fault: str, rule: str, node: str, tiny_source: FloatGraph, tmp_path: Path
) -> None:
    graph = with_scheme(tiny_source, tmp_path, OURS)
    assert lint(graph) == []
    findings = lint(planted(graph, fault))
    assert (node, rule) in {(finding.node, finding.rule) for finding in findings}
    assert node in str(findings[0])


def test_what_the_lint_finds_refuses_the_variant(tiny_source: FloatGraph, tmp_path: Path) -> None:
    variant = dataclasses.replace(tensorrt_variants.INT8, scheme=dataclasses.replace(OURS, int32_bias=True))
    with pytest.raises(VariantRefusedError, match=r"tensorrt-int8: 'middle\.b.*int32-bias") as caught:
        variant.make(tiny_source, tmp_path)
    assert caught.value.exit_code == 3


def test_without_tensorrt_the_note_says_that_nothing_was_checked(
    tiny_source: FloatGraph, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tensorrt_check, "PACKAGE", "tensorrt_that_nobody_has")
    made = tensorrt_variants.INT8.make(tiny_source, tmp_path)
    assert made.notes == ("not checked by TensorRT: tensorrt-rtx-cu12 is not installed",)


@needs_tensorrt
def test_a_free_batch_gets_a_profile_and_is_built(tmp_path: Path) -> None:
    assert "parsed and built" in tensorrt_check.check("any", tiny.build(tmp_path / "free.onnx", batch="batch"))


@needs_tensorrt
def test_what_is_no_graph_is_refused_and_not_a_crash(tmp_path: Path) -> None:
    (tmp_path / "broken.onnx").write_bytes(b"no graph")
    with pytest.raises(VariantRefusedError, match="TensorRT"):
        tensorrt_check.check("any", tmp_path / "broken.onnx")
