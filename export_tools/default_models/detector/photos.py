"""The photos to learn from: `manifest.jsonl` of the training folder, its labels and its held-back part.

One JSON object per photo: `file`, `source`, `split` (`train` or `val`), `boxes_xyxy` (`[class, x1, y1, x2, y2]`,
fractions of the photo; the class `ignore` marks an area about which nothing is known) and `teacher_xyxy` (the same and
a score: what another detector sees where the source's own labels say nothing).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from edge_runtime.errors import CamtrapEdgeError
from edge_runtime.values import CATEGORIES, Pixels

MANIFEST = "manifest.jsonl"
FIELDS = {"file", "source", "split", "boxes_xyxy", "teacher_xyxy"}


@dataclass(frozen=True, slots=True)
class Scene:
    """A picture and what is known to be in it."""

    pixels: Pixels
    """uint8 RGB."""
    boxes: NDArray[np.float32]
    """[N, 4] `xyxy`, pixels."""
    classes: NDArray[np.int64]
    """[N], places in `CATEGORIES`."""
    ignored: NDArray[np.float32]
    """[M, 4] `xyxy`, pixels: areas about which nothing is known."""


@dataclass(frozen=True, slots=True)
class Photo:
    """One photo of the training folder, decoded."""

    name: str
    source: str
    scene: Scene


def load(training: Path, split: str) -> list[Photo]:
    """Decode the photos of one split (`train` or `val`), in the manifest's order; those without any label are left out.

    Raises:
        CamtrapEdgeError: the manifest or a photo is missing or cannot be read.
    """
    manifest = training / MANIFEST
    if not manifest.is_file():
        raise CamtrapEdgeError(f"{manifest}: no such file; name the folder that holds it")
    chosen = [row for row in _rows(manifest) if row["split"] == split and (row["boxes_xyxy"] or row["teacher_xyxy"])]
    return [_photo(training, row) for row in tqdm(chosen, desc=f"reading {split}", unit="photo", disable=None)]


def _rows(manifest: Path) -> list[dict[str, Any]]:
    rows = []
    for number, line in enumerate(manifest.read_text(encoding="utf-8").splitlines(), 1):
        try:
            row = json.loads(line)
        except json.JSONDecodeError as error:
            raise CamtrapEdgeError(f"{manifest}:{number}: not JSON: {error}") from error
        missing = sorted(FIELDS - row.keys())
        if missing:
            raise CamtrapEdgeError(f"{manifest}:{number}: no {', '.join(missing)}")
        rows.append(row)
    return rows


def _photo(training: Path, row: dict[str, Any]) -> Photo:
    path = training / str(row["file"])
    decoded = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if decoded is None:
        raise CamtrapEdgeError(f"{path}: cannot be read")
    pixels = cv2.cvtColor(decoded, cv2.COLOR_BGR2RGB)
    labels = [*row["boxes_xyxy"], *row["teacher_xyxy"]]
    height, width = pixels.shape[:2]
    size = np.array([width, height, width, height], np.float32)
    known = [label for label in labels if label[0] in CATEGORIES]
    return Photo(
        str(row["file"]),
        str(row["source"]),
        Scene(
            pixels.astype(np.uint8, copy=False),
            _boxes(known, size),
            np.array([CATEGORIES.index(label[0]) for label in known], np.int64),
            _boxes([label for label in labels if label[0] == "ignore"], size),
        ),
    )


def _boxes(labels: Sequence[Sequence[Any]], size: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.array([label[1:5] for label in labels], np.float32).reshape(-1, 4) * size
