"""What is known of the photos: labelled, empty, and neither."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from export_tools.accuracy.photos import PEOPLE_SOURCES, TruthError, evaluation, held_back, sequence
from tests.export_tools.accuracy import assets_folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return assets_folder.write(tmp_path / "assets")


def test_a_photo_without_boxes_is_empty_only_where_somebody_says_so(folder: Path) -> None:
    photos = evaluation(folder)
    assert [photo.file.name for photo in photos.empty] == ["nothing.jpg", "blank-0.jpg"]
    assert len(photos.labelled) == 5
    assert (photos.unlabelled, photos.unreadable) == (1, 1)


def test_a_blank_video_frame_is_empty_but_no_part_of_the_labelled_photos(folder: Path) -> None:
    photos = evaluation(folder)
    assert [photo.file.name for photo in photos.labelled if not len(photo.truth.boxes)] == ["nothing.jpg"]


def test_boxes_become_corners_inside_the_photo(folder: Path) -> None:
    manifest = folder / "truth" / "manifest.json"
    records = json.loads(manifest.read_text())
    records[0]["boxes"] = [{"class": "person", "xywh_norm": [0.75, 0.5, 0.25001, 0.25], "conf": 1.0}]
    manifest.write_text(json.dumps(records))
    photo = evaluation(folder).labelled[0]
    assert photo.truth.boxes.tolist() == [[0.75, 0.5, 1.0, 0.75]]
    assert photo.truth.classes.tolist() == [1]
    assert photo.infrared
    assert photo.doubtful, "a person, where the species on record is a deer"


def test_people_and_vehicles_on_record_are_not_doubtful(folder: Path) -> None:
    assert [photo.doubtful for photo in evaluation(folder).labelled] == [False] * 5


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("j/RL 5_20051003_1721.jpg", "j/RL 10_20051003_1721.jpg", True),
        ("j/RL 5_20051003_1721.jpg", "j/RL 5_20051029_0045.jpg", False),
        ("s/seq.frame102542.jpg", "s/seq.frame102642.jpg", True),
        ("s/seq.frame102542.jpg", "s/seq.frame105469.jpg", False),
        ("b/IMG_1160.JPG", "b/IMG_2605.JPG", False),
    ],
)
def test_photos_of_one_visit_are_one_sequence(one: str, other: str, same: bool) -> None:
    assert (sequence(Path(one)) == sequence(Path(other))) is same


def test_only_published_boxes_are_truth_and_a_teachers_are_ignored(folder: Path) -> None:
    (photo,) = held_back(folder, sources=PEOPLE_SOURCES)
    assert photo.file.name == "one.jpg"
    assert photo.truth.classes.tolist() == [1]
    assert photo.truth.ignored.tolist() == [[0.5, 0.5, 0.75, 0.75]]
    assert photo.truth.judged == (0, 1, 2)


def test_what_a_source_did_not_annotate_is_not_judged(folder: Path) -> None:
    (photo,) = held_back(folder, sources=["lion"])
    assert photo.truth.judged == (1,)


@pytest.mark.parametrize("name", ["truth/manifest.json", "truth/animl/Detections.csv", "photos/track/vehicle.jpg"])
def test_a_missing_file_is_named(folder: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(TruthError, match=name.rpartition("/")[2]) as caught:
        evaluation(folder)
    assert caught.value.file == folder / name


def test_a_broken_manifest_is_named_with_its_line(folder: Path) -> None:
    (folder / "truth" / "manifest.json").write_text('[\n{"path": \n')
    with pytest.raises(TruthError, match=r"manifest.json: line 3: is no JSON"):
        evaluation(folder)
    manifest = folder / "training" / "manifest.jsonl"
    manifest.write_text(manifest.read_text() + "{\n")
    with pytest.raises(TruthError, match=r"manifest.jsonl: line 4: is no JSON"):
        held_back(folder, sources=PEOPLE_SOURCES)


@pytest.mark.parametrize("change", [{"boxes": [{"class": "tree", "xywh_norm": [0, 0, 1, 1]}]}, {"boxes": 3}])
def test_an_entry_that_cannot_be_understood_is_named(folder: Path, change: dict) -> None:
    manifest = folder / "truth" / "manifest.json"
    records = json.loads(manifest.read_text())
    records[0] |= change
    manifest.write_text(json.dumps(records))
    with pytest.raises(TruthError, match=r"a_20260101_0600.jpg: cannot be understood"):
        evaluation(folder)


def test_the_evaluation_photos_are_all_accounted_for(assets: Path) -> None:
    photos = evaluation(assets)
    classes = np.concatenate([photo.truth.classes for photo in photos.labelled])
    assert Counter(classes.tolist()) == {0: 51, 1: 3, 2: 1}
    assert (len(photos.labelled), len(photos.empty), photos.unlabelled, photos.unreadable) == (47, 3, 26, 1)
    assert sum(photo.infrared for photo in photos.labelled) == 8
    assert len({photo.sequence for photo in photos.labelled}) == 31
    assert [photo.file.name for photo in photos.labelled if photo.doubtful] == ["IMG_2605.JPG"]
    # The two blank frames are the only photos that are known to be empty and are not in the pool.
    assert len(json.loads((assets / "truth" / "manifest.json").read_text())) == 47 + (3 - 1) + 26 + 1


def test_the_people_held_back_from_training_are_counted(assets: Path) -> None:
    photos = held_back(assets, sources=PEOPLE_SOURCES)
    persons = Counter({photo.folder: 0 for photo in photos})
    for photo in photos:
        persons[photo.folder] += int((photo.truth.classes == 1).sum())
    assert len(photos) == 26
    assert persons == {"coco": 4, "cocoperson": 11, "oi600": 0}
