"""A photo at a glance: small, gray, decoded at an eighth; and whether anything changed from one to another.

What counts as a change follows from the pair itself: how much its quieter half differs, which is sensor noise, JPEG
and wind, says how much the loudest block may. In doubt something changed: then the detector looks, as it always does.
"""

from __future__ import annotations

from dataclasses import dataclass
from operator import itemgetter

import cv2
import numpy as np
import simplejpeg
from numpy.typing import NDArray
from PIL import Image

WIDTH = 160
"""Pixels. A frame is 8 blocks high at the least, 20 wide."""
BLOCK = 8
"""Side of a block, pixels; blocks lie half over each other."""
NOISE_FACTOR = 1.25
"""The loudest block's mean difference, in standard deviations of the noise, that noise alone exceeds in one pair of a
hundred on a flat field, where nothing hides it: found with 3,000 pairs of pure noise, checked in tests/prefilter."""
LEAST_NOISE = 0.6
"""Gray levels, of 255. Two roundings to whole levels and JPEG's own leave no less."""
MOST_NOISE = 1.5
"""Gray levels. Where even the quieter half of the picture differs more, as after a sway between two pixels, the two are
not comparable. Chosen with composed scenes, like those of benchmarks/bars/prefilter: of 124 small subjects that the
detector finds 8 were lost with 3.0, and 3 with 1.5; of the empty pairs 98 % and 72 % passed."""
DARK = 16.0
"""Gray levels. Below, rounding alone makes a factor of its own."""
MOST_MOVED = 2.0
"""Pixels by which a camera may sway."""
STRIP = 0.12
"""Part of the height, at the top and at the bottom, that may be a printed strip."""

Gray = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Glance:
    """A small gray picture of a photo."""

    pixels: Gray
    """[h, 160], 0..255, as stored: not turned upright."""
    strip: NDArray[np.bool_]
    """[h]: rows that are printed by the camera, with a clock that changes where nothing else does."""


def take(data: bytes, image: Image.Image) -> Glance | None:
    """A glance at `data`, which `image` is the opened header of; None where it is no common JPEG, damaged or tiny."""
    width, height = image.size
    shrink = next((n for n in (8, 4, 2) if width >= WIDTH * n), 1)
    rows = round(height * WIDTH / width)
    if width < WIDTH or rows < BLOCK:
        return None
    try:
        decoded = simplejpeg.decode_jpeg(
            data, "GRAY", min_width=-(-width // shrink), min_height=-(-height // shrink), fastdct=True, strict=False
        )
    except ValueError:
        return None
    small = cv2.resize(decoded.reshape(decoded.shape[:2]), (WIDTH, rows), interpolation=cv2.INTER_AREA)
    return Glance(cv2.GaussianBlur(small.astype(np.float32), (3, 3), 0), _strip(small))


def nothing_changed(before: Glance, after: Glance) -> bool:
    """Whether two photos of one fixed camera show the same, whatever the light, a little wind and a pixel's shift.

    Compared is what each pixel differs from the range of the other picture's 3 x 3 pixels around it. Its mean over
    the block where it is greatest, 8 x 8 pixels, must stay within what the pair's own noise explains.
    """
    if before.pixels.shape != after.pixels.shape:
        return False
    here = before.pixels[~(before.strip & after.strip)]
    there = after.pixels[~(before.strip & after.strip)]
    if len(here) < BLOCK:
        return False
    there = there * np.float32(_light(here, there))
    there, noise = min(((each, _noise(here, each)) for each in (there, _moved_back(here, there))), key=itemgetter(1))
    if noise > MOST_NOISE:
        return False
    blocks = cv2.blur(np.maximum(_beyond(here, there), _beyond(there, here)), (BLOCK, BLOCK))
    return float(blocks.max()) <= NOISE_FACTOR * max(noise, LEAST_NOISE)


def _light(here: Gray, there: Gray) -> float:
    """The factor by which exposure and clouds changed all pixels; the median pays no heed to what walked in."""
    lit = (here > DARK) & (there > DARK)
    return float(np.median(here[lit] / there[lit])) if lit.any() else 1.0


def _moved_back(here: Gray, there: Gray) -> Gray:
    """`there` as the camera would have seen it had it not swayed; as it is where it swayed too far.

    By phase correlation to parts of a pixel, as in OpenCV.
    """
    (right, down), _ = cv2.phaseCorrelate(here, there, cv2.createHanningWindow(here.shape[::-1], cv2.CV_32F))
    if max(abs(right), abs(down)) > MOST_MOVED:
        return there
    motion = np.array([[1, 0, right], [0, 1, down]], np.float32)
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    moved = cv2.warpAffine(there, motion, there.shape[::-1], flags=flags, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(moved, np.float32)


def _noise(here: Gray, there: Gray) -> float:
    """Standard deviation of the difference where there is nothing else, that is in the quieter half."""
    difference = here - there
    return float(1.4826 * np.median(np.abs(difference - np.median(difference))))


def _beyond(pixels: Gray, other: Gray) -> Gray:
    """How far each pixel lies outside of what `other` has around it."""
    around = np.ones((3, 3), np.uint8)
    outside = np.maximum(pixels - cv2.dilate(other, around), cv2.erode(other, around) - pixels)
    return np.asarray(np.maximum(outside, 0), np.float32)


def _strip(small: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """The rows at the top and bottom that are mostly one even black or white."""
    middle = np.median(small, axis=1, keepdims=True)
    even = (np.abs(small.astype(np.int16) - middle) <= 3).mean(axis=1) > 0.5
    printed = even & ((middle[:, 0] < 24) | (middle[:, 0] > 232))
    rows = np.arange(len(small))
    most = round(STRIP * len(small))
    top = rows < min(int(np.argmin(printed)), most)
    bottom = rows >= len(small) - min(int(np.argmin(printed[::-1])), most)
    return np.asarray(top | bottom, np.bool_)
