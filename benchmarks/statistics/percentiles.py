"""Percentiles that say nothing where the samples are too few, by the early-stopping rule of MLPerf Inference.

Source: MLCommons, "MLPerf Inference Rules", on early stopping: with n samples, of which t lie above a limit, the
p-th percentile is below the limit with confidence c where P(Binomial(n, 1 - p) <= t) <= 1 - c. At c = .99 a p50 needs
11 samples, a p90 64, a p95 130, a p99 662.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence

from benchmarks.document.schema import Percentile, Stats

CONFIDENCE = 0.99


def stats(samples: Sequence[int]) -> Stats:
    """Summary of durations in nanoseconds, at least one; none is left out."""
    ordered = sorted(samples)
    mean = statistics.fmean(ordered)
    middle = statistics.median(ordered)
    return Stats(
        n=len(ordered),
        mean_ns=mean,
        mad_ns=statistics.median(abs(each - middle) for each in ordered),
        cv=statistics.stdev(ordered) / mean if len(ordered) > 1 and mean else 0.0,
        min_ns=ordered[0],
        max_ns=ordered[-1],
        p50=percentile(ordered, 0.5),
        p90=percentile(ordered, 0.9),
        p99=percentile(ordered, 0.99),
    )


def percentile(ordered: Sequence[int], share: float, *, confidence: float = CONFIDENCE) -> Percentile:
    """One percentile of ascending samples: the nearest rank, and a bound that it stays below with `confidence`.

    Args:
        share: 0.99 for p99.
    """
    above = samples_above(len(ordered), share, confidence=confidence)
    if above < 1:
        return Percentile(value_ns=None, bound_ns=None, n=len(ordered), confidence=confidence)
    value = ordered[math.ceil(share * len(ordered)) - 1]
    return Percentile(value_ns=value, bound_ns=ordered[-above], n=len(ordered), confidence=confidence)


def samples_above(n: int, share: float, *, confidence: float) -> int:
    """The largest t for which t of n samples may lie at or above a limit that the percentile stays below; 0 for none.

    A bound that only the largest sample gives (t = 0 in the rule) does not count, as in MLPerf.
    """
    likely, most = 0.0, 0
    for t in range(n + 1):
        # log of the binomial's term: n! overflows a float.
        term = math.lgamma(n + 1) - math.lgamma(t + 1) - math.lgamma(n - t + 1)
        likely += math.exp(term + t * math.log(1 - share) + (n - t) * math.log(share))
        if likely > 1 - confidence:
            break
        most = t
    return most


def least_samples(share: float, *, confidence: float = CONFIDENCE) -> int:
    """How many samples a percentile needs at least."""
    n = 1
    while samples_above(n, share, confidence=confidence) < 1:
        n += 1
    return n
