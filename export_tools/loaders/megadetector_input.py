"""Whose pre-processing a detector's bundle repeats, by name, and the input size that goes with it.

A bundle's graph has one fixed size. The `megadetector` package lays each photo into the smallest rectangle on the
stride, so the size here is the rectangle of a 4:3 photo, which camera traps take; a photo of another shape gets a
border that the package would not give it. `--size` sets another rectangle (1280x768 for 16:9).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from edge_runtime.bundles.manifest import Preprocess


@dataclass(frozen=True)
class Parity:
    """One way to bring a photo into the network."""

    preprocess: Preprocess
    shape: Literal["4:3", "square"]
    """Of the input, where the user names no size."""
    colour: Literal["rgb", "bgr"] = "rgb"


_NEAREST = Preprocess(resize="letterbox", rounding="nearest")
_WILDLIFE = Preprocess(resize="letterbox", rounding="nearest", spare_row="above")

MODES: dict[str, Parity] = {
    # As its `letterbox` does: sides rounded to the nearest pixel, linear, grey 114, an odd border's pixel last.
    "megadetector": Parity(_NEAREST, "4:3"),
    # A square, and its own letterbox puts an odd border's row on top: the content lies one pixel lower.
    "pytorch-wildlife": Parity(_WILDLIFE, "square"),
    # What its `single_image_detection` does for MegaDetector v6: the photo as OpenCV reads it, BGR, by mistake.
    "pytorch-wildlife-bgr": Parity(_NEAREST, "square", "bgr"),
    # The vendor's letterbox, at the square size of its exporter.
    "ultralytics": Parity(_NEAREST, "square"),
}
"""By the name that `--parity` takes."""


def size(long_side: int, shape: Literal["4:3", "square"], stride: int) -> tuple[int, int]:
    """Width and height of the input, multiples of `stride`; MegaDetector pads to 64 at its full size, else to 32."""
    if shape == "square":
        return long_side, long_side
    step = max(stride, 64 if long_side == 1280 else 32)
    return long_side, -(-long_side * 3 // 4 // step) * step


def fitting(wanted: tuple[int, int], stride: int) -> tuple[int, int]:
    """The nearest size that the network takes, not smaller than one stride."""
    width, height = (max(stride, round(side / stride) * stride) for side in wanted)
    return width, height
