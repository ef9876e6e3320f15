"""Which photos teach a classifier most, if a person says what is in them. Pure functions."""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable, Iterable
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from edge_runtime.values import Scores

Strategy = Literal["margin", "entropy", "k-centre", "uniform"]
"""`margin`, `entropy`: what the classifier is least certain of. `k-centre`: what together covers all looks that there
are. `uniform`: any, as a yardstick for the others."""


def margin(scores: Scores) -> float:
    """By how much the most probable class leads the second, p1 - p2: the less, the less certain (Scheffer 2001).

    What is no animal is a class like the others. A class that is not listed has less than `LEAST_SCORE`, taken as 0.
    """
    return scores[0][1] - (scores[1][1] if len(scores) > 1 else 0.0)


def entropy(scores: Scores) -> float:
    """-sum p ln p over the listed classes, nats: the more, the less certain."""
    return -sum(score * math.log(score) for _, score in scores if score > 0)


MEASURES: dict[str, Callable[[Scores], float]] = {
    "margin": margin,
    "entropy": lambda scores: -entropy(scores),
}
"""Of the strategies that rank by a classifier's scores: the lower, the less certain."""


def lowest(entries: Iterable[tuple[float, int]], count: int) -> list[int]:
    """The ids of the `count` entries (value, id) with the lowest values, in that order; of equals the first ids.

    In memory for `count` entries, however many there are.
    """
    return [identity for _, identity in heapq.nsmallest(count, entries)]


def k_centre(
    looks: NDArray[np.float32], owners: NDArray[np.int64], count: int, *, labelled: NDArray[np.float32] | None = None
) -> list[int]:
    """The photos that cover the looks best: greedily the one with the look that is farthest from all chosen before.

    The largest distance of any look from a chosen one is then at most twice what the best choice of as many looks
    could reach (Gonzalez 1985); as a strategy for labelling: Sener and Savarese, "Active Learning for Convolutional
    Neural Networks: A Core-Set Approach" (2018), algorithm 1.

    Args:
        looks: [n, d], of length 1: the embeddings of all animals. Distances are Euclidean.
        owners: [n], the photo that each belongs to; a photo is chosen with all its looks.
        count: photos to choose.
        labelled: [m, d], the looks of what people have named already, which count as chosen. Without any the first
            look is the first choice.

    Returns:
        Photos in the order of their choice; fewer where there are no more.
    """
    distances = np.full(len(looks), np.inf, np.float32)
    for vector in labelled if labelled is not None else ():
        np.minimum(distances, _squared(looks, vector), out=distances)
    chosen: list[int] = []
    while len(chosen) < count and (distances >= 0).any():
        owner = owners[int(np.argmax(distances))]
        chosen.append(int(owner))
        own = owners == owner
        for vector in looks[own]:
            np.minimum(distances, _squared(looks, vector), out=distances)
        distances[own] = -1.0
    return chosen


def _squared(looks: NDArray[np.float32], vector: NDArray[np.float32]) -> NDArray[np.float32]:
    # Of unit vectors: |a - b|^2 = 2 - 2 ab, without a second matrix. Never below 0, which means chosen.
    squared: NDArray[np.float32] = np.maximum(2.0 - 2.0 * (looks @ vector), 0.0).astype(np.float32)
    return squared
