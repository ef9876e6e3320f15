from __future__ import annotations

import numpy as np
import pytest

from edge_runtime.individuals import rates


@pytest.mark.parametrize(
    ("count", "size", "low", "high"),
    # R's prop.test(count, size, correct = FALSE)
    [(0, 10, 0.0, 0.2775), (5, 100, 0.0215, 0.1118), (10, 10, 0.7225, 1.0), (81, 263, 0.2553, 0.3662)],
)
def test_wilsons_interval_is_the_published_one(count: int, size: int, low: float, high: float) -> None:
    assert rates.wilson(count, size) == pytest.approx((low, high), abs=1e-4)


def test_photos_that_all_score_the_same_are_worth_one_each_animal() -> None:
    scores = [np.full(5, value, np.float32) for value in (0.1, 0.4, 0.7, 0.9)]
    assert rates.independent(scores) == pytest.approx(4)


def test_photos_that_score_by_chance_are_worth_themselves() -> None:
    chance = np.random.default_rng(0)
    scores = [chance.random(5).astype(np.float32) for _ in range(400)]
    assert 0.9 * 2000 < rates.independent(scores) <= 2000


def test_between_the_two_it_is_what_the_variance_of_the_mean_says() -> None:
    chance = np.random.default_rng(1)
    means, worth = [], []
    for _ in range(300):
        scores = [
            (chance.normal(0, 1) + chance.normal(0, 1.5, size)).astype(np.float32) for size in chance.integers(1, 8, 60)
        ]
        means.append(np.mean([one.mean() for one in scores]))
        worth.append(rates.independent(scores))
    assert np.var(means) == pytest.approx((1 + 1.5**2) / np.mean(worth), rel=0.25)


def test_one_often_seen_animal_does_not_outweigh_the_others() -> None:
    hits = [np.ones(98, bool), np.zeros(1, bool), np.zeros(1, bool)]
    rate = rates.over_animals(hits, [np.where(one, 0.9, 0.1).astype(np.float32) for one in hits])
    assert rate.value == pytest.approx(1 / 3) and (rate.animals, rate.photos) == (3, 100)
    assert rate.low < 1 / 3 < rate.high


def test_of_nothing_nothing_is_known() -> None:
    rate = rates.over_animals([], [])
    assert (rate.low, rate.high, rate.animals) == (0.0, 1.0, 0)
