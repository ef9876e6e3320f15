"""How graphs are prepared, measured and given their Q/DQ."""

from __future__ import annotations

import dataclasses
import gc
import weakref
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import numpy_helper

from edge_runtime.engines.onnxruntime_engine import OnnxRuntimeEngine
from edge_runtime.errors import CamtrapEdgeError
from export_tools.variants import VARIANTS, preparing, tensorrt_variants
from export_tools.variants.onnxruntime_variants import S8S8, U8S8
from export_tools.variants.preparing import prepared
from export_tools.variants.protocol import FloatGraph
from export_tools.variants.qdq import Scheme, quantize
from export_tools.variants.ranges import measured
from tests.export_tools.variants import tiny
from tests.export_tools.variants.reading import rounded_weights, rounding, weights_of

SCHEMES = {"U8S8": U8S8, "S8S8": S8S8, "TensorRT": tensorrt_variants.S8_SYMMETRIC}
INT8 = VARIANTS["onnxruntime-int8"]


class Counted(Sequence[Any]):
    """Pictures made when they are asked for, with a count of how often and of how many are alive at once."""

    def __init__(self, count: int) -> None:
        self.asked, self.most = 0, 0
        self._pictures, self._alive = tiny.pictures(count), weakref.WeakSet()  # type: ignore[var-annotated]

    def __len__(self) -> int:
        return len(self._pictures)

    def __getitem__(self, place: Any) -> NDArray[np.float32]:
        picture = Living(self._pictures[place])
        self._alive.add(picture)
        self.asked += 1
        gc.collect()
        self.most = max(self.most, len(self._alive))
        return picture


class Living(np.ndarray):  # type: ignore[type-arg]
    """An array that a weak set can hold."""

    def __new__(cls, array: NDArray[np.float32]) -> Living:
        return array.copy().view(cls)

    def __hash__(self) -> int:  # type: ignore[override]
        return id(self)


def quantized(source: FloatGraph, work: Path, scheme: Scheme, *keep_float: str) -> Path:
    ready = prepared(source.graph, work)
    int8 = work / f"{hash((scheme, keep_float))}.onnx"
    quantize(ready, int8, measured(ready, source.calibration, work), scheme, keep_float=keep_float)
    return int8


def outputs(graph: Path, image: NDArray[np.float32]) -> list[NDArray[np.float32]]:
    return OnnxRuntimeEngine().open(graph, input_name="image", threads=1).run(image, ["boxes", "scores"])


def test_ranges_are_measured_once_for_each_folder_and_one_picture_at_a_time(
    tiny_source: FloatGraph, tmp_path: Path
) -> None:
    pictures = Counted(6)
    source = dataclasses.replace(tiny_source, calibration=pictures)
    for name in ("onnxruntime-int8", "onnxruntime-int8-arm64"):
        for also_float in ([], ["middle"]):
            VARIANTS[name].make(source, tmp_path, also_float=also_float)
    assert pictures.asked == 6
    assert pictures.most <= 2


def test_ranges_are_the_smallest_and_largest_values_over_all_pictures(tiny_source: FloatGraph, tmp_path: Path) -> None:
    ready = prepared(tiny_source.graph, tmp_path)
    ranges = measured(ready, tiny_source.calibration, tmp_path)
    every = np.concatenate(tiny_source.calibration)
    assert ranges["image"] == (every.min(), every.max())
    boxes = np.concatenate([outputs(tiny_source.graph, picture)[0] for picture in tiny_source.calibration])
    assert ranges["boxes"] == pytest.approx((boxes.min(), boxes.max()), rel=1e-5)
    assert ranges["stem.a"][0] == 0 > ranges["stem.y"][0]


def test_ranges_of_another_graph_in_the_same_folder_are_not_mistaken_for_its_own(
    tiny_source: FloatGraph, tmp_path: Path
) -> None:
    first = measured(prepared(tiny_source.graph, tmp_path), tiny_source.calibration, tmp_path)
    model = onnx.load(str(tiny_source.graph))
    next(one for one in model.graph.initializer if one.name == "pixels").CopyFrom(
        numpy_helper.from_array(np.array(640, np.float32), "pixels")
    )
    other = tmp_path / "other.onnx"
    onnx.save(model, str(other))
    second = measured(prepared(other, tmp_path), tiny_source.calibration, tmp_path)
    assert second["boxes"][1] == pytest.approx(first["boxes"][1] / 2, rel=1e-5)


@pytest.mark.parametrize("name", SCHEMES)
def test_going_back_to_float_takes_away_exactly_the_rounding_of_that_node(
    name: str, tiny_source: FloatGraph, tmp_path: Path
) -> None:
    full = quantized(tiny_source, tmp_path, SCHEMES[name], *tiny.HEAD)
    less = quantized(tiny_source, tmp_path, SCHEMES[name], *tiny.HEAD, "middle")
    assert rounded_weights(full) == {"stem", "middle"}
    assert rounded_weights(less) == {"stem"}
    gone = rounding(full) - rounding(less)
    assert not rounding(less) - rounding(full)
    assert gone
    # Its weights, its bias, what it wrote; and what it alone read.
    assert all(one.startswith(("middle.w", "middle.b", "middle.a", "stem.a")) for one in gone)


@pytest.mark.parametrize("name", SCHEMES)
def test_a_node_in_float_keeps_its_weights_although_a_quantized_one_shares_them(
    name: str, tiny_source: FloatGraph, tmp_path: Path
) -> None:
    kept = ("box_fine", "score_coarse")
    int8 = quantized(tiny_source, tmp_path, SCHEMES[name], *kept)
    assert rounded_weights(int8) == {"stem", "middle", "box_coarse", "score_fine"}
    for node in kept:
        np.testing.assert_array_equal(weights_of(int8, node), weights_of(tiny_source.graph, node))


@pytest.mark.parametrize("name", SCHEMES)
def test_weights_are_signed_and_have_a_scale_for_each_channel(
    name: str, tiny_source: FloatGraph, tmp_path: Path
) -> None:
    model = onnx.load(str(quantized(tiny_source, tmp_path, SCHEMES[name], *tiny.HEAD)))
    tensors = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    for node in model.graph.node:
        if node.op_type == "DequantizeLinear" and node.input[0].startswith(("stem.w", "middle.w")):
            assert tensors[node.input[0]].dtype == np.int8
            assert tensors[node.input[1]].shape == (8,)
            assert not tensors[node.input[2]].any()


def test_the_graphs_own_outputs_are_not_rounded(lite0_source: FloatGraph, made: Any) -> None:
    model = onnx.load(str(made("onnxruntime-int8", lite0_source).graph))
    makers = {name: node for node in model.graph.node for name in node.output}
    last = makers["logits"]
    assert last.op_type == "Gemm"
    assert {makers[last.input[place]].op_type for place in (0, 1)} == {"DequantizeLinear"}


def test_a_clip_takes_its_range_to_the_convolution_before_it(lite0_source: FloatGraph, made: Any) -> None:
    def kinds(name: str) -> Counter[str]:
        return Counter(node.op_type for node in onnx.load(str(made(name, lite0_source).graph)).graph.node)

    assert kinds("onnxruntime-fp32")["Clip"] == 33
    assert kinds("onnxruntime-int8")["Clip"] == 0


def test_quantizing_the_decode_too_loses_the_scores_and_is_possible_only_on_purpose(
    tiny_source: FloatGraph, tmp_path: Path
) -> None:
    picture = tiny.pictures(1, seed=9)[0]
    _, scores = outputs(tiny_source.graph, picture)
    _, ours = outputs(quantized(tiny_source, tmp_path, U8S8, *tiny.HEAD), picture)
    everything = dataclasses.replace(U8S8, op_types=(*U8S8.op_types, "Sigmoid", "Concat", "Mul"))
    _, lost = outputs(quantized(tiny_source, tmp_path, everything), picture)
    assert scores.max() > 0.6
    assert np.abs(ours - scores).max() < 0.05
    # Boxes up to 1,280 share one scale with scores up to 1: its step is 5.
    assert lost.max() == 0


def test_a_product_of_two_activations_is_quantized_only_on_purpose(tmp_path: Path) -> None:
    make = onnx.helper.make_node
    nodes = [
        make("MatMul", ["image", "w"], ["q"], "project"),
        make("Transpose", ["q"], ["k"], "turn", perm=[0, 2, 1]),
        make("MatMul", ["q", "k"], ["attention"], "attend"),
    ]
    value = onnx.helper.make_tensor_value_info
    kind = onnx.TensorProto.FLOAT
    weights = numpy_helper.from_array(np.random.default_rng(0).normal(size=(6, 6)).astype(np.float32), "w")
    ends = [value("image", kind, [1, 5, 6])], [value("attention", kind, [1, 5, 5])]
    model = onnx.helper.make_model(
        onnx.helper.make_graph(nodes, "attention", *ends, [weights]), opset_imports=[onnx.helper.make_opsetid("", 17)]
    )
    model.ir_version = 8
    onnx.save(model, str(tmp_path / "attention.onnx"))
    ready = prepared(tmp_path / "attention.onnx", tmp_path)
    pictures = [np.random.default_rng(seed).normal(size=(1, 5, 6)).astype(np.float32) for seed in range(4)]
    ranges = measured(ready, pictures, tmp_path)
    assert quantize(ready, tmp_path / "a.onnx", ranges, U8S8) == ("project",)
    both = dataclasses.replace(U8S8, dynamic_products=True)
    assert quantize(ready, tmp_path / "b.onnx", ranges, both) == ("project", "attend")


def test_preparing_keeps_the_names_of_the_nodes_and_what_the_graph_computes(
    detector_source: FloatGraph, lite0_source: FloatGraph, tmp_path: Path
) -> None:
    for source in (detector_source, lite0_source):
        computing = [
            {node.name for node in onnx.load(str(file)).graph.node if node.op_type in preparing.COMPUTING}
            for file in (source.graph, prepared(source.graph, tmp_path))
        ]
        assert computing[0] == computing[1]
        names = source.model.outputs
        sessions = [
            OnnxRuntimeEngine().open(file, input_name="image", threads=1)
            for file in (source.graph, prepared(source.graph, tmp_path))
        ]
        before, after = (session.run(source.calibration[0], names) for session in sessions)
        for one, other in zip(before, after, strict=True):
            np.testing.assert_allclose(other, one, atol=1e-3)


def test_the_tail_is_what_no_computing_node_follows(tiny_source: FloatGraph) -> None:
    model = onnx.load(str(tiny_source.graph))
    after = preparing.tail(model, tiny.HEAD)
    assert {"join", "box.scale", "score_fine.sigmoid", *tiny.HEAD} <= after
    assert not {"stem", "middle", "stem.relu"} & after
    assert not set(tiny.HEAD) & preparing.tail(model, ())


def test_a_tensor_with_nan_is_an_error_that_names_it(tiny_source: FloatGraph, tmp_path: Path) -> None:
    source = dataclasses.replace(tiny_source, calibration=[np.full((1, 3, 32, 32), np.nan, np.float32)])
    with pytest.raises(CamtrapEdgeError, match="'image' holds NaN"):
        INT8.make(source, tmp_path)


def test_an_opset_that_cannot_be_quantized_is_an_error_that_says_which_can(
    tiny_source: FloatGraph, tmp_path: Path
) -> None:
    model = onnx.load(str(tiny_source.graph))
    del model.graph.node[2:]
    del model.graph.output[:]
    model.graph.output.append(onnx.helper.make_tensor_value_info("stem.a", onnx.TensorProto.FLOAT, [1, 8, 16, 16]))
    model.opset_import[0].version = 11
    onnx.save(model, str(tmp_path / "old.onnx"))
    with pytest.raises(CamtrapEdgeError, match=r"opset 11 .* 13 or later"):
        prepared(tmp_path / "old.onnx", tmp_path)


def test_what_is_no_graph_is_an_error_that_names_the_file(tmp_path: Path) -> None:
    (tmp_path / "broken.onnx").write_bytes(b"no graph")
    with pytest.raises(CamtrapEdgeError, match=r"broken\.onnx: no graph"):
        prepared(tmp_path / "broken.onnx", tmp_path)
