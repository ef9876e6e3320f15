"""Intervals of shares, quantiles and means."""

from __future__ import annotations

import math

import numpy as np
import pytest

from export_tools.accuracy.intervals import mean, quantile, wilson


@pytest.mark.parametrize(
    ("count", "of", "low", "high"), [(10, 10, 0.7225, 1.0), (0, 10, 0.0, 0.2775), (50, 100, 0.4038, 0.5962)]
)
def test_wilsons_interval_is_that_of_the_books(count: int, of: int, low: float, high: float) -> None:
    share = wilson(count, of)
    assert (share.low, share.high) == pytest.approx((low, high), abs=1e-4)


def test_a_quantiles_interval_holds_the_true_one_nearly_always() -> None:
    random = np.random.default_rng(1)
    for share, true in ((0.5, 0.5), (0.05, 0.05)):
        held = [quantile(random.uniform(size=200), share) for _ in range(400)]
        assert sum(one.low <= true <= one.high for one in held) >= 0.93 * 400


def test_a_means_interval_holds_the_true_one_nearly_always() -> None:
    random = np.random.default_rng(2)
    held = [mean(random.normal(3.0, 2.0, 50)) for _ in range(400)]
    assert 0.90 * 400 <= sum(one.low <= 3.0 <= one.high for one in held) < 400


def test_of_nothing_nothing_is_known_and_of_one_value_no_interval() -> None:
    assert math.isnan(mean(np.zeros(0)).value) and math.isnan(quantile(np.zeros(0), 0.5).value)
    assert math.isinf(mean(np.ones(1)).high)
    assert quantile(np.array([2.0]), 0.05).value == 2.0
