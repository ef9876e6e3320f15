from __future__ import annotations

import random

import pytest
from scipy import stats as scipy_stats

from benchmarks.statistics.percentiles import CONFIDENCE, least_samples, percentile, samples_above, stats


@pytest.mark.parametrize(("share", "least"), [(0.5, 11), (0.9, 64), (0.95, 130), (0.99, 662)])
def test_a_percentile_needs_as_many_samples_as_mlperf_asks_for(share: float, least: int) -> None:
    assert least_samples(share) == least
    few = percentile(range(least - 1), share)
    assert few.value_ns is None and few.bound_ns is None and few.n == least - 1
    assert percentile(range(least), share).value_ns is not None


@pytest.mark.parametrize("n", [11, 64, 700, 5000, 40_000])
@pytest.mark.parametrize("share", [0.5, 0.9, 0.99])
def test_the_rule_is_the_binomials_as_scipy_computes_it(n: int, share: float) -> None:
    above = samples_above(n, share, confidence=CONFIDENCE)
    told = [scipy_stats.binom.cdf(t, n, 1 - share) <= 1 - CONFIDENCE for t in (above, above + 1)]
    assert told == [True, False] if above else not told[1]


def test_the_bound_holds_as_often_as_it_says() -> None:
    """An exponential's p90 is known: the bound may lie below it in 1 of 100 runs."""
    dice = random.Random(3)
    truth = 2.302585 * 1e6
    broken = 0
    for _ in range(2000):
        ordered = sorted(round(dice.expovariate(1e-6)) for _ in range(150))
        bound = percentile(ordered, 0.9).bound_ns
        assert bound is not None
        broken += bound < truth
    assert broken <= 30


def test_the_slowest_of_a_hundred_is_in_the_summary_and_nothing_is_cut_off() -> None:
    samples = [1_000_000] * 990 + [50_000_000] * 10
    told = stats(samples)
    assert told.max_ns == 50_000_000 and told.n == 1000
    assert told.mean_ns == pytest.approx(1_490_000) and told.p50.value_ns == 1_000_000
    assert told.p99.value_ns == 1_000_000 and told.p99.bound_ns == 50_000_000
    assert told.cv == pytest.approx(scipy_stats.variation(samples, ddof=1))


def test_one_sample_alone_has_a_mean_and_no_percentile() -> None:
    told = stats([7])
    assert told.mean_ns == 7 and told.cv == 0 and told.p50.value_ns is None
