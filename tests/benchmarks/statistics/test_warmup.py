from __future__ import annotations

import random

from benchmarks.statistics.warmup import WINDOW, converged


def noisy(middle: int, count: int = WINDOW, *, seed: int = 1) -> list[int]:
    dice = random.Random(seed)
    return [round(middle * dice.uniform(0.99, 1.01)) for _ in range(count)]


def test_two_windows_that_agree_are_warm_enough() -> None:
    assert converged(noisy(1000) + noisy(1000))


def test_fewer_than_two_windows_say_nothing() -> None:
    assert not converged(noisy(1000, 2 * WINDOW - 1))


def test_a_machine_that_still_gets_faster_is_not_warm() -> None:
    assert not converged(noisy(1200) + noisy(1000))


def test_only_the_last_two_windows_count() -> None:
    assert converged(noisy(9000) + noisy(1000) + noisy(1000))


def test_a_window_that_spreads_otherwise_is_not_warm() -> None:
    dice = random.Random(2)
    wide = [round(1000 * dice.uniform(0.8, 1.2)) for _ in range(WINDOW)]
    assert not converged(noisy(1000) + wide)
