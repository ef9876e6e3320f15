"""From a picture to a graph's input tensor, and from its boxes back to the picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from edge_runtime.bundles.manifest import Input, Preprocess
from edge_runtime.values import Pixels

_OPENCV = {"linear": cv2.INTER_LINEAR, "cubic": cv2.INTER_CUBIC, "area": cv2.INTER_AREA}
_PILLOW = {
    "pillow-bilinear": Image.Resampling.BILINEAR,
    "pillow-bicubic": Image.Resampling.BICUBIC,
    "pillow-lanczos": Image.Resampling.LANCZOS,
}
"""They average when they shrink, as OpenCV's `linear` and `cubic` do not; ten times slower."""


@dataclass(frozen=True, slots=True)
class Placement:
    """Where the picture lies in the input tensor: pixels of the tensor, x right, y down."""

    left: int
    top: int
    width: int
    height: int

    def to_fractions(self, boxes: NDArray[np.float32]) -> NDArray[np.float32]:
        """`xyxy` [N, 4] in tensor pixels to fractions of the picture, clipped to 0..1."""
        offset = np.array([self.left, self.top, self.left, self.top], np.float32)
        size = np.array([self.width, self.height, self.width, self.height], np.float32)
        fractions: NDArray[np.float32] = np.clip((boxes - offset) / size, 0.0, 1.0)
        return fractions


def resized_to(width: int, height: int, spec: Input, rule: Preprocess) -> tuple[int, int]:
    """Width and height, in pixels, to which a picture of `width` x `height` is resized for the input tensor."""
    if rule.resize == "stretch":
        return spec.width, spec.height
    if rule.resize == "centre-crop":
        short = max(rule.short_side or min(spec.width, spec.height), spec.width, spec.height)
        ratio = short / min(width, height)
        return max(spec.width, round(width * ratio)), max(spec.height, round(height * ratio))
    ratio = min(spec.width / width, spec.height / height)
    whole = round if rule.rounding == "nearest" else int
    return max(1, whole(width * ratio)), max(1, whole(height * ratio))


def prepare(pixels: Pixels, spec: Input, rule: Preprocess) -> tuple[NDArray[np.float32], Placement]:
    """Make the input tensor of one picture, with a batch dimension of 1, float32.

    Returns the tensor ([1, 3, H, W] or [1, H, W, 3] as `spec.layout` says) and where the picture lies in it.
    For `centre-crop` the placement is that of the whole picture and reaches beyond the tensor.
    """
    height, width = pixels.shape[:2]
    placement = _placement(resized_to(width, height, spec, rule), spec, rule)
    resized = _resized(pixels, (placement.width, placement.height), rule)
    left, top = max(0, placement.left), max(0, placement.top)
    shown = resized[top - placement.top :, left - placement.left :][: spec.height, : spec.width]
    if spec.layout == "nchw":
        tensor = np.empty((1, 3, spec.height, spec.width), np.float32)
        planes = tensor[0]
    else:
        tensor = np.empty((1, spec.height, spec.width, 3), np.float32)
        planes = tensor[0].transpose(2, 0, 1)
    _normalise(cv2.split(shown), planes, (left, top), spec, rule)
    return tensor, placement


def _normalise(
    colours: Sequence[NDArray[Any]],
    planes: NDArray[np.float32],
    corner: tuple[int, int],
    spec: Input,
    rule: Preprocess,
) -> None:
    """Write red, green and blue (uint8, [h, w] each) into the planes ([3, H, W]), their corner at x, y of `corner`.

    One plane after the other: each stays in the processor's cache until it is finished.
    """
    left, top = corner
    height, width = colours[0].shape
    mean, std = np.array(rule.mean, np.float64), np.array(rule.std, np.float64)
    factors, shifts = (rule.scale / std).astype(np.float32), (-mean / std).astype(np.float32)
    order = (2, 1, 0) if spec.colour == "bgr" else (0, 1, 2)
    for plane, colour in zip(planes, order, strict=True):
        factor, shift = factors[colour], shifts[colour]
        picture = plane[top : top + height, left : left + width]
        np.copyto(picture, colours[colour])
        if factor != 1:
            np.multiply(picture, factor, out=picture)
        if shift != 0:
            np.add(picture, shift, out=picture)
        pad = np.float32(rule.pad) * factor + shift
        plane[:top] = pad
        plane[top + height :] = pad
        plane[top : top + height, :left] = pad
        plane[top : top + height, left + width :] = pad


def _placement(size: tuple[int, int], spec: Input, rule: Preprocess) -> Placement:
    width, height = size
    if rule.resize == "centre-crop":
        return Placement(-((width - spec.width) // 2), -((height - spec.height) // 2), width, height)
    if rule.resize == "letterbox-corner":
        return Placement(0, 0, width, height)
    spare_above = rule.resize == "letterbox" and rule.spare_row == "above"
    return Placement((spec.width - width) // 2, (spec.height - height + spare_above) // 2, width, height)


def _resized(pixels: Pixels, size: tuple[int, int], rule: Preprocess) -> Pixels:
    if rule.interpolation in _PILLOW:
        picture = Image.fromarray(np.ascontiguousarray(pixels))
        return np.asarray(picture.resize(size, _PILLOW[rule.interpolation]), np.uint8)
    resized = cv2.resize(pixels, size, interpolation=_OPENCV[rule.interpolation])
    return resized.astype(np.uint8, copy=False)
