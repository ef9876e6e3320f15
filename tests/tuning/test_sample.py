"""Photos that stand for a whole card."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge_runtime.errors import CamtrapEdgeError
from edge_runtime.intake import scan
from edge_runtime.tuning import sample

PIXELS = 4_000_000


def test_the_same_seed_draws_the_same_photos_and_another_one_others(tuning_card: Path) -> None:
    first, again = (sample.draw(tuning_card, 10, max_pixels=PIXELS) for _ in range(2))
    other = sample.draw(tuning_card, 10, max_pixels=PIXELS, seed=2)
    assert first == again and len(first.photos) == 10
    assert set(first.photos) != set(other.photos)


def test_every_camera_is_in_it_and_in_its_first_half(tuning_card: Path) -> None:
    photos = sample.draw(tuning_card, 20, max_pixels=PIXELS).photos
    for part in (photos, photos[:10]):
        assert {stamp.path.parts[0] for stamp in part} == {"CAM01", "CAM02"}


def test_only_photos_that_can_be_read_are_drawn(tuning_card: Path) -> None:
    drawn = sample.draw(tuning_card, 10_000, max_pixels=PIXELS)
    assert drawn.of == len(scan.scan(tuning_card).photos) > len(drawn.photos) > 40
    assert not any(stamp.path.name.startswith(("CUT", "EMPTY", "TEXT")) for stamp in drawn.photos)
    assert len(set(drawn.photos)) == len(drawn.photos)


def test_a_card_without_photos_is_told(tmp_path: Path) -> None:
    with pytest.raises(CamtrapEdgeError, match="is no folder"):
        sample.draw(tmp_path / "none", 5, max_pixels=PIXELS)
    with pytest.raises(CamtrapEdgeError, match="no photos in it"):
        sample.draw(tmp_path, 5, max_pixels=PIXELS)
    (tmp_path / "a.jpg").write_bytes(b"no photo at all")
    with pytest.raises(CamtrapEdgeError, match="none of its 1 photos can be read"):
        sample.draw(tmp_path, 5, max_pixels=PIXELS)
