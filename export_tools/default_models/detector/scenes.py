"""Training scenes: from a few photos, cutouts and backgrounds to one canvas with its labels.

Three kinds: a mosaic of four photos, one photo zoomed in or out, and a staged scene. Then what a camera trap adds:
infrared, night, blur, noise, compression, a caption.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_runtime.values import Pixels
from export_tools.default_models.detector import staging
from export_tools.default_models.detector.camera_look import camera_look
from export_tools.default_models.detector.material import Material, Random
from export_tools.default_models.detector.photos import Scene

MOSAIC, SINGLE = 0.36, 0.28
"""Shares of the kinds; the rest is staged."""
PAD = 114
LEAST_LEFT = 0.3
"""A box of which less than this is left in the canvas becomes an unknown area."""
LEAST_SIDE = 5.0


def make(material: Material, random: Random, *, width: int, height: int, late: bool = False) -> Scene:
    """One scene of `width` x `height` pixels. `late`: without mosaics, as for the last part of the training."""
    kind = random.random()
    if kind < MOSAIC and not late:
        scene = mosaic(material, random, width, height)
    elif kind < MOSAIC + SINGLE:
        scene = single(material, random, width, height)
    else:
        scene = staging.staged(material, random, width=width, height=height)
    if random.random() < 0.5:
        scene = flipped(scene)
    return camera_look(clipped(scene), random)


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
    filling = staging.background(material, random, width, height) if random.random() < 0.4 and zoom < 1 else None
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
