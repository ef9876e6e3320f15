"""A detector's float graph as the peers take it: suppression inside, one output [1, 300, 6].

Input 0..1, RGB, [1, 3, height, width]; output rows are x1, y1, x2, y2 in pixels of the input, confidence, class; the
strongest first, rows of zeros behind the last.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

ROWS = 300
OUTPUT = "detections"


def write(source: Path, target: Path, *, scale: float, shift: float, threshold: float, overlap: float) -> None:
    """Put suppression behind `source`, and its normalisation in front.

    Args:
        source: a graph with one input and the outputs boxes [1, N, 4] `xyxy` and scores [1, N, classes], in any order
            of names that begins with the boxes.
        scale, shift: of a pixel 0..1, what `source` wants is pixel * scale + shift.
        threshold: a weaker box goes.
        overlap: IoU above which the weaker box of one class goes.
    """
    model = onnx.load(str(source))
    graph = model.graph
    boxes, scores = (output.name for output in graph.output)
    constants: dict[str, np.ndarray] = {
        "zero": np.zeros(1, np.float32),
        "rows": np.array([ROWS], np.int64),
        "one": np.array([1], np.int64),
        "threshold": np.array([threshold], np.float32),
        "overlap": np.array([overlap], np.float32),
        "flat": np.array([-1], np.int64),
        "column": np.array([-1, 1], np.int64),
        "boxes_shape": np.array([-1, 4], np.int64),
        "whole": np.array([1, ROWS, 6], np.int64),
        "nothing": np.zeros((ROWS, 6), np.float32),
        "at1": np.array([1], np.int64),
        "at2": np.array([2], np.int64),
        "at3": np.array([3], np.int64),
        "at4": np.array([4], np.int64),
        "at5": np.array([5], np.int64),
    }
    nodes: list[onnx.NodeProto] = []

    def add(operator: str, *inputs: str, outputs: int = 1, **attributes: object) -> str:
        names = [f"e2e.{operator.lower()}{len(nodes)}.{index}" for index in range(outputs)]
        inputs = tuple(f"e2e.{name}" if name in constants else name for name in inputs)
        nodes.append(helper.make_node(operator, list(inputs), names, **attributes))
        return names[-1]

    # One class a box, as the PyTorch peers have it: the others' scores are nothing.
    nodes.append(helper.make_node("TopK", [scores, "e2e.one"], ["e2e.best", "e2e.class"], axis=2))
    lone = add("Where", add("Equal", scores, "e2e.best"), scores, "zero")
    by_class = add("Transpose", lone, perm=[0, 2, 1])
    chosen = add("NonMaxSuppression", boxes, by_class, "rows", "overlap", "threshold")
    number = add("Reshape", add("Slice", chosen, "at2", "at3", "at1"), "flat")
    kind = add("Slice", chosen, "at1", "at2", "at1")
    box = add("Gather", add("Reshape", boxes, "boxes_shape"), number)
    sure = add("Gather", add("Reshape", "e2e.best", "column"), number)
    kind = add("Cast", kind, to=TensorProto.FLOAT)
    found = add("Concat", add("Concat", box, sure, kind, axis=1), "nothing", axis=0)
    order = add("TopK", add("Reshape", add("Slice", found, "at4", "at5", "at1"), "flat"), "rows", outputs=2, axis=0)
    ordered = add("Gather", found, order)
    nodes.append(helper.make_node("Reshape", [ordered, "e2e.whole"], [OUTPUT]))

    first: list[onnx.NodeProto] = []
    if (scale, shift) != (1.0, 0.0):
        picture = graph.input[0].name
        constants |= {"scale": np.array([scale], np.float32), "shift": np.array([shift], np.float32)}
        for node in graph.node:
            node.input[:] = ["e2e.normal" if name == picture else name for name in node.input]
        first = [
            helper.make_node("Mul", [picture, "e2e.scale"], ["e2e.scaled"]),
            helper.make_node("Add", ["e2e.scaled", "e2e.shift"], ["e2e.normal"]),
        ]
    inner = list(graph.node)
    del graph.node[:]
    graph.node.extend([*first, *inner, *nodes])
    graph.initializer.extend(numpy_helper.from_array(value, f"e2e.{name}") for name, value in constants.items())
    del graph.output[:]
    graph.output.append(helper.make_tensor_value_info(OUTPUT, TensorProto.FLOAT, [1, ROWS, 6]))
    onnx.checker.check_model(model)
    onnx.save(model, str(target))
