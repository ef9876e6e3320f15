"""What people and detectors say is on the evaluation photos."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from edge_runtime.values import Box
from export_tools import samples
from export_tools.accuracy.photos import TruthError
from export_tools.proof import truths
from export_tools.samples import Sample
from tests import colour_detector
from tests.export_tools.accuracy import assets_folder


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    for name in ("a", "b", "c"):
        file = tmp_path / "photos" / "camera" / f"{name}.jpg"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(colour_detector.photo({}, seed=ord(name)))
    return tmp_path / "photos"


def sample(name: str) -> Sample:
    return Sample(Path(name), name, "0" * 64, False)


def written(folder: Path, name: str, text: str) -> Path:
    (folder / name).write_text(text)
    return folder / name


def test_a_table_gives_boxes_and_empty_photos_and_leaves_the_others_unknown(photos: Path) -> None:
    rows = "camera/a.jpg,animal,0.1,0.1,0.5,0.5\ncamera/a.jpg,person,0.5,0.5,1,1\ncamera/b.jpg,empty,,,,\n"
    read = truths.read(written(photos, "t.csv", "file,label,x1,y1,x2,y2\n" + rows), photos)
    boxes = read.boxes(sample("camera/a.jpg"))
    assert boxes is not None and boxes.classes.tolist() == [0, 1]
    np.testing.assert_allclose(boxes.boxes[0], [0.1, 0.1, 0.5, 0.5], atol=1e-6)
    empty = read.boxes(sample("camera/b.jpg"))
    assert empty is not None and len(empty.boxes) == 0
    assert read.boxes(sample("camera/c.jpg")) is None


def test_a_table_of_labels_names_whole_pictures_and_boxes_of_animals_alone(photos: Path) -> None:
    rows = "camera/a.jpg,zebra,,,,\ncamera/b.jpg,lion,0,0,0.5,0.5\ncamera/b.jpg,person,0,0,0.5,0.5\n"
    read = truths.read(written(photos, "t.csv", "file,label,x1,y1,x2,y2\n" + rows), photos)
    looks, labels = read.looks([sample("camera/a.jpg"), sample("camera/b.jpg"), sample("camera/c.jpg")])
    assert labels == ["zebra", "lion", None]
    assert [look.detection.box for look in looks] == [Box(0, 0, 1, 1), Box(0, 0, 0.5, 0.5), Box(0, 0, 1, 1)]


def test_a_detectors_results_are_truth_where_it_was_sure_and_ignored_below(photos: Path) -> None:
    detections = [
        {"category": "1", "conf": 0.8, "bbox": [0.1, 0.1, 0.2, 0.2]},
        {"category": "2", "conf": 0.3, "bbox": [0.5, 0.5, 0.2, 0.2]},
    ]
    results = {
        "detection_categories": {"1": "animal", "2": "person"},
        "images": [
            {"file": "camera/a.jpg", "detections": detections},
            {"file": "camera/b.jpg", "failure": "image access failure", "detections": None},
        ],
    }
    read = truths.read(written(photos, "md.json", json.dumps(results)), photos)
    boxes = read.boxes(sample("camera/a.jpg"))
    assert boxes is not None and len(boxes.boxes) == len(boxes.ignored) == 1
    assert read.boxes(sample("camera/b.jpg")) is None


def test_the_evaluation_manifest_is_read_as_the_figures_read_it(tmp_path: Path) -> None:
    assets = assets_folder.write(tmp_path)
    read = truths.read(assets / "truth" / "manifest.json", assets / "photos")
    boxes = read.boxes(sample("camp/b_20260101_0600.jpg"))
    assert boxes is not None and boxes.classes.tolist() == [0, 1]
    assert read.boxes(sample("track/unknown.jpg")) is None


def test_folders_name_what_lies_in_them_where_the_classifier_knows_the_name(photos: Path) -> None:
    chosen = samples.choose(photos, 9)
    assert truths.by_folder(chosen, ["zebra"]).known == {}
    assert {one[0].label for one in truths.by_folder(chosen, ["Camera"]).known.values()} == {"Camera"}


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("t.csv", "photo,label\n", "lacks the columns file"),
        ("t.csv", "file,label,x1,y1,x2,y2\ncamera/a.jpg,animal,0.5,0,0.1,1\n", "line 2"),
        ("t.csv", "file,label,x1,y1,x2,y2\ncamera/a.jpg,animal,zero,0,1,1\n", "line 2"),
        ("t.csv", "file,label\nelsewhere/a.jpg,animal\n", "names no photo"),
        ("t.json", "{", "no JSON"),
        ("t.json", '{"images": 3}', "MegaDetector"),
    ],
)
def test_what_cannot_be_understood_is_an_error_that_says_where(photos: Path, name: str, text: str, says: str) -> None:
    with pytest.raises(TruthError, match=says):
        truths.read(written(photos, name, text), photos)
