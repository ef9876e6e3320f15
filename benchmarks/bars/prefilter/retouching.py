"""Pictures altered so that a burst can be made of one: emptied, covered, and the same a second later."""

from __future__ import annotations

import math
from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.uint8]
BoxXYXY = tuple[float, float, float, float]
"""In fractions of the picture."""


def paint_over(picture: Picture, boxes: Sequence[BoxXYXY]) -> Picture:
    """The subjects painted over from what is around them (Telea 2004)."""
    height, width = picture.shape[:2]
    small = cv2.resize(picture, None, fx=0.25, fy=0.25, interpolation=cv2.INTER_AREA)
    hole = np.zeros(small.shape[:2], np.uint8)
    for x1, y1, x2, y2 in boxes:
        high, wide = hole.shape
        hole[int(y1 * high) : math.ceil(y2 * high) + 1, int(x1 * wide) : math.ceil(x2 * wide) + 1] = 255
    painted = cv2.resize(cv2.inpaint(small, hole, 3, cv2.INPAINT_TELEA), (width, height), interpolation=cv2.INTER_CUBIC)
    where = cv2.resize(hole, (width, height), interpolation=cv2.INTER_NEAREST)[..., np.newaxis] > 0
    return np.asarray(np.where(where, painted, picture), np.uint8)


def cover(picture: Picture, boxes: Sequence[BoxXYXY], frames: Sequence[tuple[Picture, list[BoxXYXY]]]) -> Picture:
    """The subjects covered with what the first other frame shows there in which nothing is there."""
    covered = np.array(picture, np.uint8)
    height, width = picture.shape[:2]
    for x1, y1, x2, y2 in boxes:
        around = (max(0.0, x1 - 0.01), max(0.0, y1 - 0.01), min(1.0, x2 + 0.01), min(1.0, y2 + 0.01))
        other = next(frame for frame, others in frames if not any(_overlap(around, each) for each in others))
        rows = slice(int(around[1] * height), math.ceil(around[3] * height))
        columns = slice(int(around[0] * width), math.ceil(around[2] * width))
        covered[rows, columns] = other[rows, columns]
    return covered


def _overlap(one: BoxXYXY, other: BoxXYXY) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def disturb(picture: Picture, chance: np.random.Generator) -> bytes:
    """The same view a second later."""
    height, width = picture.shape[:2]
    sway = np.array([[1, 0, chance.uniform(-1, 1) * width / 320], [0, 1, chance.uniform(-1, 1) * width / 320]])
    moved = cv2.warpAffine(picture, sway, (width, height), borderMode=cv2.BORDER_REFLECT).astype(np.float32)
    noisy = moved * chance.uniform(0.95, 1.05) + chance.normal(0, 4, (height, width, 1))
    return encode(np.clip(noisy, 0, 255).astype(np.uint8), 85)


def encode(picture: Picture, quality: int) -> bytes:
    """A JPEG."""
    _, data = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return bytes(data)
