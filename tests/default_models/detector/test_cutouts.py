"""Objects are cut free where their outline can be believed, and the work is kept."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from edge_runtime.errors import CamtrapEdgeError
from export_tools.default_models.detector import cutouts
from export_tools.default_models.detector.cutouts import Cutout
from tests.default_models.detector import drawn

WIDTH, HEIGHT = 320, 240
AREA = (90, 60, 230, 160)
ALONE = drawn.photo(WIDTH, HEIGHT, [("person", AREA)])


def same(one: list[Cutout], other: list[Cutout]) -> bool:
    return len(one) == len(other) and all(
        np.array_equal(a.pixels, b.pixels) and np.array_equal(a.mask, b.mask) and a.category == b.category
        for a, b in zip(one, other, strict=True)
    )


def test_an_object_on_a_plain_background_is_cut_out_along_its_outline(tmp_path: Path) -> None:
    (cut,) = cutouts.prepared([ALONE], tmp_path / "cutouts")
    across, down = AREA[2] - AREA[0], AREA[3] - AREA[1]
    truth = drawn.ellipse_mask(across, down, (0, 0, across, down)) > 0
    assert np.abs(np.array(cut.mask.shape) - truth.shape).max() <= 4
    mask = cv2.resize(cut.mask, (across, down), interpolation=cv2.INTER_NEAREST) > 0
    assert (mask & truth).sum() / (mask | truth).sum() > 0.9
    assert set(np.unique(cut.mask)) == {0, 255}
    assert cut.category == 1
    middle = cut.pixels[cut.pixels.shape[0] // 2, cut.pixels.shape[1] // 2]
    assert tuple(middle) == drawn.COLOURS["person"]


def test_a_large_object_is_made_small(tmp_path: Path) -> None:
    large = drawn.photo(900, 700, [("animal", (150, 150, 750, 550))])
    (cut,) = cutouts.prepared([large], tmp_path / "cutouts")
    assert max(cut.mask.shape) == pytest.approx(cutouts.LONG_SIDE, abs=6)


@pytest.mark.parametrize(
    "photo",
    [
        drawn.photo(WIDTH, HEIGHT, [("animal", AREA), ("person", (190, 90, 310, 220))]),
        drawn.photo(WIDTH, HEIGHT, [("animal", AREA)], ignored=[(60, 40, 160, 200)]),
        drawn.photo(WIDTH, HEIGHT, [("animal", (90, 60, 230, 60 + cutouts.LEAST_SIDE - 1))]),
        drawn.photo(WIDTH, HEIGHT, [("animal", (0, 0, WIDTH, HEIGHT))]),
    ],
    ids=["overlapped by another", "overlapped by an unknown area", "too small", "fills the photo"],
)
def test_an_object_whose_outline_cannot_be_believed_is_left_out(tmp_path: Path, photo: cutouts.Photo) -> None:
    assert len(cutouts.prepared([ALONE, photo], tmp_path / "cutouts")) == 1


def test_a_second_call_reads_what_the_first_one_wrote(tmp_path: Path) -> None:
    photos = [ALONE, drawn.photo(WIDTH, HEIGHT, [("animal", (20, 20, 130, 110)), ("vehicle", (170, 110, 300, 220))])]
    first = cutouts.prepared(photos, tmp_path / "cutouts")
    assert [cut.category for cut in first] == [1, 0, 2]
    assert same(first, cutouts.prepared([], tmp_path / "cutouts"))


def test_the_same_photos_give_the_same_cutouts(tmp_path: Path) -> None:
    assert same(cutouts.prepared([ALONE], tmp_path / "one"), cutouts.prepared([ALONE], tmp_path / "other"))


def test_a_folder_that_was_not_finished_is_made_anew(tmp_path: Path) -> None:
    partial = tmp_path / "cutouts.partial"
    partial.mkdir()
    assert cv2.imwrite(str(partial / "00007-0-vehicle.png"), np.zeros((30, 30, 4), np.uint8))
    assert [cut.category for cut in cutouts.prepared([ALONE], tmp_path / "cutouts")] == [1]
    assert not partial.exists()


def test_a_broken_cutout_is_named(tmp_path: Path) -> None:
    cutouts.prepared([ALONE], tmp_path / "cutouts")
    (tmp_path / "cutouts" / "00000-0-person.png").write_bytes(b"no picture")
    with pytest.raises(CamtrapEdgeError, match=r"00000-0-person\.png: cannot be read"):
        cutouts.prepared([ALONE], tmp_path / "cutouts")
