"""Warm enough: two windows of queries in a row that say the same.

Source: the rule by which `pyperf` calibrates its warm-ups (Victor Stinner): mean at most 10 % above and 50 % below the
window before, median absolute deviation within 10 %, quartiles within 5 %.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence

WINDOW = 20
MOST = 300
"""Queries; a machine that is not steady by then will not become so."""
_MEAN_LOW, _MEAN_HIGH, _MAD, _QUARTILES = -0.5, 0.1, 0.1, 0.05


def converged(samples: Sequence[int]) -> bool:
    """Whether the last two windows of durations, any unit, agree."""
    if len(samples) < 2 * WINDOW:
        return False
    before, last = samples[-2 * WINDOW : -WINDOW], samples[-WINDOW:]
    if not _MEAN_LOW <= _difference(statistics.fmean(before), statistics.fmean(last)) <= _MEAN_HIGH:
        return False
    if abs(_difference(_mad(before), _mad(last))) > _MAD:
        return False
    quartiles = zip(statistics.quantiles(before, n=4), statistics.quantiles(last, n=4), strict=True)
    return all(abs(_difference(one, other)) <= _QUARTILES for one, other in quartiles)


def _difference(one: float, other: float) -> float:
    return (one - other) / other if other else float(one != other)


def _mad(samples: Sequence[int]) -> float:
    middle = statistics.median(samples)
    return statistics.median(abs(each - middle) for each in samples)
