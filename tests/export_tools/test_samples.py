"""Which photos an export measures with."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from edge_runtime.bundles import bundle as bundles
from edge_runtime.bundles.manifest import CropRule, Input, Preprocess
from edge_runtime.errors import UnreadablePhotoError
from edge_runtime.models.detector import Detector
from edge_runtime.models.preprocess import prepare
from edge_runtime.values import Box, Detection
from export_tools import looks, samples
from export_tools.accuracy import running
from export_tools.looks import Kept, Look
from export_tools.samples import SamplesError
from tests import colour_detector


def picture(file: Path, seed: int, *, grey: bool = False) -> Path:
    """A small JPEG of noise in one colour, or grey."""
    file.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(seed).integers(0, 255, (12, 16, 1), np.uint8)
    pixels = np.repeat(np.repeat(np.repeat(noise, 4, 0), 4, 1), 3, 2)
    if not grey:
        pixels[..., 2] = 0
    Image.fromarray(pixels).save(file, quality=90)
    return file


@pytest.fixture
def cards(tmp_path: Path) -> Path:
    """Two cameras: 40 photos by day, and 8 of which 4 are infrared."""
    for number in range(40):
        picture(tmp_path / "cards" / "many" / f"{number}.jpg", number)
    for number in range(8):
        picture(tmp_path / "cards" / "few" / f"{number}.jpg", 100 + number, grey=number % 2 == 0)
    return tmp_path / "cards"


def test_the_choice_is_the_same_wherever_the_folder_lies(cards: Path, tmp_path: Path) -> None:
    moved = shutil.copytree(cards, tmp_path / "elsewhere" / "cards")
    first, again = samples.choose(cards, 10), samples.choose(moved, 10)
    assert [sample.name for sample in first] == [sample.name for sample in again]
    assert [sample.name for sample in samples.choose(cards, 10, seed=1)] != [sample.name for sample in first]


def test_a_small_folder_and_its_infrared_photos_get_their_share(cards: Path) -> None:
    chosen = samples.choose(cards, 9)
    kinds = [(sample.folder, sample.infrared) for sample in chosen]
    assert {kind: kinds.count(kind) for kind in kinds} == {("many", False): 3, ("few", False): 3, ("few", True): 3}


def test_a_copy_counts_once(cards: Path) -> None:
    for number in range(40):
        shutil.copyfile(cards / "many" / "0.jpg", cards / "many" / f"copy{number}.jpg")
    hashes = [sample.sha256 for sample in samples.choose(cards, 200)]
    assert len(hashes) == len(set(hashes)) == 48


def test_a_photo_in_both_sets_is_refused_and_both_files_are_named(cards: Path, tmp_path: Path) -> None:
    (tmp_path / "test").mkdir()
    shutil.copyfile(cards / "few" / "3.jpg", tmp_path / "test" / "renamed.jpg")
    with pytest.raises(SamplesError) as caught:
        samples.gather(cards, tmp_path / "test")
    assert "renamed.jpg" in str(caught.value) and str(cards / "few" / "3.jpg") in str(caught.value)


def test_without_evaluation_photos_a_third_is_held_back_and_said_so(cards: Path) -> None:
    gathered = samples.gather(cards)
    calibration = {sample.sha256 for sample in gathered.calibration}
    evaluation = {sample.sha256 for sample in gathered.evaluation}
    assert not calibration & evaluation and len(calibration | evaluation) == 48
    assert 8 <= len(evaluation) <= 24
    assert f"{len(evaluation)} of 48" in gathered.notes[0]


def test_the_record_names_the_photos_whatever_their_order(cards: Path, tmp_path: Path) -> None:
    picture(tmp_path / "test" / "one.jpg", 999)
    gathered = samples.gather(cards, tmp_path / "test")
    turned = samples.Samples(gathered.calibration[::-1])
    fewer = samples.Samples(gathered.calibration[1:])
    assert gathered.record and turned.record and fewer.record
    assert gathered.record.count == 48
    assert gathered.record.sha256 == turned.record.sha256 != fewer.record.sha256


def test_a_photo_that_cannot_be_read_is_an_error_that_names_it(cards: Path) -> None:
    (cards / "many" / "broken.jpg").write_bytes(b"no photo")
    with pytest.raises(UnreadablePhotoError, match=r"broken\.jpg"):
        samples.choose(cards, 100)


def test_a_photo_that_cannot_be_read_may_be_left_out_and_is_named(cards: Path) -> None:
    (cards / "many" / "broken.jpg").write_bytes(b"no photo")
    gathered = samples.gather(cards, skip_unreadable=True)
    assert len(gathered.calibration) + len(gathered.evaluation) == 48
    assert "many/broken.jpg" in gathered.notes[-1]


@pytest.mark.parametrize("name", ["missing", "empty"])
def test_a_folder_without_photos_says_so(tmp_path: Path, name: str) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(SamplesError, match=name):
        samples.gather(tmp_path / name)


def test_inputs_are_the_tensors_that_the_device_would_make(cards: Path) -> None:
    spec, rule = Input(tensor="images", width=32, height=32), Preprocess(resize="letterbox")
    shown = [Look(sample) for sample in samples.choose(cards, 3)]
    tensors = looks.inputs(looks.frames(shown), spec, rule)
    assert len(tensors) == 3
    for look, tensor in zip(shown, tensors, strict=True):
        np.testing.assert_array_equal(tensor, prepare(running.read(look.sample.file).pixels, spec, rule)[0])


def test_a_look_at_a_box_is_cut_and_a_look_at_the_whole_is_not(cards: Path) -> None:
    sample = samples.choose(cards, 1)[0]
    box = Look(sample, Detection("animal", 1.0, Box(0.25, 0.0, 0.5, 0.5)))
    rule = CropRule(shape="square", margin=0.5)
    assert box.crop(CropRule()).pixels.shape == (24, 16, 3)
    assert Look(sample).crop(rule).pixels.shape == (48, 64, 3)


def test_what_does_not_fit_into_memory_is_made_again() -> None:
    made: list[int] = []

    def make(number: int) -> bytes:
        made.append(number)
        return b"x" * 10

    kept = Kept([lambda number=number: make(number) for number in range(3)], len, budget=20)
    assert list(kept) == list(kept) == [b"x" * 10] * 3
    assert made == [0, 1, 2, 2]


def test_animals_are_the_boxes_that_a_detector_is_sure_of(colour_bundle: Path, tmp_path: Path) -> None:
    for name, cells in (("a", {(0, 0): "animal", (3, 3): "person"}), ("b", {}), ("c", {(1, 2): "animal"})):
        (tmp_path / f"{name}.jpg").write_bytes(colour_detector.photo(cells))
    detector = Detector(bundles.load(colour_bundle, task="detector"), threads=1)
    found = looks.animals(samples.choose(tmp_path, 5), detector.detect, confident=0.5, at_most=9)
    assert sorted(look.sample.name for look in found) == ["a.jpg", "c.jpg"]
    assert all(look.detection.category == "animal" for look in found)


def test_infrared_photos_of_real_cameras_are_told_from_those_by_day(assets: Path) -> None:
    folder = assets / "photos" / "animl_southwest"
    grey = {sample.name for sample in samples.choose(folder, 20, skipped=[]) if sample.infrared}
    assert "2021-06-30_SYFR0218_cougar.JPG" in grey
    assert "IMAG0004_cougar.JPG" not in grey
