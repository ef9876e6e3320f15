"""Intervals over sequences: what is drawn, and what they come to where the answer is known."""

from __future__ import annotations

import math

import numpy as np
import pytest

from export_tools.accuracy import intervals
from export_tools.accuracy.intervals import difference, draws, estimate, values

BURSTS = ["a", "a", "a", "b", "c", "c"]


def test_the_photos_of_one_sequence_come_together_and_as_many_sequences_as_there_are() -> None:
    drawn = draws(BURSTS, count=200)
    assert (drawn[:, 0] == drawn[:, 1]).all()
    assert (drawn[:, 0] == drawn[:, 2]).all()
    assert (drawn[:, 4] == drawn[:, 5]).all()
    assert (drawn[:, [0, 3, 4]].sum(axis=1) == 3).all()
    assert len(np.unique(drawn[:, [0, 3, 4]], axis=0)) == 10  # every way to draw three of three


def test_the_same_seed_draws_the_same_and_another_seed_does_not() -> None:
    assert (draws(BURSTS) == draws(BURSTS)).all()
    assert (draws(BURSTS) != draws(BURSTS, seed=1)).any()


def test_the_interval_of_a_share_is_the_one_that_theory_gives() -> None:
    # 40 of 100 independent photos: standard error sqrt(.4 * .6 / 100) = .049, so .4 -+ .096
    hits = np.arange(100) < 40
    drawn = draws([str(number) for number in range(100)], count=4000)
    found = estimate(0.4, values(lambda weights: float((weights * hits).sum() / weights.sum()), drawn))
    assert found.low == pytest.approx(0.304, abs=0.015)
    assert found.high == pytest.approx(0.496, abs=0.015)


def test_ten_looks_at_one_animal_are_not_ten_animals() -> None:
    hits = np.arange(100) % 10 < 4
    bursts = [str(number % 10) for number in range(100)]  # in each burst all are found or none
    photos = [str(number) for number in range(100)]

    def width(sequences: list[str]) -> float:
        drawn = draws(sequences, count=4000)
        found = estimate(0.4, values(lambda weights: float((weights * hits).sum() / weights.sum()), drawn))
        return found.high - found.low

    assert width(bursts) / width(photos) == pytest.approx(math.sqrt(10), rel=0.1)


def test_a_detector_does_not_differ_from_itself_and_a_constant_lead_is_certain() -> None:
    drawn = values(lambda weights: float(weights[0]), draws(BURSTS))
    assert difference(0.5, 0.5, drawn, drawn) == intervals.Estimate(0.0, 0.0, 0.0)
    lead = difference(0.75, 0.5, drawn + 0.25, drawn)
    assert (lead.value, lead.low, lead.high) == (0.25, 0.25, 0.25)


def test_draws_without_anything_to_find_are_left_out() -> None:
    found = estimate(0.5, np.array([math.nan, 0.25, 0.75, math.nan]))
    assert 0.25 <= found.low < found.high <= 0.75
    assert math.isnan(estimate(math.nan, np.full(3, math.nan)).low)


def test_no_photos_give_no_interval() -> None:
    drawn = draws([], count=5)
    assert drawn.shape == (5, 0)
    assert math.isnan(estimate(math.nan, values(lambda weights: math.nan, drawn)).high)
