"""Float16 that stands in the graph."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from edge_runtime.engines.onnxruntime_engine import OnnxRuntimeEngine
from edge_runtime.errors import CamtrapEdgeError
from export_tools.variants import VARIANTS
from export_tools.variants.half import to_half, too_loud
from export_tools.variants.preparing import prepared
from export_tools.variants.protocol import FloatGraph, Made
from tests.export_tools.variants import tiny

HALF = "tensorrt-fp16"


def types(model: onnx.ModelProto) -> dict[str, int]:
    """Type of each tensor of a graph."""
    found = onnx.shape_inference.infer_shapes(model, strict_mode=True)
    graph = found.graph
    values = {
        value.name: value.type.tensor_type.elem_type for value in [*graph.value_info, *graph.input, *graph.output]
    }
    return values | {tensor.name: tensor.data_type for tensor in graph.initializer}


def by_name(model: onnx.ModelProto) -> dict[str, onnx.NodeProto]:
    return {node.name: node for node in model.graph.node}


def test_weights_and_activations_are_float16_and_head_decode_and_ends_float32(
    tiny_source: FloatGraph, made: Callable[[str, FloatGraph], Made]
) -> None:
    model = onnx.load(str(made(HALF, tiny_source).graph))
    onnx.checker.check_model(model, full_check=True)
    kinds, nodes = types(model), by_name(model)
    for name in (*tiny.TRUNK, "stem.relu"):
        assert {kinds[tensor] for tensor in (*nodes[name].input, *nodes[name].output)} == {TensorProto.FLOAT16}
    for name in (*tiny.HEAD, "box.scale", "join"):
        assert {kinds[tensor] for tensor in (*nodes[name].input, *nodes[name].output)} == {TensorProto.FLOAT}
    for end in ("image", "boxes", "scores"):
        assert kinds[end] == TensorProto.FLOAT


def test_weights_are_stored_in_half_the_bytes(
    lite0_source: FloatGraph, made: Callable[[str, FloatGraph], Made]
) -> None:
    halved = made(HALF, lite0_source).graph.stat().st_size
    assert halved == pytest.approx(lite0_source.graph.stat().st_size / 2, rel=0.01)


def test_an_output_that_another_node_reads_is_given_in_float32_and_read_in_float16(
    lite0_source: FloatGraph, made: Callable[[str, FloatGraph], Made]
) -> None:
    model = onnx.load(str(made(HALF, lite0_source).graph))
    kinds = types(model)
    (gemm,) = [node for node in model.graph.node if node.op_type == "Gemm"]
    assert kinds["features"] == TensorProto.FLOAT
    assert kinds[gemm.input[0]] == TensorProto.FLOAT16


def test_one_cast_serves_all_readers_of_a_tensor(tiny_source: FloatGraph, tmp_path: Path) -> None:
    model = onnx.load(str(prepared(tiny_source.graph, tmp_path)))
    casts = [node for node in to_half(model, keep_float=tiny.HEAD).graph.node if node.op_type == "Cast"]
    assert len({node.input[0] for node in casts}) == len(casts)


def test_what_also_goes_back_to_float_is_float32(tiny_source: FloatGraph, tmp_path: Path) -> None:
    graph = VARIANTS[HALF].make(tiny_source, tmp_path, also_float=["middle"]).graph
    model = onnx.load(str(graph))
    assert types(model)["middle.w"] == TensorProto.FLOAT
    assert types(model)[by_name(model)["stem"].input[1]] == TensorProto.FLOAT16


def power(exponent: float, weight: float) -> onnx.ModelProto:
    nodes = [
        helper.make_node("Mul", ["image", "weight"], ["louder"], "scale"),
        helper.make_node("Pow", ["louder", "exponent"], ["power"], "power"),
        helper.make_node("Add", ["power", "power"], ["sum"], "add"),
    ]
    ends = [[helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 4])] for name in ("image", "sum")]
    weights = [
        numpy_helper.from_array(np.array(value, np.float32), name)
        for name, value in (("exponent", exponent), ("weight", weight))
    ]
    model = helper.make_model(
        helper.make_graph(nodes, "power", *ends, weights), opset_imports=[helper.make_opsetid("", 17)]
    )
    model.ir_version = 8
    return onnx.shape_inference.infer_shapes(model)


def test_a_power_is_computed_in_float32(tmp_path: Path) -> None:
    halved = to_half(power(3, 1), keep_float=["add"])
    onnx.save(halved, str(tmp_path / "power.onnx"))
    session = OnnxRuntimeEngine().open(tmp_path / "power.onnx", input_name="image", threads=1)
    # 100 cubed, twice, is beyond float16.
    assert session.run(np.full((1, 4), 100, np.float32), ["sum"])[0].tolist() == [[2e6] * 4]
    assert types(halved)["louder"] == TensorProto.FLOAT16


def test_a_weight_that_float16_cannot_hold_keeps_its_node_in_float32() -> None:
    assert types(to_half(power(1, 1e6)))["louder"] == TensorProto.FLOAT
    assert types(to_half(power(1, 1e3)))["louder"] == TensorProto.FLOAT16


@pytest.mark.parametrize(
    ("low", "high", "loud"), [(-1, 30_000, False), (-40_000, 1, True), (0, np.inf, True), (np.nan, np.nan, True)]
)
def test_a_tensor_near_the_end_of_float16_names_the_node_that_writes_it(low: float, high: float, loud: bool) -> None:
    assert too_loud(power(3, 1), {"power": (low, high)}) == ({"power"} if loud else set())


def test_without_photos_the_note_says_that_nothing_was_seen(tiny_source: FloatGraph, tmp_path: Path) -> None:
    source = FloatGraph(tiny_source.model, tiny_source.graph, tiny_source.float_nodes)
    assert any("no photos" in note for note in VARIANTS[HALF].make(source, tmp_path).notes)


def test_a_graph_with_a_branch_is_an_error_that_names_the_node() -> None:
    inner = helper.make_graph(
        [helper.make_node("Identity", ["image"], ["out"])],
        "inner",
        [],
        [helper.make_tensor_value_info("out", TensorProto.FLOAT, [1, 4])],
    )
    model = power(3, 1)
    model.graph.node.append(helper.make_node("If", ["flag"], ["y"], "fork", then_branch=inner, else_branch=inner))
    with pytest.raises(CamtrapEdgeError, match="'fork'"):
        to_half(model)
