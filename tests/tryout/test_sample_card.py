from __future__ import annotations

import hashlib
from collections import Counter
from datetime import timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import cv2
import numpy as np
import pytest
from PIL import Image

from edge_runtime.errors import CamtrapEdgeError, IncompletePhotoError, PhotoError, UnreadablePhotoError
from edge_runtime.intake import completeness, scan
from edge_runtime.intake.exif import read_capture
from edge_runtime.models.loading import load_detector
from edge_runtime.tryout import sample_card
from edge_runtime.tryout.sample_card import SampleCard, build
from edge_runtime.values import Box, Frame

CONFIDENCE = 0.3


@pytest.fixture(scope="module")
def card(tmp_path_factory: pytest.TempPathFactory) -> SampleCard:
    return build(tmp_path_factory.mktemp("sample") / "card")


def contents(folder: Path) -> dict[str, tuple[str, int]]:
    return {
        str(file.relative_to(folder)): (hashlib.sha256(file.read_bytes()).hexdigest(), file.stat().st_mtime_ns)
        for file in folder.rglob("*")
        if file.is_file() and file.name != sample_card.MARKER
    }


def overlap(one: Box, other: Box) -> float:
    """Intersection over union."""
    width = min(one.x2, other.x2) - max(one.x1, other.x1)
    height = min(one.y2, other.y2) - max(one.y1, other.y1)
    shared = max(width, 0.0) * max(height, 0.0)
    return shared / (one.area + other.area - shared)


def test_two_builds_write_the_same_bytes_and_times(card: SampleCard, tmp_path: Path) -> None:
    assert contents(build(tmp_path).folder) == contents(card.folder)


def test_a_scan_finds_the_photos_the_broken_files_and_the_duplicate_and_nothing_else(card: SampleCard) -> None:
    found = {str(stamp.path) for stamp in scan.scan(card.folder).photos}
    told = {str(shot.path) for shot in card.shots} | set(card.broken)
    assert told < found and len(found - told) == card.duplicates
    assert len(list(card.folder.rglob("*.*"))) > len(found)


def test_every_photo_is_complete_and_no_two_are_the_same(card: SampleCard) -> None:
    assert len({(card.folder / shot.path).read_bytes() for shot in card.shots}) == card.photos
    for shot in card.shots:
        completeness.check((card.folder / shot.path).read_bytes())
        assert cv2.imread(str(card.folder / shot.path)).shape == (960, 1280, 3)


def test_the_broken_files_are_a_cut_photo_an_empty_file_and_no_picture(card: SampleCard) -> None:
    problems = []
    for name in card.broken:
        file = card.folder / name
        with pytest.raises(PhotoError) as caught:
            completeness.check(file.read_bytes(), file)
        problems.append((file.stat().st_size > 10_000, file.stat().st_size == 0, caught.type))
    assert problems[0] == (True, False, IncompletePhotoError)
    assert problems[1][:2] == (False, True)
    assert problems[2] == (False, False, UnreadablePhotoError)


def test_the_times_in_photo_file_and_truth_agree(card: SampleCard) -> None:
    starts = Counter(event.start_s for event in card.events)
    for shot in card.shots:
        file = card.folder / shot.path
        with Image.open(file) as image:
            capture = read_capture(image, 0, ZoneInfo("UTC"))
        assert capture.time_source == "exif" and capture.time_s == int(file.stat().st_mtime)
        starts.pop(capture.time_s, None)
    assert not starts


def test_each_camera_signs_with_its_own_serial_number(card: SampleCard) -> None:
    serials = set()
    for shot in card.shots:
        with Image.open(card.folder / shot.path) as image:
            capture = read_capture(image, 0, ZoneInfo("UTC"))
        serials.add((shot.path.parts[0], capture.make, capture.serial))
    assert serials == {(folder, "CAMTRAP", serial) for folder, (_, _, serial) in sample_card.CAMERAS.items()}


def test_names_follow_the_times(card: SampleCard) -> None:
    for camera in sample_card.CAMERAS:
        photos = [shot.path for shot in card.shots if shot.path.parts[0] == camera]
        assert photos == sorted(photos)
        times = [(card.folder / path).stat().st_mtime for path in photos]
        assert times == sorted(set(times))


def test_the_card_shows_every_category_two_animals_at_once_and_empty_photos(card: SampleCard) -> None:
    shown = {pair for event in card.events for pair in event.counts}
    assert {("animal", 1), ("animal", 2), ("person", 1), ("vehicle", 1)} <= shown
    assert card.empty == sum(not shot.subjects for shot in card.shots) >= 5
    assert {event.camera for event in card.events} == set(sample_card.CAMERAS)


def test_copies_are_other_photos_of_later_days(card: SampleCard, tmp_path: Path) -> None:
    double = build(tmp_path, copies=2)
    assert (double.photos, double.empty) == (2 * card.photos, 2 * card.empty)
    assert len({(tmp_path / shot.path).read_bytes() for shot in double.shots}) == double.photos
    half = len(card.events)
    shift = {late.start_s - early.start_s for early, late in zip(double.events, double.events[half:], strict=False)}
    assert len(double.events) == 2 * half and shift == {int(timedelta(days=2).total_seconds())}


def test_building_again_takes_away_what_the_last_card_had_and_leaves_what_is_not_ours(tmp_path: Path) -> None:
    build(tmp_path, copies=2)
    (tmp_path / "CAM01" / "notes.txt").write_text("mine")
    made = build(tmp_path)
    assert len(scan.scan(tmp_path).photos) == made.photos + len(made.broken) + made.duplicates
    assert (tmp_path / "CAM01" / "notes.txt").read_text() == "mine"


def test_a_folder_with_other_things_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "IMG_0001.JPG").write_bytes(b"somebody's photo")
    with pytest.raises(CamtrapEdgeError, match="name an empty folder"):
        build(tmp_path)
    assert [file.name for file in tmp_path.iterdir()] == ["IMG_0001.JPG"]


@pytest.mark.parametrize("name", ["../outside.jpg", "/outside.jpg", "notes.txt"])
def test_a_marker_that_names_files_of_others_removes_none(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "card"
    folder.mkdir()
    other = folder / name if name != "/outside.jpg" else tmp_path / "absolute.jpg"
    other.write_text("not ours")
    (folder / sample_card.MARKER).write_text(f'["{other if name.startswith("/") else name}"]')
    build(folder)
    assert other.read_text() == "not ours"


def test_a_damaged_marker_is_an_error_that_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / sample_card.MARKER).write_text("[1, ")
    with pytest.raises(CamtrapEdgeError, match="delete the folder"):
        build(tmp_path)


def test_a_detector_finds_what_was_composed_and_nothing_in_empty_photos(card: SampleCard) -> None:
    detector = load_detector("default", threads=2)
    sure = detector.bundle.manifest.thresholds.confident
    composed = found = invented = in_empty = 0
    for shot in card.shots:
        with Image.open(card.folder / shot.path) as image:
            detections = [d for d in detector.detect(Frame(np.asarray(image))) if d.confidence >= sure]
        hits = [
            any(d.category == category and overlap(d.box, box) > 0.6 for d in detections)
            for category, box in shot.subjects
        ]
        composed, found = composed + len(hits), found + sum(hits)
        invented += max(len(detections) - len(hits), 0)
        in_empty += 0 if shot.subjects else len(detections)
    assert found >= 0.95 * composed and in_empty == 0 and invented <= 0.1 * composed
