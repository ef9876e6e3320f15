from __future__ import annotations

import random
import statistics

import pytest

from benchmarks.statistics.comparing import LEAST_PROCESSES, compare


def medians(middle: float, count: int, dice: random.Random, *, spread: float = 0.02) -> list[float]:
    return [middle * dice.gauss(1, spread) for _ in range(count)]


def test_the_same_thing_is_called_different_in_at_most_one_of_a_hundred() -> None:
    """Even where the gate lets every difference through: it is the ranks that hold back."""
    dice = random.Random(11)
    outcomes = [compare(medians(1, 8, dice), medians(1, 8, dice), gate=0.0).outcome for _ in range(400)]
    assert sum(outcome != "alike" for outcome in outcomes) <= 4


def test_ten_per_cent_slower_is_found_nearly_always_and_faster_is_told_apart() -> None:
    dice = random.Random(12)
    found = [compare(medians(1, 8, dice), medians(1.1, 8, dice)).outcome for _ in range(100)]
    assert found.count("slower") >= 95 and "faster" not in found
    assert compare(medians(1.1, 8, dice), medians(1, 8, dice)).outcome == "faster"


def test_a_difference_below_the_gate_is_not_called() -> None:
    dice = random.Random(13)
    told = compare(medians(1, 10, dice, spread=0.002), medians(1.03, 10, dice, spread=0.002))
    assert told.p < 0.002 and told.outcome == "alike"
    assert compare([1.0] * 10, [1.03] * 10, gate=0.01).outcome == "slower"


def test_the_interval_holds_the_true_ratio_in_most_runs() -> None:
    dice = random.Random(14)
    told = [compare(medians(1, 10, dice), medians(1.2, 10, dice)) for _ in range(100)]
    assert statistics.mean(each.low <= 1.2 <= each.high for each in told) >= 0.85
    assert all(each.low <= each.ratio <= each.high for each in told)


def test_the_least_number_of_processes_is_the_least_that_can_show_anything() -> None:
    low, high = [1.0 + n for n in range(LEAST_PROCESSES)], [100.0 + n for n in range(LEAST_PROCESSES)]
    assert compare(low, high).outcome == "slower"
    assert compare(low[:-1], high[:-1]).outcome == "alike"


@pytest.mark.parametrize("gate", [0.0, 0.05])
def test_the_very_same_numbers_are_alike(gate: float) -> None:
    assert compare([5.0] * 8, [5.0] * 8, gate=gate).outcome == "alike"
