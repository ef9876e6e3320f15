"""Cutting out of a frame what one detection shows."""

from __future__ import annotations

from edge_runtime.bundles.manifest import CropRule
from edge_runtime.values import Crop, Detection, Frame


def cut(frame: Frame, detection: Detection, rule: CropRule) -> Crop:
    """The crop of `detection` as `rule` wants it: the box, or a square around it, plus a margin.

    A square that reaches over the edge is moved inside the frame, and cut where it is larger than the frame.
    The crop is a view of the frame, uint8 RGB, at least one pixel each way.
    """
    height, width = frame.pixels.shape[:2]
    box = detection.box
    x1, x2 = box.x1 * width, box.x2 * width
    y1, y2 = box.y1 * height, box.y2 * height
    margin = rule.margin * max(x2 - x1, y2 - y1)
    across, down = x2 - x1 + 2 * margin, y2 - y1 + 2 * margin
    if rule.shape == "square":
        across = down = max(across, down)
    left, right = _span((x1 + x2) / 2, across, width)
    top, bottom = _span((y1 + y2) / 2, down, height)
    return Crop(detection, frame.pixels[top:bottom, left:right])


def _span(middle: float, length: float, limit: int) -> tuple[int, int]:
    length = min(length, limit)
    start = min(max(middle - length / 2, 0.0), limit - length)
    first = min(int(start), limit - 1)
    return first, max(first + 1, min(limit, round(start + length)))
