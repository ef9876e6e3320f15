"""From a picture to a graph's input tensor, and from its boxes back to the picture."""

from __future__ import annotations

from dataclasses import dataclass

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


def prepare(pixels: Pixels, spec: Input, rule: Preprocess) -> tuple[NDArray[np.float32], Placement]:
    """Make the input tensor of one picture, with a batch dimension of 1, float32.

    Returns the tensor ([1, 3, H, W] or [1, H, W, 3] as `spec.layout` says) and where the picture lies in it.
    For `centre-crop` the placement is that of the whole picture and reaches beyond the tensor.
    """
    canvas, placement = _place(pixels, spec, rule)
    if spec.colour == "bgr":
        canvas = canvas[..., ::-1]
    tensor = canvas.astype(np.float32)
    factor, shift = _normalisation(spec, rule)
    if not (np.all(factor == 1) and np.all(shift == 0)):
        tensor *= factor
        tensor += shift
    if spec.layout == "nchw":
        tensor = np.ascontiguousarray(tensor.transpose(2, 0, 1))
    return tensor[np.newaxis], placement


def _normalisation(spec: Input, rule: Preprocess) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    mean, std = np.array(rule.mean, np.float64), np.array(rule.std, np.float64)
    if spec.colour == "bgr":
        mean, std = mean[::-1], std[::-1]
    return (rule.scale / std).astype(np.float32), (-mean / std).astype(np.float32)


def _place(pixels: Pixels, spec: Input, rule: Preprocess) -> tuple[Pixels, Placement]:
    height, width = pixels.shape[:2]
    if rule.resize == "stretch":
        resized = _resized(pixels, (spec.width, spec.height), rule)
        return resized, Placement(0, 0, spec.width, spec.height)
    if rule.resize == "centre-crop":
        return _centre_crop(pixels, spec, rule)
    ratio = min(spec.width / width, spec.height / height)
    whole = round if rule.rounding == "nearest" else int
    inner = max(1, whole(width * ratio)), max(1, whole(height * ratio))
    resized = _resized(pixels, inner, rule)
    corner = rule.resize == "letterbox-corner"
    left = 0 if corner else (spec.width - inner[0]) // 2
    top = 0 if corner else (spec.height - inner[1] + (rule.spare_row == "above")) // 2
    canvas = np.full((spec.height, spec.width, 3), rule.pad, np.uint8)
    canvas[top : top + inner[1], left : left + inner[0]] = resized
    return canvas, Placement(left, top, *inner)


def _resized(pixels: Pixels, size: tuple[int, int], rule: Preprocess) -> Pixels:
    if rule.interpolation in _PILLOW:
        picture = Image.fromarray(np.ascontiguousarray(pixels))
        return np.asarray(picture.resize(size, _PILLOW[rule.interpolation]), np.uint8)
    resized = cv2.resize(pixels, size, interpolation=_OPENCV[rule.interpolation])
    return resized.astype(np.uint8, copy=False)


def _centre_crop(pixels: Pixels, spec: Input, rule: Preprocess) -> tuple[Pixels, Placement]:
    height, width = pixels.shape[:2]
    short = max(rule.short_side or min(spec.width, spec.height), spec.width, spec.height)
    ratio = short / min(width, height)
    full = max(spec.width, round(width * ratio)), max(spec.height, round(height * ratio))
    resized = _resized(pixels, full, rule)
    left, top = (full[0] - spec.width) // 2, (full[1] - spec.height) // 2
    canvas = resized[top : top + spec.height, left : left + spec.width]
    return canvas, Placement(-left, -top, *full)
