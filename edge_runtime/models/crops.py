"""Cutting out of a frame what one detection shows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from threading import Lock

from edge_runtime.bundles.manifest import CropRule, Manifest
from edge_runtime.models.preprocess import resized_to
from edge_runtime.values import Crop, Detection, Frame

_LARGE = Lock()


def cut_all(frame: Frame, detections: Sequence[Detection], manifest: Manifest) -> list[Crop]:
    """The crops of `detections`, each with the pixels that the bundle of `manifest` wants, or all that the photo has.

    Where one would have too few, the photo is decoded once more, for all of them; one photo at a time, because at full
    size it is tens of megabytes.

    Raises:
        UnreadablePhotoError: that decoding failed.
    """
    scale = max((_wanted_scale(frame, detection, manifest) for detection in detections), default=0.0)
    if scale <= frame.scale:
        return [cut(frame, detection, manifest.crop) for detection in detections]
    with _LARGE:
        sharp = frame.sharper(scale)
        crops = [cut(sharp, detection, manifest.crop) for detection in detections]
        return [replace(crop, pixels=crop.pixels.copy()) for crop in crops]


def cut(frame: Frame, detection: Detection, rule: CropRule) -> Crop:
    """The crop of `detection` as `rule` wants it: the box, or a square around it, plus a margin.

    A square that reaches over the edge is moved inside the frame, and cut where it is larger than the frame.
    The crop is a view of the frame, uint8 RGB, at least one pixel each way.
    """
    (left, right), (top, bottom) = _spans(frame, detection, rule)
    return Crop(detection, frame.pixels[top:bottom, left:right])


def _wanted_scale(frame: Frame, detection: Detection, manifest: Manifest) -> float:
    """The scale of the frame at which the crop is not enlarged for the input; at most 1."""
    (left, right), (top, bottom) = _spans(frame, detection, manifest.crop)
    width, height = (right - left) / frame.scale, (bottom - top) / frame.scale
    wanted = resized_to(round(width), round(height), manifest.input, manifest.preprocess)
    return min(1.0, max(wanted[0] / width, wanted[1] / height))


def _spans(frame: Frame, detection: Detection, rule: CropRule) -> tuple[tuple[int, int], tuple[int, int]]:
    """First column and one past the last, and the same of the rows."""
    height, width = frame.pixels.shape[:2]
    box = detection.box
    x1, x2 = box.x1 * width, box.x2 * width
    y1, y2 = box.y1 * height, box.y2 * height
    margin = rule.margin * max(x2 - x1, y2 - y1)
    across, down = x2 - x1 + 2 * margin, y2 - y1 + 2 * margin
    if rule.shape == "square":
        across = down = max(across, down)
    return _span((x1 + x2) / 2, across, width), _span((y1 + y2) / 2, down, height)


def _span(middle: float, length: float, limit: int) -> tuple[int, int]:
    length = min(length, limit)
    start = min(max(middle - length / 2, 0.0), limit - length)
    first = min(int(start), limit - 1)
    return first, max(first + 1, min(limit, round(start + length)))
