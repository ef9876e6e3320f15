"""Animals, people and vehicles cut out of the photographs that scikit-image carries.

Outlines were drawn by hand, roughly; GrabCut (Rother et al. 2004, as in OpenCV) finds the true edge between the two.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray
from skimage import data

from edge_runtime.values import Category, Pixels

Subject = Literal["cat", "astronaut", "photographer", "motorcycle"]
Mask = NDArray[np.uint8]
Outline = tuple[tuple[int, int], ...]

CATEGORY: dict[Subject, Category] = {
    "cat": "animal",
    "astronaut": "person",
    "photographer": "person",
    "motorcycle": "vehicle",
}


@dataclass(frozen=True, slots=True)
class Cutout:
    """A subject without its surroundings."""

    pixels: Pixels
    """Height x width x 3, RGB."""
    mask: Mask
    """Height x width, 0 outside to 255 inside, with a soft edge."""


@dataclass(frozen=True, slots=True)
class _Source:
    photograph: Callable[[], Pixels]
    inside: Outline
    """Surely the subject: x, y in pixels of the photograph."""
    around: Outline
    """Holds all of the subject."""
    softness: float
    """Sigma of the mask's edge, pixels."""


_GRABCUT_ROUNDS = 4
_SEED = 1
_EARS = 60
"""Pixels added above the cat."""


def photograph(name: str) -> NDArray[np.uint8]:
    """A photograph of scikit-image by its name there: height x width (x 3, RGB)."""
    read: Callable[[], object] = getattr(data, name)
    picture = read()
    return np.asarray(picture[0] if isinstance(picture, tuple) else picture, np.uint8)


def _cat() -> Pixels:
    # The photograph ends below the tips of the ears; the fur goes on mirrored.
    return cv2.copyMakeBorder(photograph("chelsea"), _EARS, 0, 0, 0, cv2.BORDER_REFLECT).astype(np.uint8)


def _astronaut() -> Pixels:
    return photograph("astronaut")


def _photographer() -> Pixels:
    return np.repeat(photograph("camera")[..., np.newaxis], 3, axis=2)


def _motorcycle() -> Pixels:
    return photograph("stereo_motorcycle")


def _outline(corners: str) -> Outline:
    pairs = (corner.split(",") for corner in corners.split())
    return tuple((int(x), int(y)) for x, y in pairs)


_SOURCES: dict[Subject, _Source] = {
    "cat": _Source(
        _cat,
        inside=_outline(
            "53,58 44,14 92,36 150,28 230,26 318,38 386,8 380,50 362,100 348,166 338,229 295,303 "
            "253,340 63,334 0,334 0,271 47,176"
        ),
        around=_outline(
            "22,60 30,2 100,24 320,24 402,0 393,60 382,123 371,176 364,239 329,308 301,359 0,359 0,176 26,166"
        ),
        softness=2.5,
    ),
    "astronaut": _Source(
        _astronaut,
        inside=_outline(
            "157,63 215,26 279,42 294,95 279,137 300,243 353,306 358,348 279,422 279,511 25,511 36,348 120,211 184,148"
        ),
        around=_outline(
            "147,32 226,5 300,26 310,116 291,148 310,200 368,285 374,338 416,338 511,401 511,511 "
            "10,511 31,285 105,200 131,148 163,148"
        ),
        softness=2.0,
    ),
    "photographer": _Source(
        _photographer,
        inside=_outline("173,86 257,76 268,118 247,171 268,213 205,319 141,392 141,498 25,498 6,287 57,160 152,118"),
        around=_outline(
            "157,71 215,54 279,86 331,129 342,203 310,319 236,319 152,424 160,511 0,511 0,245 36,139 147,102"
        ),
        softness=2.0,
    ),
    "motorcycle": _Source(
        _motorcycle,
        inside=_outline(
            "158,160 317,213 464,171 538,118 559,266 633,298 675,382 633,445 538,382 528,245 464,319 "
            "348,403 137,361 127,276 190,239 106,213"
        ),
        around=_outline(
            "90,181 137,129 348,160 327,118 464,86 517,76 591,118 575,192 591,255 649,287 696,382 "
            "686,435 633,461 507,382 369,466 306,445 158,414 111,329 111,266 90,224"
        ),
        softness=1.5,
    ),
}


@cache
def cutout(subject: Subject) -> Cutout:
    """The `subject`, cut to its outline; the same bytes every time on one installation. Takes about half a second."""
    source = _SOURCES[subject]
    pixels = source.photograph()
    mask = _mask(pixels, source)
    columns, rows = np.flatnonzero(mask.any(axis=0)), np.flatnonzero(mask.any(axis=1))
    window = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    return Cutout(np.ascontiguousarray(pixels[window]), np.ascontiguousarray(mask[window]))


def _mask(pixels: Pixels, source: _Source) -> Mask:
    labels = np.full(pixels.shape[:2], cv2.GC_BGD, np.uint8)
    cv2.fillPoly(labels, [np.array(source.around, np.int32)], (cv2.GC_PR_FGD,))
    cv2.fillPoly(labels, [np.array(source.inside, np.int32)], (cv2.GC_FGD,))
    cv2.setRNGSeed(_SEED)  # GrabCut starts with k-means, which draws at random.
    models = np.zeros((1, 65)), np.zeros((1, 65))
    cv2.grabCut(pixels, labels, (0, 0, 1, 1), *models, _GRABCUT_ROUNDS, cv2.GC_INIT_WITH_MASK)
    mask = np.where((labels == cv2.GC_FGD) | (labels == cv2.GC_PR_FGD), np.uint8(255), np.uint8(0))
    mask = _largest_part(cv2.morphologyEx(mask, cv2.MORPH_OPEN, np.ones((5, 5), np.uint8)))
    mask = cv2.morphologyEx(mask, cv2.MORPH_CLOSE, np.ones((7, 7), np.uint8))
    # One pixel less, so that no rim of the old background comes along.
    mask = cv2.erode(mask, np.ones((3, 3), np.uint8), borderValue=(255,))
    return np.asarray(cv2.GaussianBlur(mask, (0, 0), source.softness), np.uint8)


def _largest_part(mask: cv2.typing.MatLike) -> Mask:
    _, labels, stats, _ = cv2.connectedComponentsWithStats(mask)
    largest = 1 + int(np.argmax(stats[1:, cv2.CC_STAT_AREA]))
    return np.asarray(np.where(labels == largest, 255, 0), np.uint8)
