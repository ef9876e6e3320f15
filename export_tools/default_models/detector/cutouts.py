"""Animals, people and vehicles cut free of their background (GrabCut, Rother et al. 2004), to be put elsewhere."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from edge_runtime.errors import CamtrapEdgeError
from edge_runtime.values import CATEGORIES, Pixels
from export_tools.default_models.detector.photos import Photo, Scene

LEAST_SIDE = 72
"""Pixels of the box' shorter side: less holds no outline."""
LONG_SIDE = 200
MARGIN = 0.12
_FILL = (0.25, 0.9)
"""Share of its box that a believable outline fills."""


@dataclass(frozen=True, slots=True)
class Cutout:
    """One object."""

    pixels: Pixels
    """uint8 RGB, exactly the box of what `mask` shows."""
    mask: NDArray[np.uint8]
    """[H, W], 255 where the object is."""
    category: int


def prepared(photos: Sequence[Photo], folder: Path) -> list[Cutout]:
    """Every object of the photos that can be cut free believably, in the photos' order.

    Takes minutes; what is found stays in `folder` as PNG files with transparency and is read from there next time.

    Raises:
        CamtrapEdgeError: a cutout cannot be written or read.
    """
    if not folder.is_dir():
        partial = folder.with_name(folder.name + ".partial")
        shutil.rmtree(partial, ignore_errors=True)  # of a run that was cut off, perhaps with other photos
        partial.mkdir(parents=True)
        _write(photos, partial)
        partial.rename(folder)
    return [_read(path) for path in sorted(folder.glob("*.png"))]


def _write(photos: Sequence[Photo], folder: Path) -> None:
    # A forked process would wait for ever for the threads of OpenCV's pool: it inherits the pool, not the threads.
    cv2.setNumThreads(1)
    with get_context("fork").Pool() as pool:
        found = pool.imap(_cut_photo, enumerate(photos), chunksize=8)
        for place, cutouts in enumerate(tqdm(found, "cutting out", len(photos), unit="photo", disable=None)):
            for number, cutout in enumerate(cutouts):
                path = folder / f"{place:05d}-{number}-{CATEGORIES[cutout.category]}.png"
                if not cv2.imwrite(str(path), np.dstack([cutout.pixels[..., ::-1], cutout.mask])):
                    raise CamtrapEdgeError(f"{path}: cannot be written; is the disk full?")


def _read(path: Path) -> Cutout:
    rgba = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    if rgba is None:
        raise CamtrapEdgeError(f"{path}: cannot be read; remove its folder to have it made again")
    pixels = np.ascontiguousarray(rgba[..., 2::-1]).astype(np.uint8, copy=False)
    mask = np.ascontiguousarray(rgba[..., 3]).astype(np.uint8, copy=False)
    names: tuple[str, ...] = CATEGORIES
    return Cutout(pixels, mask, names.index(path.stem.rsplit("-", 1)[1]))


def _cut_photo(numbered: tuple[int, Photo]) -> list[Cutout]:
    place, photo = numbered
    cv2.setNumThreads(1)
    cv2.setRNGSeed(place)
    found = [
        _cut(photo.scene.pixels, box, int(category))
        for box, category in zip(photo.scene.boxes, photo.scene.classes, strict=True)
        if _stands_alone(box, photo.scene)
    ]
    return [cutout for cutout in found if cutout]


def _stands_alone(box: NDArray[np.float32], scene: Scene) -> bool:
    if min(box[2] - box[0], box[3] - box[1]) < LEAST_SIDE:
        return False
    others = np.concatenate([scene.boxes, scene.ignored])
    low, high = np.maximum(others[:, :2], box[:2]), np.minimum(others[:, 2:], box[2:])
    common = np.maximum(high - low, 0).prod(axis=1) / ((box[2] - box[0]) * (box[3] - box[1]))
    return int((common > 0.1).sum()) == 1  # itself


def _cut(pixels: Pixels, box: NDArray[np.float32], category: int) -> Cutout | None:
    height, width = pixels.shape[:2]
    across, down = box[2] - box[0], box[3] - box[1]
    pad = MARGIN * max(across, down)
    left, top = max(0, int(box[0] - pad)), max(0, int(box[1] - pad))
    right, bottom = min(width, int(box[2] + pad)), min(height, int(box[3] + pad))
    window = pixels[top:bottom, left:right]
    ratio = min(1.0, LONG_SIDE / max(across, down))
    small = cv2.resize(window, None, fx=ratio, fy=ratio, interpolation=cv2.INTER_AREA)
    inner = [int(value * ratio) for value in (box[0] - left, box[1] - top, across, down)]
    if inner[2] >= small.shape[1] - 2 and inner[3] >= small.shape[0] - 2:
        return None  # nothing around it to tell background by
    mask = np.zeros(small.shape[:2], np.uint8)
    cv2.grabCut(small, mask, inner, np.zeros((1, 65)), np.zeros((1, 65)), 3, cv2.GC_INIT_WITH_RECT)
    free = np.where((mask == cv2.GC_FGD) | (mask == cv2.GC_PR_FGD), 255, 0).astype(np.uint8)
    opened = cv2.morphologyEx(free, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    count, labels, stats, _ = cv2.connectedComponentsWithStats(opened)
    if count < 2:
        return None
    best = 1 + int(stats[1:, cv2.CC_STAT_AREA].argmax())
    x, y, w, h, area = (int(value) for value in stats[best])
    if not (_FILL[0] < area / (w * h) < _FILL[1]) or w * h < 0.5 * inner[2] * inner[3] or min(w, h) < 24:
        return None
    own = np.where(labels[y : y + h, x : x + w] == best, 255, 0).astype(np.uint8)
    return Cutout(np.ascontiguousarray(small[y : y + h, x : x + w]).astype(np.uint8, copy=False), own, category)
