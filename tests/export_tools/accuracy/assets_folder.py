"""A small assets folder made by hand, whose truth the colour detector (tests/colour_detector.py) finds exactly."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests import colour_detector
from tests.colour_detector import Cells

RED_LEFT: Cells = {(0, 0): "animal"}
RED_AND_GREEN: Cells = {(1, 1): "animal", (3, 3): "person"}
BLUE: Cells = {(2, 0): "vehicle"}
NOTHING: Cells = {}


def write(folder: Path) -> Path:
    """Six evaluation photos (four with boxes, one empty, one that nobody labelled), and three of training."""
    records = [
        _record(folder, "camp/a_20260101_0600.jpg", RED_LEFT, species="deer", grey=True),
        _record(folder, "camp/b_20260101_0600.jpg", RED_AND_GREEN, species="human"),
        _record(folder, "squirrels_seq/x.frame100.jpg", RED_LEFT, species="squirrel"),
        _record(folder, "track/vehicle.jpg", BLUE, species="vehicle"),
        _record(folder, "track/nothing.jpg", NOTHING, species="empty", boxes=None),
        _record(folder, "track/unknown.jpg", RED_LEFT, boxes=None),
        _record(folder, "frames/blank-0.jpg", NOTHING, boxes=None),
        {"path": "photos/track/broken.jpg", "species": "img", "error": "UnidentifiedImageError"},
    ]
    _write(folder / "truth" / "manifest.json", json.dumps(records))
    rows = "Frame,category\n/x/blank-0.jpg,0\n/x/a_20260101_0600.jpg,1\n"
    _write(folder / "truth" / "animl" / "Detections.csv", rows)
    green: Cells = {(0, 0): "person", (2, 2): "animal"}
    training = [
        _training(folder, "one.jpg", green, source="coco", annotated=["animal", "person", "vehicle"]),
        _training(folder, "two.jpg", green, source="coco", split="train"),
        _training(folder, "three.jpg", green, source="lion"),
    ]
    _write(folder / "training" / "manifest.jsonl", "\n".join(json.dumps(line) for line in training) + "\n")
    return folder


def boxes(cells: Cells) -> list[dict[str, Any]]:
    """The cells as the manifest's boxes."""
    return [
        {"class": name, "xywh_norm": [column / 4, row / 4, 0.25, 0.25], "conf": 1.0}
        for (column, row), name in cells.items()
    ]


def _record(
    folder: Path, path: str, cells: Cells, *, grey: bool = False, species: str = "", **given: Any
) -> Mapping[str, Any]:
    _photo(folder / "photos" / path, cells)
    record: dict[str, Any] = {"path": f"photos/{path}", "width": 512, "height": 512, "grey": grey}
    if species:
        record["species"] = species
    if "boxes" not in given:
        record |= {"boxes": boxes(cells), "box_source": "by hand"}
    return record


def _training(
    folder: Path, name: str, cells: Cells, *, source: str, split: str = "val", annotated: Sequence[str] = ("person",)
) -> Mapping[str, Any]:
    _photo(folder / "training" / "images" / name, cells)
    corners = [[name, c / 4, r / 4, (c + 1) / 4, (r + 1) / 4] for (c, r), name in cells.items()]
    return {
        "file": f"images/{name}",
        "path": name,
        "width": 512,
        "height": 512,
        "source": source,
        "split": split,
        "group": f"{source}:{name}",
        "annotated": list(annotated),
        "boxes_xyxy": [box for box in corners if box[0] == "person"],
        "teacher_xyxy": [[*box, 0.9] for box in corners if box[0] == "animal"],
        "label_origin": "by hand",
    }


def _photo(file: Path, cells: Cells) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(colour_detector.photo(cells))


def _write(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")
