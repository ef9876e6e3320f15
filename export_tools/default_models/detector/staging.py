"""Staged scenes: a background without animals, with cutouts put into it, mostly small, or with none at all."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_runtime.values import Pixels
from export_tools.default_models.detector.cutouts import Cutout
from export_tools.default_models.detector.material import Material, Random
from export_tools.default_models.detector.photos import Scene

NO_OBJECT = 0.3
"""Share of the staged scenes that stay empty."""


def staged(material: Material, random: Random, *, width: int, height: int) -> Scene:
    """A background with no, one or several cutouts."""
    canvas = background(material, random, width, height)
    for _ in range(int(random.integers(0, 4))):
        _put_patch(canvas, material, random)
    boxes: list[NDArray[np.float32]] = []
    classes: list[int] = []
    if random.random() > NO_OBJECT:
        darkness = random.random() < 0.3
        if darkness:
            canvas[:] = (canvas * random.uniform(0.25, 0.7)).astype(np.uint8)
        first = material.cutout(random)
        herd = random.random() < 0.25
        for _ in range(1 + int(random.geometric(0.55) - 1 if not herd else random.integers(2, 6))):
            cutout = first if herd else material.cutout(random)
            box = _put_cutout(canvas, cutout, random, boxes, bright=darkness)
            if box is not None:
                boxes.append(box)
                classes.append(cutout.category)
    return Scene(canvas, np.array(boxes, np.float32).reshape(-1, 4), np.array(classes, np.int64), _none())


def background(material: Material, random: Random, width: int, height: int) -> Pixels:
    """A part of a photo in which nothing is known to be, continued by reflection to fill the canvas."""
    free = material.free(random)
    share = random.uniform(0.5, 1.0)
    rows, columns = max(24, int(free.shape[0] * share)), max(24, int(free.shape[1] * share))
    top = int(random.integers(0, max(1, free.shape[0] - rows + 1)))
    left = int(random.integers(0, max(1, free.shape[1] - columns + 1)))
    part = free[top : top + rows, left : left + columns]
    # Blown up until its longer relation fits, at most threefold; the rest is its mirror image.
    fit = max(width / part.shape[1], height / part.shape[0])
    ratio = min(fit, 3.0) if random.random() < 0.5 else min(fit, max(1.0, fit * random.uniform(0.4, 1.0)), 3.0)
    blown = cv2.resize(part, None, fx=ratio, fy=ratio, interpolation=cv2.INTER_LINEAR)
    across, down = max(0, width - blown.shape[1]), max(0, height - blown.shape[0])
    full = cv2.copyMakeBorder(blown, down // 2, down - down // 2, across // 2, across - across // 2, cv2.BORDER_REFLECT)
    return np.ascontiguousarray(full[:height, :width]).astype(np.uint8, copy=False)


def _put_patch(canvas: Pixels, material: Material, random: Random) -> None:
    """Something that was put there as well and is no animal: the edge of a cutout alone proves nothing."""
    side = int(np.exp(random.uniform(np.log(12), np.log(130))))
    patch = background(material, random, side, max(8, int(side * random.uniform(0.5, 1.5))))
    if random.random() < 0.5:  # in the outline of a real cutout
        mask = cv2.resize(material.cutout(random).mask, patch.shape[1::-1], interpolation=cv2.INTER_LINEAR)
    else:
        mask = np.zeros(patch.shape[:2], np.uint8)
        centre, axes = (patch.shape[1] // 2, patch.shape[0] // 2), (patch.shape[1] // 2, patch.shape[0] // 2)
        cv2.ellipse(mask, centre, axes, 0, 0, 360, 255, -1)
    _blend(canvas, patch, mask.astype(np.uint8, copy=False), random, likeness=random.uniform(0, 0.8))


def _put_cutout(
    canvas: Pixels, cutout: Cutout, random: Random, boxes: list[NDArray[np.float32]], *, bright: bool
) -> NDArray[np.float32] | None:
    long = float(np.exp(random.uniform(np.log(16), np.log(0.75 * canvas.shape[0]))))
    ratio = long / max(cutout.mask.shape)
    size = max(4, round(cutout.mask.shape[1] * ratio)), max(4, round(cutout.mask.shape[0] * ratio))
    interpolation = cv2.INTER_AREA if ratio < 1 else cv2.INTER_LINEAR
    pixels = cv2.resize(cutout.pixels, size, interpolation=interpolation).astype(np.uint8, copy=False)
    mask = cv2.resize(cutout.mask, size, interpolation=interpolation).astype(np.uint8, copy=False)
    if random.random() < 0.5:
        pixels, mask = np.ascontiguousarray(pixels[:, ::-1]), np.ascontiguousarray(mask[:, ::-1])
    if bright:
        pixels = np.clip(pixels * random.uniform(0.8, 1.4), 0, 255).astype(np.uint8)
    if random.random() < 0.25:  # behind a trunk or grass
        _hide_part(mask, random)
    return _blend(
        canvas, pixels, mask, random, likeness=0.15 if bright else random.uniform(0, 0.75), taken=boxes, over=0.35
    )


def _hide_part(mask: NDArray[np.uint8], random: Random) -> None:
    rows, columns = mask.shape
    if random.random() < 0.5:
        start = int(random.uniform(0.1, 0.8) * columns)
        mask[:, start : start + max(1, int(random.uniform(0.05, 0.25) * columns))] = 0
    else:
        mask[int(random.uniform(0.65, 0.95) * rows) :] = 0


def _blend(
    canvas: Pixels,
    pixels: Pixels,
    mask: NDArray[np.uint8],
    random: Random,
    *,
    likeness: float,
    taken: Sequence[NDArray[np.float32]] = (),
    over: float = 0.0,
) -> NDArray[np.float32] | None:
    """Put `pixels` somewhere on the canvas; returns the box of what is visible, None where there was no room.

    Args:
        likeness: how far its mean colour moves towards that of the place, 0..1.
        taken: boxes that it must not cover.
        over: how much of it may reach over the canvas' edge.
    """
    height, width = canvas.shape[:2]
    rows, columns = mask.shape
    for _ in range(8):
        left = int(random.uniform(-over * columns * (random.random() < 0.2), max(1, width - columns)))
        top = int(random.uniform(-over * rows * (random.random() < 0.1), max(1, height - rows)))
        x1, y1, x2, y2 = max(0, left), max(0, top), min(width, left + columns), min(height, top + rows)
        if x2 - x1 < 4 or y2 - y1 < 4:
            continue
        if any(x1 < box[2] and x2 > box[0] and y1 < box[3] and y2 > box[1] for box in taken):
            continue
        part, cut = pixels[y1 - top : y2 - top, x1 - left : x2 - left], mask[y1 - top : y2 - top, x1 - left : x2 - left]
        seen = np.flatnonzero(cut.max(axis=1) > 127), np.flatnonzero(cut.max(axis=0) > 127)
        if len(seen[0]) < 4 or len(seen[1]) < 4:
            continue
        place = canvas[y1:y2, x1:x2].astype(np.float32)
        own = part[cut > 127].mean(axis=0, dtype=np.float32)
        # INTER_AREA needs no feathering, a large cutout's hard edge does.
        soft = cv2.GaussianBlur(cut, (0, 0), max(0.5, min(rows, columns) / 120)).astype(np.float32)[..., None] / 255
        coloured = part + likeness * (place.mean(axis=(0, 1)) - own)
        canvas[y1:y2, x1:x2] = np.clip(coloured * soft + place * (1 - soft), 0, 255).astype(np.uint8)
        return np.array([x1 + seen[1][0], y1 + seen[0][0], x1 + seen[1][-1] + 1, y1 + seen[0][-1] + 1], np.float32)
    return None


def _none() -> NDArray[np.float32]:
    return np.zeros((0, 4), np.float32)
