"""Small training folders whose truth is known exactly: plain backgrounds, ellipses of one strong colour."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_runtime.values import CATEGORIES, Pixels
from export_tools.default_models.detector.cutouts import Cutout
from export_tools.default_models.detector.material import Material
from export_tools.default_models.detector.photos import MANIFEST, Photo, Scene

COLOURS = {"animal": (230, 20, 30), "person": (20, 40, 230), "vehicle": (230, 20, 220)}
"""RGB; every background is grey, so that an object is what has a colour."""
Area = tuple[int, int, int, int]
"""`xyxy`, pixels."""


def grey(width: int, height: int, seed: int = 0) -> Pixels:
    """A grey background with a soft texture."""
    coarse = np.random.default_rng(seed).integers(110, 160, (max(2, height // 12), max(2, width // 12)), np.uint8)
    smooth = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    return np.repeat(smooth[..., None], 3, axis=2).astype(np.uint8)


def ellipse_mask(width: int, height: int, area: Area) -> NDArray[np.uint8]:
    """uint8 [H, W], 255 where an ellipse touches all four sides of `area`."""
    ys, xs = np.mgrid[:height, :width] + 0.5
    across, down = (
        (xs - (area[0] + area[2]) / 2) / (area[2] - area[0]),
        (ys - (area[1] + area[3]) / 2) / (area[3] - area[1]),
    )
    return np.where(across**2 + down**2 <= 0.25, 255, 0).astype(np.uint8)


def picture(width: int, height: int, objects: Sequence[tuple[str, Area]], seed: int = 0) -> Pixels:
    """A background with ellipses."""
    pixels = grey(width, height, seed)
    for name, area in objects:
        pixels[ellipse_mask(width, height, area) > 0] = COLOURS[name]
    return pixels


def photo(
    width: int, height: int, objects: Sequence[tuple[str, Area]], *, ignored: Sequence[Area] = (), seed: int = 0
) -> Photo:
    """A decoded photo of the training folder."""
    boxes = np.array([area for _, area in objects], np.float32).reshape(-1, 4)
    classes = np.array([[*CATEGORIES].index(name) for name, _ in objects], np.int64)
    unknown = np.array(ignored, np.float32).reshape(-1, 4)
    return Photo(f"{seed}.jpg", "drawn", Scene(picture(width, height, objects, seed), boxes, classes, unknown))


def cutout(name: str, width: int, height: int, *, margin: int = 0) -> Cutout:
    """An ellipse that fills its box but for a margin in which nothing is seen."""
    mask = ellipse_mask(width, height, (margin, margin, width - margin, height - margin))
    return Cutout(np.full((height, width, 3), COLOURS[name], np.uint8), mask, [*CATEGORIES].index(name))


def material(*, empty: bool = False) -> Material:
    """A few photos of several sizes and one cutout of each class. `empty`: nothing in the photos."""
    sizes = ((160, 120), (120, 160), (200, 100), (140, 140))
    photos = [
        photo(width, height, [] if empty else [(name, (8 + 2 * place, 6, 48, 40 + 3 * place))], seed=place)
        for place, ((width, height), name) in enumerate(zip(sizes, [*CATEGORIES, "animal"], strict=True))
    ]
    if not empty:
        photos.append(photo(160, 120, [], ignored=[(90, 60, 158, 118)], seed=9))
    return Material(photos, [cutout("animal", 50, 34), cutout("person", 22, 60), cutout("vehicle", 64, 40)])


def write(folder: Path, rows: Sequence[dict[str, Any]], pictures: dict[str, Pixels]) -> Path:
    """A training folder; rows need not say what is the same in all."""
    folder.mkdir(parents=True)
    for name, pixels in pictures.items():
        assert cv2.imwrite(str(folder / name), pixels[..., ::-1], [int(cv2.IMWRITE_JPEG_QUALITY), 98])
    usual = {"source": "drawn", "split": "train", "boxes_xyxy": [], "teacher_xyxy": []}
    (folder / MANIFEST).write_text("".join(json.dumps(usual | row) + "\n" for row in rows), encoding="utf-8")
    return folder


def coloured(pixels: Pixels) -> NDArray[np.int64]:
    """[H, W]: how far each pixel is from grey, 0..255."""
    return np.asarray(pixels.max(axis=2).astype(np.int64) - pixels.min(axis=2))


def outside(boxes: NDArray[np.float32], shape: tuple[int, ...], margin: float) -> NDArray[np.bool_]:
    """[H, W]: which pixels lie in none of the boxes grown by `margin`."""
    ys, xs = np.mgrid[: shape[0], : shape[1]] + 0.5
    free = np.ones(shape[:2], np.bool_)
    for x1, y1, x2, y2 in boxes:
        free &= ~((xs > x1 - margin) & (xs < x2 + margin) & (ys > y1 - margin) & (ys < y2 + margin))
    return free
