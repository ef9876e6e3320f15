"""Training scenes: from a few photos, cutouts and backgrounds to one canvas with its labels.

Three kinds: a mosaic of four photos, one photo zoomed in or out, and a staged scene: a background without animals,
with cutouts put into it, mostly small, or with none at all. Then what a camera trap adds: infrared, night, blur,
noise, compression, a caption.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_runtime.errors import CamtrapEdgeError
from edge_runtime.values import CATEGORIES, Pixels
from export_tools.default_models.detector.camera_look import camera_look
from export_tools.default_models.detector.cutouts import Cutout
from export_tools.default_models.detector.photos import Photo, Scene

MOSAIC, SINGLE = 0.36, 0.28
"""Shares of the kinds; the rest is staged."""
NO_OBJECT = 0.3
"""Share of the staged scenes that stay empty."""
KINDS = (0.72, 0.21, 0.07)
"""Shares of animals, people and vehicles among the cutouts of a staged scene."""
PAD = 114
LEAST_LEFT = 0.3
"""A box of which less than this is left in the canvas becomes an unknown area."""
LEAST_SIDE = 5.0
LEAST_FREE = 56
"""Pixels: the narrowest part of a photo that may become a background."""
WEIGHTS = {"coco": 6.0, "cocoperson": 5.0, "pv30": 4.0, "oi600": 3.0, "oi_pc": 2.5, "raccoon": 2.0, "animal20": 1.5}
"""How often a photo of a source is drawn, against 1 for the others: people and vehicles are few."""

Random = np.random.Generator


@dataclass(frozen=True, eq=False)
class Material:
    """What scenes are made of: photos, cutouts, and the parts of the photos in which nothing is known to be.

    Raises:
        CamtrapEdgeError: there is no animal among the cutouts, or no photo has a free part.
    """

    photos: Sequence[Photo]
    cutouts: Sequence[Cutout]
    _shares: NDArray[np.float64] = field(init=False, repr=False)
    _by_kind: tuple[NDArray[np.intp], ...] = field(init=False, repr=False)
    _free: tuple[Pixels, ...] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        weights = np.array([WEIGHTS.get(photo.source, 1.0) for photo in self.photos])
        object.__setattr__(self, "_shares", np.cumsum(weights / weights.sum()))
        kinds = np.array([cutout.category for cutout in self.cutouts])
        by_kind = tuple(np.flatnonzero(kinds == kind) for kind in range(len(CATEGORIES)))
        object.__setattr__(self, "_by_kind", by_kind)
        object.__setattr__(self, "_free", tuple(part for photo in self.photos for part in _free_parts(photo.scene)))
        if not len(by_kind[0]):
            raise CamtrapEdgeError("no animal could be cut out of the photos: more or larger ones are needed")
        if not self._free:
            raise CamtrapEdgeError("no photo has a part without any object: more photos are needed")

    def photo(self, random: Random) -> Scene:
        return self.photos[min(int(np.searchsorted(self._shares, random.random())), len(self.photos) - 1)].scene

    def free(self, random: Random) -> Pixels:
        return self._free[int(random.integers(len(self._free)))]

    def cutout(self, random: Random) -> Cutout:
        kind = self._by_kind[int(random.choice(len(CATEGORIES), p=KINDS))]
        return self.cutouts[int(random.choice(kind if len(kind) else self._by_kind[0]))]


def make(material: Material, random: Random, *, width: int, height: int, late: bool = False) -> Scene:
    """One scene of `width` x `height` pixels. `late`: without mosaics, as for the last part of the training."""
    kind = random.random()
    if kind < MOSAIC and not late:
        scene = mosaic(material, random, width, height)
    elif kind < MOSAIC + SINGLE:
        scene = single(material, random, width, height)
    else:
        scene = staged(material, random, width=width, height=height)
    if random.random() < 0.5:
        scene = flipped(scene)
    return camera_look(clipped(scene), random)


def staged(material: Material, random: Random, *, width: int, height: int) -> Scene:
    """A background with no, one or several cutouts."""
    canvas = _background(material, random, width, height)
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


def _none() -> NDArray[np.float32]:
    return np.zeros((0, 4), np.float32)


def mosaic(material: Material, random: Random, width: int, height: int) -> Scene:
    """Four photos round a point somewhere in the middle (as in arXiv:2004.10934)."""
    canvas = np.full((height, width, 3), PAD, np.uint8)
    middle = int(width * random.uniform(0.3, 0.7)), int(height * random.uniform(0.3, 0.7))
    parts = []
    for quarter in range(4):
        left, right = (0, middle[0]) if quarter % 2 == 0 else (middle[0], width)
        top, bottom = (0, middle[1]) if quarter < 2 else (middle[1], height)
        scene = material.photo(random)
        fit = max((right - left) / scene.pixels.shape[1], (bottom - top) / scene.pixels.shape[0])
        part = window(scene, fit * float(np.exp(random.uniform(-0.7, 0.35))), right - left, bottom - top, random)
        canvas[top:bottom, left:right] = part.pixels
        parts.append(moved(part, left, top))
    return Scene(
        canvas,
        np.concatenate([part.boxes for part in parts]),
        np.concatenate([part.classes for part in parts]),
        np.concatenate([part.ignored for part in parts]),
    )


def single(material: Material, random: Random, width: int, height: int) -> Scene:
    """One photo, zoomed in or out."""
    scene = material.photo(random)
    fit = min(width / scene.pixels.shape[1], height / scene.pixels.shape[0])
    zoom = random.uniform(1.0, 2.2) if random.random() < 0.35 else random.uniform(0.35, 1.1)
    filling = _background(material, random, width, height) if random.random() < 0.4 and zoom < 1 else None
    return window(scene, fit * zoom, width, height, random, filling=filling)


def window(
    scene: Scene, ratio: float, width: int, height: int, random: Random, *, filling: Pixels | None = None
) -> Scene:
    """A photo at `ratio`, somewhere in a window of `width` x `height`: what is too large is cut, the rest padded."""
    stretch = float(np.exp(random.uniform(-0.12, 0.12)))
    full = (
        max(8, round(scene.pixels.shape[1] * ratio * stretch)),
        max(8, round(scene.pixels.shape[0] * ratio / stretch)),
    )
    shrinks = full[0] < scene.pixels.shape[1]
    resized = cv2.resize(scene.pixels, full, interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
    canvas = np.full((height, width, 3), PAD, np.uint8) if filling is None else filling
    left = int(random.uniform(min(0, width - full[0]), max(0, width - full[0]) + 1e-6))
    top = int(random.uniform(min(0, height - full[1]), max(0, height - full[1]) + 1e-6))
    x, y = max(0, left), max(0, top)
    part = resized[max(0, -top) : max(0, -top) + height - y, max(0, -left) : max(0, -left) + width - x]
    canvas[y : y + part.shape[0], x : x + part.shape[1]] = part
    scale = np.array([full[0] / scene.pixels.shape[1], full[1] / scene.pixels.shape[0]] * 2, np.float32)
    return clipped(moved(Scene(canvas, scene.boxes * scale, scene.classes, scene.ignored * scale), left, top))


def moved(scene: Scene, left: int, top: int) -> Scene:
    """The labels alone, by pixels."""
    offset = np.array([left, top, left, top], np.float32)
    return Scene(scene.pixels, scene.boxes + offset, scene.classes, scene.ignored + offset)


def flipped(scene: Scene) -> Scene:
    """Left to right."""
    width = scene.pixels.shape[1]

    def mirrored(boxes: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.stack([width - boxes[:, 2], boxes[:, 1], width - boxes[:, 0], boxes[:, 3]], axis=1)

    return Scene(
        np.ascontiguousarray(scene.pixels[:, ::-1]), mirrored(scene.boxes), scene.classes, mirrored(scene.ignored)
    )


def clipped(scene: Scene) -> Scene:
    """Labels cut to the canvas. A box of which too little is left becomes an unknown area, one outside goes."""
    height, width = scene.pixels.shape[:2]
    limit = np.array([width, height, width, height], np.float32)
    boxes, ignored = np.clip(scene.boxes, 0, limit), np.clip(scene.ignored, 0, limit)
    before = np.maximum(scene.boxes[:, 2:] - scene.boxes[:, :2], 1e-6).prod(axis=1)
    sides = boxes[:, 2:] - boxes[:, :2]
    left = sides.prod(axis=1) / before
    kept = (left >= LEAST_LEFT) & (sides.min(axis=1, initial=1e9) >= LEAST_SIDE)
    doubtful = ~kept & (left > 0)
    ignored = np.concatenate([ignored, boxes[doubtful]])
    ignored = ignored[(ignored[:, 2:] - ignored[:, :2]).min(axis=1, initial=1e9) > 1]
    return Scene(scene.pixels, boxes[kept], scene.classes[kept], ignored)


def _background(material: Material, random: Random, width: int, height: int) -> Pixels:
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


def _free_parts(scene: Scene) -> list[Pixels]:
    """The strips beside, above and below everything that is known to be in a photo, where they are large enough."""
    things = np.concatenate([scene.boxes, scene.ignored])
    if not len(things):
        return [scene.pixels]
    left, top = (int(value) for value in things[:, :2].min(axis=0))
    right, bottom = (int(np.ceil(value)) for value in things[:, 2:].max(axis=0))
    strips = [scene.pixels[:, :left], scene.pixels[:, right:], scene.pixels[:top], scene.pixels[bottom:]]
    return [strip for strip in strips if min(strip.shape[:2]) >= LEAST_FREE and strip.size > 0.12 * scene.pixels.size]


def _put_patch(canvas: Pixels, material: Material, random: Random) -> None:
    """Something that was put there as well and is no animal: the edge of a cutout alone proves nothing."""
    side = int(np.exp(random.uniform(np.log(12), np.log(130))))
    patch = _background(material, random, side, max(8, int(side * random.uniform(0.5, 1.5))))
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
