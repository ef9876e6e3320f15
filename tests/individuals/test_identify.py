from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest

from edge_runtime.individuals import open_set
from edge_runtime.individuals.gallery import Gallery
from edge_runtime.individuals.identify import Identifier
from edge_runtime.values import Individual
from tests.individuals.animals import DIMENSIONS, MADE_BY, fill, open_gallery, population, shown


@pytest.fixture
def filled(gallery: Gallery) -> Gallery:
    """Thirty leopards."""
    kind = population(7, scatter=0.3)
    fill(gallery, *kind.photos(kind.animals(30), 3, 4))
    return gallery


def leopards(count: int, scatter: float = 0.3) -> np.ndarray:
    """The same thirty's directions, in new photos."""
    kind = population(7, scatter)
    animals = kind.animals(30)
    kind.chance = np.random.default_rng(99)
    return kind.photos(animals, count, count)[0].astype(np.float32).reshape(30, count, DIMENSIONS)


def strangers(count: int) -> np.ndarray:
    kind = population(8, scatter=0.3)
    return kind.photos(kind.animals(count), 1, 1)[0].astype(np.float32)


def test_known_animals_are_named_and_strangers_are_new(filled: Gallery) -> None:
    identifier = Identifier(filled, MADE_BY, threads=1)
    named = [identifier.identify("leopard", crops) for crops in leopards(2)]
    assert np.mean([one is not None and one.name == f"L{n}" for n, one in enumerate(named)]) > 0.9
    new = [identifier.identify("leopard", crop[None]) for crop in strangers(200)]
    assert all(one is not None for one in new)
    # Stated for 5 %, by 30 animals.
    assert np.mean([one.name is not None for one in new if one]) < 0.15


def test_a_species_without_a_gallery_has_no_answer(filled: Gallery) -> None:
    identifier = Identifier(filled, MADE_BY, threads=1)
    assert identifier.identify("jaguar", leopards(1)[0]) is None
    assert identifier.identify("leopard", leopards(1)[0], viewpoint="left") is None


def test_the_best_over_crops_and_annotations_counts(gallery: Gallery) -> None:
    gallery.enrol([shown("F1", [1, 0], "a.jpg"), shown("F1", [0, 1], "b.jpg"), shown("F2", [-1, 0], "c.jpg")], MADE_BY)
    crops = np.zeros((3, DIMENSIONS), np.float32)
    crops[0, :2], crops[1, :2], crops[2, 5] = (-0.5, 0.5), (0.3, 5.0), 1.0
    answer = Identifier(gallery, MADE_BY, threads=1).look("leopard", crops)
    assert answer is not None
    cosine = 5.0 / np.hypot(0.3, 5.0)
    assert answer.individual == Individual("F1", pytest.approx((1 + cosine) / 2, abs=1e-4))
    assert [one.name for one in answer.candidates] == ["F1", "F2"] and answer.candidates[0].annotation == 2
    assert answer.candidates[1].score == pytest.approx((1 + np.sqrt(0.5)) / 2, abs=1e-3)


def test_a_small_gallery_says_that_it_is_uncalibrated_and_believes_only_what_is_nearly_the_same(
    gallery: Gallery, caplog: pytest.LogCaptureFixture
) -> None:
    gallery.enrol([shown("F1", [1, 0], "a.jpg"), shown("F2", [0, 1], "b.jpg")], MADE_BY)
    identifier = Identifier(gallery, MADE_BY, threads=1)
    asked = np.zeros((2, 1, DIMENSIONS), np.float32)
    asked[0, 0, :2], asked[1, 0, :2] = (1, 0.1), (1, 0.7)
    with caplog.at_level(logging.WARNING):
        near, far = (identifier.look("leopard", one) for one in asked)
    assert near is not None and far is not None
    assert near.calibration is None and near.threshold == open_set.UNCALIBRATED
    assert near.individual.name == "F1" and far.individual.name is None
    assert 0.8 < far.individual.score < open_set.UNCALIBRATED
    assert caplog.text.count("no threshold can be measured") == 1


def test_each_more_crop_asks_for_a_higher_score(filled: Gallery) -> None:
    identifier = Identifier(filled, MADE_BY, threads=1)
    (crop,) = leopards(1)[:1]
    answers = [identifier.look("leopard", np.repeat(crop, count, axis=0)) for count in (1, 5)]
    assert answers[0] is not None and answers[1] is not None
    assert answers[0].threshold <= answers[1].threshold
    assert answers[0].individual.score == pytest.approx(answers[1].individual.score)


def test_what_others_change_is_seen_at_once(filled: Gallery, tmp_path: Path) -> None:
    identifier = Identifier(filled, MADE_BY, threads=1)
    crops = leopards(1)[4]
    assert identifier.identify("leopard", crops) == Individual("L4", pytest.approx(1, abs=0.1))
    other = open_gallery(tmp_path)
    other.corrections.rename("leopard", "L4", "Nala")
    renamed = identifier.identify("leopard", crops)
    assert renamed is not None and renamed.name == "Nala"
    other.corrections.remove("leopard", "Nala")
    gone = identifier.identify("leopard", crops)
    assert gone is not None and gone.name is None
    other.close()


def test_a_calibration_is_measured_once_and_again_after_a_change(filled: Gallery, tmp_path: Path) -> None:
    asked = leopards(1)[0]
    first = Identifier(filled, MADE_BY, threads=1).look("leopard", asked)
    assert first is not None and first.calibration is not None
    assert filled.calibrations.of("leopard", None) == first.calibration
    filled.corrections.merge("leopard", "L0", "L1")
    assert filled.calibrations.of("leopard", None) is None
    second = Identifier(filled, MADE_BY, threads=1).look("leopard", asked)
    assert second is not None and second.calibration is not None and second.calibration.animals == 29


def test_a_calibration_of_what_has_changed_meanwhile_is_not_kept(filled: Gallery) -> None:
    group = filled.group("leopard")
    assert group is not None
    made = open_set.calibrate(group.matrix, group.individuals, threads=1)
    assert made is not None
    filled.corrections.remove("leopard", "L3")
    filled.calibrations.keep(group, made)
    assert filled.calibrations.of("leopard", None) is None


def test_the_users_rate_of_false_accepts_outlives_changes(filled: Gallery) -> None:
    asked = leopards(1)[0]
    filled.calibrations.want("leopard", 0.3)
    filled.corrections.rename("leopard", "L0", "Nala")
    loose = Identifier(filled, MADE_BY, threads=1).look("leopard", asked)
    assert loose is not None and loose.calibration is not None and loose.calibration.wanted == 0.3
    filled.calibrations.want("leopard", 0.05)
    strict = Identifier(filled, MADE_BY, threads=1).look("leopard", asked)
    assert strict is not None and strict.threshold > loose.threshold


@pytest.mark.parametrize("crops", [np.empty((0, DIMENSIONS)), np.ones((2, 3)), np.zeros((1, DIMENSIONS))])
def test_what_is_no_embedding_is_refused(filled: Gallery, crops: np.ndarray) -> None:
    with pytest.raises(ValueError, match="embedding"):
        Identifier(filled, MADE_BY, threads=1).identify("leopard", crops)
