from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.bars import stages
from edge_runtime.models.loading import load_detector
from tests import colour_detector


def test_every_step_is_timed_once_where_the_mode_changes_nothing_and_twice_where_it_does(
    colour_bundle: Path, tmp_path: Path
) -> None:
    for seed in range(3):
        photo = colour_detector.photo({(1, 1): "animal"}, seed=seed, size=(1600, 1200))
        (tmp_path / f"{seed}.jpg").write_bytes(photo)
    (tmp_path / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0")
    measured = stages.measure(tmp_path, load_detector(str(colour_bundle), threads=1), rounds=2)
    assert (measured.photos, measured.mean_megapixels) == (3, 1.92)
    assert {name: set(modes) for name, modes in measured.ms.items()} == {
        **{key: {"both"} for key in ("read", "prove whole", "hash", "open", "exif", "infer")},
        **{key: {"full", "reduced"} for key in ("decode", "prepare")},
    }
    assert all(value > 0 for modes in measured.ms.values() for value in modes.values())
    assert "decode" in stages.table(measured)


def test_a_folder_without_photos_is_said_to_be_one(colour_bundle: Path, tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="no readable photo"):
        stages.measure(tmp_path, load_detector(str(colour_bundle), threads=1), rounds=1)
