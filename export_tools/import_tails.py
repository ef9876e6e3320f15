"""Nodes put behind a foreign graph, so that the head `decoded` reads it and a device needs no code for its layout.

Each is a graph of its own (ONNX, operators as they stand since opset 11) whose inputs are named as the outputs that it
takes. ONNX graphs get its nodes appended; OpenVINO reads it and joins it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import onnx

TENSORS = ("decoded.boxes", "decoded.scores")
"""The outputs of every tail: boxes [1, N, 4] `xyxy` in pixels of the input, scores [1, N, classes]."""
LEAST_OPSET = 11

# cx, cy, w, h times this are x1, y1, x2, y2.
_CORNERS = np.array([[1, 0, 1, 0], [0, 1, 0, 1], [-0.5, 0, 0.5, 0], [0, -0.5, 0, 0.5]], np.float32)


class _Builder:
    """Collects nodes; every name inside begins with `decoded.`, which no foreign graph uses."""

    def __init__(self) -> None:
        self._nodes: list[onnx.NodeProto] = []
        self._constants: list[onnx.TensorProto] = []

    def constant(self, value: NDArray[np.float32] | NDArray[np.int64]) -> str:
        from onnx import numpy_helper

        name = f"decoded.constant{len(self._constants)}"
        self._constants.append(numpy_helper.from_array(value, name))
        return name

    def add(self, operator: str, *inputs: str, name: str = "", **attributes: Any) -> str:
        from onnx import helper

        output = name or f"decoded.{operator.lower()}{len(self._nodes)}"
        self._nodes.append(helper.make_node(operator, list(inputs), [output], name=output, **attributes))
        return output

    def columns(self, source: str, start: int, end: int | None = None, name: str = "") -> str:
        """Columns `start` to `end` of the last axis."""
        stop = np.iinfo(np.int64).max if end is None else end
        bounds = [self.constant(np.array([value], np.int64)) for value in (start, stop, 2)]
        return self.add("Slice", source, *bounds, name=name)

    def done(self, inputs: Sequence[str]) -> onnx.GraphProto:
        from onnx import TensorProto, helper

        def floats(name: str) -> onnx.ValueInfoProto:
            return helper.make_tensor_value_info(name, TensorProto.FLOAT, [None, None, None])

        outputs = [floats(name) for name in TENSORS]
        return helper.make_graph(self._nodes, "decoded", [floats(name) for name in inputs], outputs, self._constants)


def centre_boxes(source: str, *, anchors_last: bool, objectness: bool = False) -> onnx.GraphProto:
    """Of [1, A, 4 + classes] (or its transpose) with cx, cy, w, h in pixels; `objectness` multiplies the classes."""
    build = _Builder()
    rows = build.add("Transpose", source, perm=[0, 2, 1]) if anchors_last else source
    boxes = build.columns(rows, 0, 4)
    build.add("MatMul", boxes, build.constant(_CORNERS), name=TENSORS[0])
    if objectness:
        build.add("Mul", build.columns(rows, 4, 5), build.columns(rows, 5), name=TENSORS[1])
    else:
        build.columns(rows, 4, name=TENSORS[1])
    return build.done([source])


def one_class_each(source: str, classes: int) -> onnx.GraphProto:
    """Of [1, N, 6]: x1, y1, x2, y2, confidence, class. A score is the confidence in that class' column, else 0."""
    build = _Builder()
    build.columns(source, 0, 4, name=TENSORS[0])
    each = build.constant(np.arange(classes, dtype=np.float32).reshape(1, 1, classes))
    same = build.add("Equal", build.columns(source, 5, 6), each)
    zero = build.constant(np.zeros(1, np.float32))
    build.add("Where", same, build.columns(source, 4, 5), zero, name=TENSORS[1])
    return build.done([source])


def distances_in_bins(
    scores: Sequence[str], distances: Sequence[str], *, bins: int, strides: Sequence[int], width: int, height: int
) -> onnx.GraphProto:
    """Of scores [1, n, classes] and distances [1, n, 4 x bins] per stride (generalized focal loss, arXiv:2006.04388).

    A side's distance from the cell's centre is the mean of its bins, weighted by their softmax, in strides.
    """
    build = _Builder()
    centres, scales = [], []
    for stride in strides:
        ys, xs = np.mgrid[0 : height // stride, 0 : width // stride]
        cell = (np.stack([xs, ys, xs, ys], axis=-1).reshape(1, -1, 4) + 0.5) * stride
        centres.append(cell)
        scales.append(np.full_like(cell, stride) * np.array([-1, -1, 1, 1]))
    centre, scale = (np.concatenate(parts, axis=1).astype(np.float32) for parts in (centres, scales))
    every = build.add("Concat", *distances, axis=1)
    split = build.add("Reshape", every, build.constant(np.array([1, 4 * centre.shape[1], bins], np.int64)))
    weights = build.add("Softmax", split, axis=2)
    mean = build.add("MatMul", weights, build.constant(np.arange(bins, dtype=np.float32).reshape(bins, 1)))
    sides = build.add("Reshape", mean, build.constant(np.array([1, centre.shape[1], 4], np.int64)))
    offset = build.add("Mul", sides, build.constant(scale))
    build.add("Add", offset, build.constant(centre), name=TENSORS[0])
    build.add("Concat", *scores, axis=1, name=TENSORS[1])
    return build.done([*scores, *distances])
