"""The colour detector (tests/colour_detector.py) as other exporters would lay its outputs out."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
from onnx import NodeProto, helper, numpy_helper

from edge_runtime.engines.onnxruntime_engine import OnnxRuntimeEngine
from edge_runtime.models.heads import BOX_HEADS
from tests.colour_detector import SIDE

Layout = Callable[[], list[NodeProto]]
"""The nodes that make the output `odd` out of `centre` (cx, cy, w, h in pixels), `corners`, `objectness`, `classes`."""


def saved(layout: Layout, colour_graph: Path, file: Path) -> Path:
    """The colour detector's graph with that layout behind it."""
    empty = np.zeros((1, 3, SIDE, SIDE), np.float32)
    raw = OnnxRuntimeEngine().open(colour_graph, input_name="images", threads=1).run(empty, ["output"])
    corners = BOX_HEADS["yolox"](raw, width=SIDE, height=SIDE).boxes[None]
    low, high = corners[..., :2], corners[..., 2:]
    tensors = {
        "corners": corners,
        "centre": np.concatenate([(low + high) / 2, high - low], axis=2),
        "zero": np.array([0]),
        "four": np.array([4]),
        "five": np.array([5]),
        "end": np.array([8]),
        "last": np.array([2]),
        "best": np.array([300]),
        "half": np.array([0.5], np.float32),
        "five_below": np.array([-5], np.float32),
    }
    model = onnx.load(str(colour_graph))
    model.graph.initializer.extend(numpy_helper.from_array(value, name) for name, value in tensors.items())
    model.graph.node.extend(
        [
            helper.make_node("Slice", ["output", "four", "five", "last"], ["objectness"]),
            helper.make_node("Slice", ["output", "five", "end", "last"], ["classes"]),
            *layout(),
        ]
    )
    del model.graph.output[:]
    model.graph.output.append(helper.make_tensor_value_info("odd", 1, [None, None, None]))
    onnx.save(model, str(file))
    return file


def raw() -> list[NodeProto]:
    """[1, 4 + classes, A]."""
    return [*_scores(), *_rows("sure"), helper.make_node("Transpose", ["rows"], ["odd"], perm=[0, 2, 1])]


def with_logits() -> list[NodeProto]:
    """[1, 4 + classes, A], but what stands for the classes is not in 0..1."""
    return [
        *_scores(),
        helper.make_node("Sub", ["sure", "sure"], ["none"]),
        helper.make_node("Add", ["none", "five_below"], ["logits"]),
        *_rows("logits"),
        helper.make_node("Transpose", ["rows"], ["odd"], perm=[0, 2, 1]),
    ]


def with_objectness() -> list[NodeProto]:
    """[1, 3 x cells, 5 + classes]: each cell three times."""
    return [
        helper.make_node("Concat", ["centre", "objectness", "classes"], ["once"], axis=2),
        helper.make_node("Concat", ["once", "once", "once"], ["odd"], axis=1),
    ]


def one_box_one_class() -> list[NodeProto]:
    """[1, 300, 6]: the best boxes, each with its one class."""
    return [*_best(), helper.make_node("Identity", ["six"], ["odd"])]


def with_half_classes() -> list[NodeProto]:
    """As `one_box_one_class`, but the last column holds 0.5 more than a class."""
    return [*_best(), helper.make_node("Add", ["six", "half"], ["odd"])]


def of_no_layout() -> list[NodeProto]:
    """[1, 100, 9]."""
    width = helper.make_node("Concat", ["output", "objectness"], ["nine"], axis=2)
    shape = numpy_helper.from_array(np.array([100]), "hundred_value")
    hundred = helper.make_node("Constant", [], ["hundred"], value=shape)
    one = helper.make_node("Constant", [], ["one"], value=numpy_helper.from_array(np.array([1]), "one_value"))
    return [width, hundred, one, helper.make_node("Slice", ["nine", "zero", "hundred", "one"], ["odd"])]


def _scores() -> list[NodeProto]:
    return [helper.make_node("Mul", ["objectness", "classes"], ["sure"])]


def _rows(scores: str) -> list[NodeProto]:
    return [helper.make_node("Concat", ["centre", scores], ["rows"], axis=2)]


def _best() -> list[NodeProto]:
    return [
        *_scores(),
        helper.make_node("ReduceMax", ["sure"], ["top"], axes=[2], keepdims=0),
        helper.make_node("ArgMax", ["sure"], ["which"], axis=2, keepdims=1),
        helper.make_node("Cast", ["which"], ["class"], to=1),
        helper.make_node("ReduceMax", ["sure"], ["confidence"], axes=[2], keepdims=1),
        helper.make_node("Concat", ["corners", "confidence", "class"], ["all"], axis=2),
        helper.make_node("TopK", ["top", "best"], ["values", "indices"], axis=1),
        helper.make_node("Squeeze", ["indices", "zero"], ["order"]),
        helper.make_node("Gather", ["all", "order"], ["six"], axis=1),
    ]
