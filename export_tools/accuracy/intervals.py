"""How far a figure can be trusted: the bootstrap (Efron 1979) over sequences of photos.

Photos of one burst show the same animal before the same bushes. Drawing them one by one would take ten looks at one
animal for ten animals, so whole sequences are drawn. Two detectors are compared on the same draws (paired): what is
hard for both cancels out.

Shares of a count have Wilson's interval (1927), which is honest where nothing or everything was counted; quantiles have
the one by order statistics, means the normal one. These take what was counted for independent of each other.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

DRAWS = 1000
SEED = 20240
LEVEL = 0.95
Z = 1.959964
"""Standard normal quantile of a 95 % interval."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure and its 95 % percentile interval. NaN where it cannot be computed."""

    value: float
    low: float
    high: float


def draws(sequences: Sequence[str], *, count: int = DRAWS, seed: int = SEED) -> NDArray[np.float64]:
    """Draw sequences with replacement, as many as there are.

    Args:
        sequences: the sequence to which each photo belongs.

    Returns [count, photos]: how often each photo is in each draw. The same arguments give the same draws.
    """
    names, member = np.unique(np.array(sequences, dtype=str), return_inverse=True)
    if not len(names):
        return np.zeros((count, 0))
    chosen = np.random.default_rng(seed).multinomial(len(names), np.full(len(names), 1 / len(names)), size=count)
    weights: NDArray[np.float64] = chosen[:, member].astype(np.float64)
    return weights


def values(statistic: Callable[[NDArray[np.float64]], float], drawn: NDArray[np.float64]) -> NDArray[np.float64]:
    """`statistic` of each draw, [count]; it is given how often each photo counts, [photos]."""
    return np.array([statistic(weights) for weights in drawn], np.float64)


def estimate(value: float, drawn_values: NDArray[np.float64]) -> Estimate:
    """`value` with the percentiles of its draws. Draws without a value (nothing to find in them) are left out."""
    known = drawn_values[np.isfinite(drawn_values)]
    if not len(known):
        return Estimate(value, float("nan"), float("nan"))
    tail = (1 - LEVEL) / 2
    low, high = np.quantile(known, [tail, 1 - tail])
    return Estimate(value, float(low), float(high))


def difference(one: float, other: float, one_drawn: NDArray[np.float64], other_drawn: NDArray[np.float64]) -> Estimate:
    """`one - other` with its paired interval: both were computed on the same draws."""
    return estimate(one - other, one_drawn - other_drawn)


@dataclass(frozen=True)
class Share:
    """A count out of a number, with its 95 % interval (Wilson 1927)."""

    count: int
    of: int
    share: float
    low: float
    high: float


def wilson(count: int, of: int) -> Share:
    """The share `count / of` with its 95 % score interval; all zeros where `of` is 0."""
    if of == 0:
        return Share(0, 0, 0.0, 0.0, 0.0)
    share = count / of
    centre = (share + Z**2 / (2 * of)) / (1 + Z**2 / of)
    half = Z / (1 + Z**2 / of) * math.sqrt(share * (1 - share) / of + Z**2 / (4 * of**2))
    return Share(count, of, round(share, 4), round(max(0.0, centre - half), 4), round(min(1.0, centre + half), 4))


def quantile(measured: NDArray[np.float64], share: float) -> Estimate:
    """The value below which `share` of `measured` lie, its interval by order statistics; NaN where there is none."""
    if not len(measured):
        return Estimate(float("nan"), float("nan"), float("nan"))
    ordered, number = np.sort(measured), len(measured)
    half = Z * math.sqrt(number * share * (1 - share))
    low = max(0, math.floor(number * share - half))
    high = min(number - 1, math.ceil(number * share + half))
    return Estimate(float(np.quantile(ordered, share)), float(ordered[low]), float(ordered[high]))


def mean(measured: NDArray[np.float64]) -> Estimate:
    """The mean with its normal interval; NaN where there is none."""
    if not len(measured):
        return Estimate(float("nan"), float("nan"), float("nan"))
    value = float(measured.mean())
    half = Z * float(measured.std(ddof=1)) / math.sqrt(len(measured)) if len(measured) > 1 else float("inf")
    return Estimate(value, value - half, value + half)
