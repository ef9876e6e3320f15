"""Cutting out of a frame what one detection shows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from threading import Lock

import numpy as np

from edge_runtime.bundles.manifest import CropRule, Manifest
from edge_runtime.models.preprocess import resized_to
from edge_runtime.values import Box, Crop, Detection, Frame

_LARGE = Lock()
MIXED = 0.1
"""A crop of which people take up more than this share is shown without them."""
HIDDEN = 0.5
"""An animal of which people take up more than this share is not cut out: it may be one of them."""


@dataclass(frozen=True, slots=True)
class _Span:
    """Where a crop lies along one side of the frame, pixels: its own are first to past, and it is `length` long."""

    first: int
    past: int
    length: int
    """More than `past - first` where some of it is beyond the frame."""
    before: int = 0
    """So much of that lies before."""

    def placed(self, first: int, past: int) -> slice:
        """Where these pixels of the frame lie in the crop; empty where they do not."""
        first, past = (min(max(pixel, self.first), self.past) - self.first + self.before for pixel in (first, past))
        return slice(first, past)


def hidden(detection: Detection, people: Sequence[Box]) -> bool:
    """Whether an animal's box shows people rather (`HIDDEN`): then no model that looks at animals may see it."""
    box = detection.box
    return sum(_common(box, person) for person in people) > HIDDEN * box.area


def cut_all(
    frame: Frame, detections: Sequence[Detection], manifest: Manifest, *, people: Sequence[Box] = ()
) -> list[Crop]:
    """The crops of `detections`, each with the pixels that the bundle of `manifest` wants, or all that the photo has.

    Where one would have too few, the photo is decoded once more, for all of them; one photo at a time, because at full
    size it is tens of megabytes.

    Args:
        people: boxes of people; where they take up more than `MIXED` of a crop, it has the bundle's padding in their
            place.

    Raises:
        UnreadablePhotoError: that decoding failed.
    """
    scale = max((_wanted_scale(frame, detection, manifest) for detection in detections), default=0.0)
    if scale <= frame.scale:
        return [_cut_apart(frame, detection, manifest, people) for detection in detections]
    with _LARGE:
        sharp = frame.sharper(scale)
        crops = [_cut_apart(sharp, detection, manifest, people) for detection in detections]
        return [replace(crop, pixels=crop.pixels.copy()) for crop in crops]


def cut(frame: Frame, detection: Detection, rule: CropRule) -> Crop:
    """The crop of `detection` as `rule` wants it: the box, or a square around it, plus a margin.

    A square that reaches over the edge is moved inside the frame, and cut where it is larger than the frame; or, with
    `rule.beyond` of `black`, it is black there as BUNDLE.md says.
    The crop is uint8 RGB, at least one pixel each way; a view of the frame where nothing is added.
    """
    across, down = _spans(frame, detection, rule)
    pixels = frame.pixels[down.first : down.past, across.first : across.past]
    if pixels.shape[:2] != (down.length, across.length):
        seen = pixels
        pixels = np.zeros((down.length, across.length, 3), np.uint8)
        pixels[down.before :, across.before :][: seen.shape[0], : seen.shape[1]] = seen
    return Crop(detection, pixels)


def _cut_apart(frame: Frame, detection: Detection, manifest: Manifest, people: Sequence[Box]) -> Crop:
    crop = cut(frame, detection, manifest.crop)
    if not people:
        return crop
    height, width = frame.pixels.shape[:2]
    across, down = _spans(frame, detection, manifest.crop)
    shows = np.zeros(crop.pixels.shape[:2], np.bool_)
    for person in people:
        columns = across.placed(round(person.x1 * width), round(person.x2 * width))
        rows = down.placed(round(person.y1 * height), round(person.y2 * height))
        shows[rows, columns] = True
    if shows.mean() <= MIXED:
        return crop
    pixels = crop.pixels.copy()
    pixels[shows] = manifest.preprocess.pad
    return replace(crop, pixels=pixels)


def _wanted_scale(frame: Frame, detection: Detection, manifest: Manifest) -> float:
    """The scale of the frame at which the crop is not enlarged for the input; at most 1."""
    across, down = _spans(frame, detection, manifest.crop)
    width, height = across.length / frame.scale, down.length / frame.scale
    wanted = resized_to(round(width), round(height), manifest.input, manifest.preprocess)
    return min(1.0, max(wanted[0] / width, wanted[1] / height))


def _spans(frame: Frame, detection: Detection, rule: CropRule) -> tuple[_Span, _Span]:
    """The columns of the crop, and its rows."""
    height, width = frame.pixels.shape[:2]
    box = detection.box
    x1, x2 = box.x1 * width, box.x2 * width
    y1, y2 = box.y1 * height, box.y2 * height
    margin = rule.margin * max(x2 - x1, y2 - y1)
    if rule.shape == "square" and rule.beyond == "black":
        across, down = _whole(x1 - margin, x2 + margin), _whole(y1 - margin, y2 + margin)
        side = max(across[1], down[1], 1)
        return _black_span(across, side, width), _black_span(down, side, height)
    wide, high = x2 - x1 + 2 * margin, y2 - y1 + 2 * margin
    if rule.shape == "square":
        wide = high = max(wide, high)
    return _span((x1 + x2) / 2, wide, width), _span((y1 + y2) / 2, high, height)


def _span(middle: float, length: float, limit: int) -> _Span:
    length = min(length, limit)
    start = min(max(middle - length / 2, 0.0), limit - length)
    first = min(int(start), limit - 1)
    past = max(first + 1, min(limit, round(start + length)))
    return _Span(first, past, past - first)


def _whole(start: float, end: float) -> tuple[int, int]:
    """Start and length, rounded down; whole numbers that a float just misses are whole."""
    return int(start + 1e-6), int(end - start + 1e-6)


def _black_span(side_of_box: tuple[int, int], side: int, limit: int) -> _Span:
    """Of a square with this side around the box; see `beyond` in BUNDLE.md."""
    start, length = side_of_box
    first = min(max(0, start - (side - length) // 2), limit - 1)
    return _Span(first, min(limit, first + side), side, round(max(0, side - limit) / 2))


def _common(one: Box, other: Box) -> float:
    across = min(one.x2, other.x2) - max(one.x1, other.x1)
    down = min(one.y2, other.y2) - max(one.y1, other.y1)
    return max(across, 0.0) * max(down, 0.0)
