"""How far a figure can be trusted: the bootstrap (Efron 1979) over sequences of photos.

Photos of one burst show the same animal before the same bushes. Drawing them one by one would take ten looks at one
animal for ten animals, so whole sequences are drawn. Two detectors are compared on the same draws (paired): what is
hard for both cancels out.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

DRAWS = 1000
SEED = 20240
LEVEL = 0.95


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
