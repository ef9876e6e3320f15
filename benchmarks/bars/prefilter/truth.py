"""What people have boxed in the photos of the assets."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np

from benchmarks.bars.prefilter.retouching import BoxXYXY, Picture

LONG_SIDE = 1600
"""Staged photos are no larger, pixels."""


def read_boxes(assets: Path) -> dict[str, list[BoxXYXY]]:
    """Of each photo in which somebody has boxed something, by its path in the assets."""
    boxes = {}
    for record in json.loads((assets / "truth" / "manifest.json").read_text()):
        if record.get("boxes"):
            sides = [box["xywh_norm"] for box in record["boxes"]]
            boxes[record["path"]] = [(x, y, x + w, y + h) for x, y, w, h in sides]
    return boxes


def largest_area(boxes: Sequence[BoxXYXY]) -> float:
    """As a fraction of the photo."""
    return max((x2 - x1) * (y2 - y1) for x1, y1, x2, y2 in boxes)


def boxed_photos(assets: Path) -> Iterator[tuple[Picture, list[BoxXYXY]]]:
    """Photos of the truth with their boxes, no larger than `LONG_SIDE`."""
    for path, boxes in read_boxes(assets).items():
        picture = cv2.imread(str(assets / path))
        if picture is not None:
            yield _smaller(np.asarray(picture, np.uint8)), boxes


def held_out(assets: Path, count: int, *, seed: int) -> Iterator[tuple[Picture, list[BoxXYXY]]]:
    """Photos that the package's detector was not trained with."""
    file = assets / "training" / "manifest.jsonl"
    lines = file.read_text().splitlines() if file.is_file() else []
    records = [each for each in map(json.loads, lines) if each["split"] != "train" and each["boxes_xyxy"]]
    chance = np.random.default_rng(seed)
    for index in sorted(chance.permutation(len(records))[:count]):
        record = records[index]
        picture = cv2.imread(str(file.parent / record["file"]))
        if picture is not None:
            yield np.asarray(picture, np.uint8), [tuple(box[1:]) for box in record["boxes_xyxy"]]


def _smaller(picture: Picture) -> Picture:
    ratio = LONG_SIDE / max(picture.shape[:2])
    if ratio >= 1:
        return picture
    return np.asarray(cv2.resize(picture, None, fx=ratio, fy=ratio, interpolation=cv2.INTER_AREA), np.uint8)
