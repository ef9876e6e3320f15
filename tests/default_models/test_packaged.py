"""The models in the package, as they are shipped."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from skimage import data

from edge_runtime.bundles import bundle as bundles
from edge_runtime.bundles.manifest import Task
from edge_runtime.models.detector import Detector
from edge_runtime.models.loading import DEFAULT_CLASSIFIER, DEFAULT_DETECTOR, load_detector
from edge_runtime.values import Frame

MOST_BYTES = 12_000_000


@pytest.fixture(scope="module")
def detector() -> Detector:
    return load_detector("default", threads=2)


def test_all_packaged_models_together_are_at_most_12_megabytes() -> None:
    assert sum(path.stat().st_size for path in bundles.DEFAULTS.rglob("*") if path.is_file()) <= MOST_BYTES


@pytest.mark.parametrize(("folder", "task"), [(DEFAULT_DETECTOR, "detector"), (DEFAULT_CLASSIFIER, "classifier")])
def test_each_bundle_has_a_card_and_a_notice(folder: Path, task: Task) -> None:
    listed = {entry.file for entry in bundles.load(folder, task=task).manifest.files}
    assert {"MODEL_CARD.md", "NOTICE"} <= listed


def test_every_photograph_of_the_training_is_named_with_its_licence() -> None:
    with (DEFAULT_DETECTOR / "PHOTOGRAPHS.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) > 2500
    assert all(row["repository"] and row["path"] and row["licence"] for row in rows)


def found(detector: Detector, pixels: np.ndarray) -> set[str]:
    threshold = detector.bundle.manifest.thresholds.confident
    return {d.category for d in detector.detect(Frame(pixels)) if d.confidence >= threshold}


def test_it_finds_a_cat_and_sees_a_person_in_public_pictures(detector: Detector) -> None:
    assert found(detector, data.chelsea()) == {"animal"}
    # Persons it finds less surely (its card says how many): the strongest box must be one all the same.
    assert detector.detect(Frame(data.astronaut()))[0].category == "person"


def test_it_finds_nothing_in_pictures_of_things(detector: Detector) -> None:
    grass, gravel = (np.repeat(picture[..., None], 3, axis=2) for picture in (data.grass(), data.gravel()))
    for pixels in (grass, gravel, np.zeros((480, 640, 3), np.uint8), np.full((480, 640, 3), 255, np.uint8)):
        assert found(detector, pixels) == set()
