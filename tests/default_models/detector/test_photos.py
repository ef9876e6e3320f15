"""The training folder: what its manifest says becomes pixels, boxes and areas about which nothing is known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edge_runtime.errors import CamtrapEdgeError
from export_tools.default_models.detector import photos
from tests.default_models.detector import drawn

WIDTH, HEIGHT = 96, 64
EMPTY = drawn.grey(WIDTH, HEIGHT)
ANIMAL = ["animal", 0.25, 0.25, 0.5, 0.75]


def test_labels_of_both_lists_become_boxes_in_pixels_and_ignored_areas(tmp_path: Path) -> None:
    row = {
        "file": "a.jpg",
        "source": "zoo",
        "boxes_xyxy": [ANIMAL, ["ignore", 0.0, 0.0, 0.125, 0.25]],
        "teacher_xyxy": [["vehicle", 0.5, 0.5, 1.0, 1.0, 0.71]],
    }
    (read,) = photos.load(drawn.write(tmp_path / "t", [row], {"a.jpg": EMPTY}), "train")
    assert (read.name, read.source) == ("a.jpg", "zoo")
    assert read.scene.boxes.tolist() == [[24, 16, 48, 48], [48, 32, 96, 64]]
    assert read.scene.classes.tolist() == [0, 2]
    assert read.scene.ignored.tolist() == [[0, 0, 12, 16]]
    assert (read.scene.boxes.dtype, read.scene.classes.dtype) == (np.float32, np.int64)
    assert read.scene.pixels.shape == (HEIGHT, WIDTH, 3)


def test_pixels_are_rgb(tmp_path: Path) -> None:
    pixels = drawn.picture(WIDTH, HEIGHT, [("animal", (10, 10, 80, 60))])
    folder = drawn.write(tmp_path / "t", [{"file": "a.jpg", "boxes_xyxy": [ANIMAL]}], {"a.jpg": pixels})
    (read,) = photos.load(folder, "train")
    assert np.abs(read.scene.pixels[35, 45].astype(int) - drawn.COLOURS["animal"]).max() < 12


def test_a_split_has_its_own_photos_in_the_manifests_order_and_none_without_labels(tmp_path: Path) -> None:
    rows = [
        {"file": "z.jpg", "boxes_xyxy": [ANIMAL]},
        {"file": "held-back.jpg", "boxes_xyxy": [ANIMAL], "split": "val"},
        {"file": "unlabelled.jpg"},
        {"file": "a.jpg", "teacher_xyxy": [[*ANIMAL, 0.5]]},
        {"file": "m.jpg", "boxes_xyxy": [["ignore", 0, 0, 1, 1]]},
    ]
    folder = drawn.write(tmp_path / "t", rows, {str(row["file"]): EMPTY for row in rows})
    assert [photo.name for photo in photos.load(folder, "train")] == ["z.jpg", "a.jpg", "m.jpg"]
    assert [photo.name for photo in photos.load(folder, "val")] == ["held-back.jpg"]


def test_a_missing_manifest_is_named(tmp_path: Path) -> None:
    with pytest.raises(CamtrapEdgeError, match=str(tmp_path / "manifest.jsonl")):
        photos.load(tmp_path, "train")


def test_a_missing_or_broken_photo_is_named(tmp_path: Path) -> None:
    folder = drawn.write(tmp_path / "t", [{"file": "gone.jpg", "boxes_xyxy": [ANIMAL]}], {})
    with pytest.raises(CamtrapEdgeError, match=r"gone\.jpg: cannot be read"):
        photos.load(folder, "train")
    (folder / "gone.jpg").write_bytes(b"\xff\xd8\xff no picture")
    with pytest.raises(CamtrapEdgeError, match=r"gone\.jpg: cannot be read"):
        photos.load(folder, "train")


@pytest.mark.parametrize(
    ("line", "complaint"),
    [('{"file": "b.jpg", ', "not JSON"), ('{"file": "b.jpg", "split": "train"}', "no boxes_xyxy, source")],
)
def test_a_wrong_line_of_the_manifest_is_named(tmp_path: Path, line: str, complaint: str) -> None:
    folder = drawn.write(tmp_path / "t", [{"file": "a.jpg", "boxes_xyxy": [ANIMAL]}], {"a.jpg": EMPTY})
    with (folder / "manifest.jsonl").open("a", encoding="utf-8") as file:
        file.write(line + "\n")
    with pytest.raises(CamtrapEdgeError, match=rf"manifest\.jsonl:2: {complaint}"):
        photos.load(folder, "train")
