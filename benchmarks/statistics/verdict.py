"""Whether a measurement is to be trusted: `stable`, `inconclusive` or `throttled`, and why.

Photos differ, so a query's time is held against the median of all queries of the same photo; what is judged is how much
the same work differed.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Sequence

from benchmarks.document.schema import Process, Status, Throttle

CV_CPU, CV_GPU = 0.05, 0.025
"""Largest coefficient of variation (standard deviation over mean)."""
DRIFT = 0.05
"""Largest difference between the medians of the first and the last half."""
NEAR, NEAR_SHARE = 0.05, 0.8
"""At least this share of the queries lies within this distance of the median."""
OTHERS = 0.1
"""Largest share of the machine's processor time that others may take."""
BELOW_MAX = 0.05
"""Largest share of the time with the clock below its maximum."""
LEAST_REPEATS = 3
"""Queries of one photo below which it says nothing of steadiness."""
LEAST = 6
"""Such queries in all."""


def judge(processes: Sequence[Process], throttle: Throttle, *, on_gpu: bool) -> tuple[Status, tuple[str, ...]]:
    """The verdict on these processes, in the order in which they ran, and its reasons (none for `stable`)."""
    throttled = list(_throttled(throttle))
    unsteady = [*_unsteady(relative(processes), CV_GPU if on_gpu else CV_CPU), *_crowded(processes)]
    status: Status = "throttled" if throttled else "inconclusive" if unsteady else "stable"
    return status, (*throttled, *unsteady)


def relative(processes: Sequence[Process]) -> list[float]:
    """Each query's `whole`, in order, over the median of its photo; those of photos seen too seldom are left out."""
    by_photo: dict[int, list[int]] = {}
    for process in processes:
        for photo, ns in zip(process.photo, process.samples_ns["whole"], strict=True):
            by_photo.setdefault(photo, []).append(ns)
    middle = {photo: statistics.median(all_ns) for photo, all_ns in by_photo.items() if len(all_ns) >= LEAST_REPEATS}
    return [
        ns / middle[photo]
        for process in processes
        for photo, ns in zip(process.photo, process.samples_ns["whole"], strict=True)
        if photo in middle
    ]


def _throttled(throttle: Throttle) -> Iterator[str]:
    for name in throttle.raised:
        yield f"the board reports: {name} ({throttle.source})"
    if throttle.below_max_share is not None and throttle.below_max_share > BELOW_MAX:
        yield f"the clock was below its maximum for {throttle.below_max_share:.0%} of the time"


def _unsteady(series: Sequence[float], limit: float) -> Iterator[str]:
    if len(series) < LEAST:
        yield f"only {len(series)} queries of photos that were looked at {LEAST_REPEATS} times: too few to judge"
        return
    cv = statistics.stdev(series) / statistics.fmean(series)
    if cv > limit:
        yield f"the same work took times that vary by {cv:.1%} (limit {limit:.1%})"
    half = len(series) // 2
    first, last = statistics.median(series[:half]), statistics.median(series[half:])
    if abs(last / first - 1) > DRIFT:
        yield f"the last half took {last / first - 1:+.1%} against the first (limit {DRIFT:.0%})"
    middle = statistics.median(series)
    near = sum(abs(each / middle - 1) <= NEAR for each in series) / len(series)
    if near < NEAR_SHARE:
        yield f"only {near:.0%} of the queries lie within {NEAR:.0%} of the median (at least {NEAR_SHARE:.0%})"


def _crowded(processes: Sequence[Process]) -> Iterator[str]:
    shares = [each.others_cpu_share for each in processes if each.others_cpu_share is not None]
    if shares and max(shares) > OTHERS:
        yield f"other programs took up to {max(shares):.0%} of the processors (limit {OTHERS:.0%})"
