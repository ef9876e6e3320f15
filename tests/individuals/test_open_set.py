"""The errors that a calibration states are those that are measured on animals that it never saw."""

from __future__ import annotations

import numpy as np
import pytest

from edge_runtime.individuals import open_set
from edge_runtime.individuals.open_set import Calibration
from tests.individuals.animals import by_animal, population

SEEDS = 40


def plainly(matrix: np.ndarray, names: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Each photo's best score among others of its animal and among all other animals, one by one."""
    wide = matrix.astype(np.float64)
    own, others = [], []
    for query in range(len(wide)):
        cosines = [float(wide[query] @ wide[other]) for other in range(len(wide))]
        own.append(max((c for i, c in enumerate(cosines) if names[i] == names[query] and i != query), default=-1))
        others.append(max((c for i, c in enumerate(cosines) if names[i] != names[query]), default=-1))
    return (1 + np.array(own)) / 2, (1 + np.array(others)) / 2


def test_every_photo_is_compared_with_all_others_and_never_with_itself() -> None:
    kind = population(1)
    matrix, names = kind.photos(kind.animals(15), 1, 4)
    own, others = plainly(matrix, names)
    found = open_set.leave_one_out(matrix, names, threads=2)
    np.testing.assert_allclose(np.concatenate(found.others), others, atol=1e-5)
    alone = np.array([np.count_nonzero(names == one) == 1 for one in names])
    assert alone.any() and (np.concatenate(found.own)[alone] == -1).all()
    np.testing.assert_allclose(np.concatenate(found.own)[~alone], own[~alone], atol=1e-5)


def test_no_lower_threshold_keeps_the_wanted_rate() -> None:
    kind = population(2)
    matrix, names = kind.photos(kind.animals(60), 1, 5)
    _, others = plainly(matrix, names)
    for wanted in (0.02, 0.05, 0.2):
        made = open_set.calibrate(matrix, names, threads=1, wanted=wanted)
        assert made is not None

        def rate(threshold: float) -> float:
            return (1 + 60 * by_animal(others >= threshold, names)) / 61

        assert rate(made.threshold(1)) <= wanted < rate(made.threshold(1) - 1e-4)
        assert made.false_accept.value == pytest.approx(rate(made.threshold(1)))


def simulated(seed: int, animals: int, wanted: float, scatter: float = 0.8) -> tuple[Calibration, float, float, float]:
    """A calibration, and the three error rates as measured on photos that it never saw: of 400 strangers, and new ones
    of the known animals, whose gallery lacks one photo each time, as what is stated supposes."""
    kind = population(seed, scatter)
    known = kind.animals(animals)
    matrix, names = kind.photos(known, 2, 5)
    made = open_set.calibrate(matrix, names, threads=2, wanted=wanted)
    assert made is not None
    gallery, threshold = matrix.astype(np.float32), made.threshold(1)
    strangers, who = kind.photos(kind.animals(400), 2, 5)
    accepted = by_animal((1 + (strangers.astype(np.float32) @ gallery.T).max(axis=1)) / 2 >= threshold, who)
    new, of = kind.photos(known, 6, 6)
    scores = (1 + new.astype(np.float32) @ gallery.T) / 2
    called_new, misnamed = [], []
    for animal in range(animals):
        mine, asked = np.flatnonzero(names == animal), scores[of == animal]
        other = asked[:, names != animal].max(axis=1)
        own = [asked[:, np.setdiff1d(mine, [left_out])].max(axis=1) for left_out in mine]
        called_new.append(np.mean([np.maximum(one, other) < threshold for one in own]))
        misnamed.append(np.mean([(other >= threshold) & (other > one) for one in own]))
    return made, accepted, float(np.mean(called_new)), float(np.mean(misnamed))


@pytest.mark.parametrize(("animals", "wanted"), [(8, 0.05), (40, 0.05), (80, 0.2)])
def test_what_is_stated_is_what_strangers_and_new_photos_measure(animals: int, wanted: float) -> None:
    runs = [simulated(seed, animals, wanted) for seed in range(SEEDS)]
    for place, which in ((1, "false_accept"), (2, "false_reject"), (3, "misnamed")):
        stated = [getattr(run[0], which) for run in runs]
        measured = [run[place] for run in runs]
        within = [rate.low <= value <= rate.high for rate, value in zip(stated, measured, strict=True)]
        assert np.mean(within) >= 0.85, which
        # On average over galleries too, so that an interval does not do that holds because it is wide.
        differences = np.array([rate.value for rate in stated]) - measured
        assert abs(differences.mean()) < 3 * differences.std() / np.sqrt(SEEDS) + 0.005, which


def test_the_interval_narrows_with_the_gallery() -> None:
    few, many = simulated(0, 20, 0.1)[0].false_accept, simulated(0, 200, 0.1)[0].false_accept
    assert many.high - many.low < 0.5 * (few.high - few.low)


def test_with_few_animals_nothing_is_promised_that_they_cannot_show() -> None:
    made, *_ = simulated(1, 6, 0.05)
    assert made.false_accept.value == pytest.approx(1 / 7) and made.false_accept.high > 0.3


def test_the_best_of_many_crops_keeps_the_wanted_rate() -> None:
    crops, accepted = 6, []
    for seed in range(15):
        kind = population(seed)
        matrix, names = kind.photos(kind.animals(120), 2, 4)
        made = open_set.calibrate(matrix, names, threads=2, wanted=0.1)
        assert made is not None
        assert made.threshold(1) <= made.threshold(crops) <= made.threshold(1000)
        strangers, who = kind.photos(kind.animals(300), crops, crops)
        best = (1 + (strangers.astype(np.float32) @ matrix.astype(np.float32).T).max(axis=1)) / 2
        accepted.append(np.mean([best[who == one].max() >= made.threshold(crops) for one in range(300)]))
    assert np.mean(accepted) <= 0.1
    assert np.mean(accepted) > 0.01, "a threshold that nobody passes would keep it too"


def test_four_animals_with_two_photos_are_too_few() -> None:
    kind = population(4)
    matrix, names = kind.photos(kind.animals(30), 1, 1)
    assert open_set.calibrate(matrix, names, threads=1) is None
    pairs = np.minimum(names, 25)
    pairs[:8] = np.arange(8) // 2
    assert open_set.calibrate(matrix, pairs[:25], threads=1) is None
    assert open_set.calibrate(matrix[:10], np.arange(10) // 2, threads=1) is not None


def test_a_large_gallery_is_measured_on_part_of_its_animals_and_finds_the_same() -> None:
    kind = population(6, scatter=0.5)
    matrix, names = kind.photos(kind.animals(1200), 2, 4)
    drawn = open_set.leave_one_out(matrix, names, threads=2)
    assert sum(map(len, drawn.others)) <= 2000 and drawn.animals == 1200 and len(drawn.others) < 1200
    made = open_set.decide(drawn, photos=len(names), wanted=0.05)
    strangers, who = kind.photos(kind.animals(600), 2, 4)
    best = (1 + (strangers.astype(np.float32) @ matrix.astype(np.float32).T).max(axis=1)) / 2
    measured = by_animal(best >= made.threshold(1), who)
    assert made.false_accept.low <= measured <= made.false_accept.high
