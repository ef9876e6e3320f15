"""Which outputs of a foreign graph are what: told by their shapes and names, never by the file's name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from export_tools import import_tails as tails

if TYPE_CHECKING:
    import onnx

_STRIDES = ((8, 16, 32), (8, 16, 32, 64), (4, 8, 16, 32), (16, 32))
_NAMES = ("boxes", "scores")


@dataclass(frozen=True)
class GraphFacts:
    """What a graph says of itself."""

    input_name: str
    width: int
    height: int
    layout: str
    """`nchw` or `nhwc`."""
    outputs: Mapping[str, NDArray[Any]]
    """What it gives for one even grey picture, in its own order."""


@dataclass(frozen=True)
class Layout:
    """How a head reads a graph."""

    tensors: tuple[str, ...]
    tail: onnx.GraphProto | None = None
    """Nodes that are put behind the graph first: their inputs are outputs of the graph, their outputs are `tensors`."""
    overlap: float | None = None
    """The threshold of suppression that goes with this layout, where it is not the format's default."""


LayoutReader = Callable[[GraphFacts, int], Layout]
"""Takes the facts and the number of labels; raises ValueError where the graph has another layout: says what it has."""


def first_output(facts: GraphFacts, _classes: int) -> Layout:
    """One tensor as it is."""
    return Layout(tuple(facts.outputs)[:1])


def boxes_and_scores(facts: GraphFacts, _classes: int) -> Layout:
    """Boxes [1, N, 4] `xyxy` in pixels and scores [1, N, classes], final both: by name, else by shape."""
    if set(_NAMES) <= set(facts.outputs):
        return Layout(_NAMES)
    boxes = [name for name, value in facts.outputs.items() if value.ndim == 3 and value.shape[2] == 4]
    scores = [
        name
        for name, value in facts.outputs.items()
        if len(boxes) == 1
        and name != boxes[0]
        and value.ndim == 3
        and value.shape[:2] == facts.outputs[boxes[0]].shape[:2]
    ]
    if len(boxes) != 1 or len(scores) != 1:
        raise ValueError(
            f"its outputs {_shapes(facts)} are not one of boxes [1, N, 4] and one of scores [1, N, classes]; "
            "name them 'boxes' and 'scores'"
        )
    return Layout((boxes[0], scores[0]))


def ultralytics(facts: GraphFacts, classes: int) -> Layout:
    """YOLOv8 and later as ultralytics exports them.

    Raw [1, 4 + classes, A] (or transposed): cx, cy, w, h in pixels, then class scores after sigmoid. With suppression
    in the graph, or with none needed, [1, N, 6]: x1, y1, x2, y2 in pixels, confidence, class.
    """
    name, value = _only(facts)
    if value.shape[2] == 6 and _anchor_axis(value, facts) is None:
        said = value[0, :, 5]
        if not np.isin(said, np.arange(classes)).all():
            raise ValueError(
                f"its output {_shapes(facts)} is read as boxes, confidence, class, but the last column holds "
                f"{said.min():g}..{said.max():g}, not a class of 0..{classes - 1}"
            )
        return Layout(tails.TENSORS, tails.one_class_each(name, classes), overlap=1.0)
    axis = _anchor_axis(value, facts)
    if axis is None or value.shape[3 - axis] < 5:
        raise ValueError(
            f"its output {_shapes(facts)} is neither [1, 4 + classes, A] with A cells of a picture of "
            f"{facts.width}x{facts.height}, nor [1, N, 6]"
        )
    return Layout(tails.TENSORS, tails.centre_boxes(name, anchors_last=axis == 2), overlap=0.7)


def yolov5(facts: GraphFacts, _classes: int) -> Layout:
    """YOLOv5 (MegaDetector v5): [1, 3 x cells, 5 + classes]: cx, cy, w, h in pixels, objectness, class scores."""
    name, value = _only(facts)
    if _anchor_axis(value, facts, per_cell=3) != 1 or value.shape[2] < 6:
        raise ValueError(f"its output {_shapes(facts)} is not [1, 3 x cells, 5 + classes]")
    return Layout(tails.TENSORS, tails.centre_boxes(name, anchors_last=False, objectness=True))


def nanodet(facts: GraphFacts, classes: int) -> Layout:
    """NanoDet: at each stride scores [1, n, classes] and distances [1, n, 4 x bins], in any order."""
    strides = (8, 16, 32)
    cells = [(facts.width // stride) * (facts.height // stride) for stride in strides]
    scores, distances = [], []
    for count in cells:
        pair = [name for name, value in facts.outputs.items() if value.ndim == 3 and value.shape[:2] == (1, count)]
        if len(pair) != 2:
            raise ValueError(f"its outputs {_shapes(facts)} are not a pair of [1, n, ...] for each of n = {cells}")
        pair.sort(key=lambda name: facts.outputs[name].shape[2] != classes)
        scores.append(pair[0])
        distances.append(pair[1])
    for name in scores:
        low, high = float(facts.outputs[name].min()), float(facts.outputs[name].max())
        if facts.outputs[name].shape[2] != classes or low < 0 or high > 1:
            raise ValueError(
                f"its output {name} {list(facts.outputs[name].shape)} holds {low:.2f}..{high:.2f}, not the "
                f"probabilities of {classes} classes"
            )
    widths = {facts.outputs[name].shape[2] for name in distances}
    if len(widths) != 1 or widths.pop() % 4:
        raise ValueError(f"its outputs {_shapes(facts)} have no distances [1, n, 4 x bins]")
    bins = facts.outputs[distances[0]].shape[2] // 4
    tail = tails.distances_in_bins(
        scores, distances, bins=bins, strides=strides, width=facts.width, height=facts.height
    )
    return Layout(tails.TENSORS, tail, overlap=0.6)


def _only(facts: GraphFacts) -> tuple[str, NDArray[Any]]:
    if len(facts.outputs) != 1 or next(iter(facts.outputs.values())).ndim != 3:
        raise ValueError(f"its outputs {_shapes(facts)} are not one tensor of three dimensions")
    return next(iter(facts.outputs.items()))


def _anchor_axis(value: NDArray[Any], facts: GraphFacts, per_cell: int = 1) -> int | None:
    """The axis that counts the cells of the picture's grids."""
    counts = {
        per_cell * sum((facts.width // stride) * (facts.height // stride) for stride in strides) for strides in _STRIDES
    }
    return next((axis for axis in (2, 1) if value.shape[axis] in counts), None)


def _shapes(facts: GraphFacts) -> str:
    return ", ".join(f"{name} {list(value.shape)}" for name, value in facts.outputs.items())
