"""How quiet this machine is, told without anything of ours: equal pieces of arithmetic, again and again."""

from __future__ import annotations

import statistics
import time

import pytest


def unquiet(seconds: float = 6.0) -> str:
    """Why nothing can be steady here at the moment; empty where it can be."""
    taken, until = [], time.monotonic() + seconds
    while time.monotonic() < until:
        start = time.perf_counter_ns()
        sum(range(400_000))
        taken.append(time.perf_counter_ns() - start)
    middle = statistics.median(taken)
    cv = statistics.stdev(taken) / statistics.fmean(taken)
    near = sum(abs(each / middle - 1) <= 0.05 for each in taken) / len(taken)
    half = len(taken) // 2
    drift = abs(statistics.median(taken[:half]) / statistics.median(taken[half:]) - 1)
    if cv <= 0.04 and near >= 0.85 and drift <= 0.04:
        return ""
    return f"equal arithmetic varies by {cv:.0%}, {near:.0%} of it near the median, halves {drift:.0%} apart"


def skip_where_unquiet() -> None:
    """Skip where not even arithmetic is steady: a figure from such a machine would prove nothing."""
    if why := unquiet():
        pytest.skip(f"this machine is not quiet: {why}")
