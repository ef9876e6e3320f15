"""Error rates over animals, with intervals that know that the photos of one animal are not independent."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_Z = 1.959964
"""Of a two-sided 95 % interval."""


@dataclass(frozen=True, slots=True)
class Rate:
    """How often something goes wrong, and the 95 % interval of that. Each animal counts the same, however often it was
    photographed."""

    value: float
    low: float
    high: float
    animals: int
    photos: int
    """What it was counted over."""


def over_animals(hits: Sequence[NDArray[np.bool_]], scores: Sequence[NDArray[np.float32]]) -> Rate:
    """The mean over animals of the share of an animal's photos that were hit, with Wilson's interval.

    Args:
        hits: for each animal, for each of its photos.
        scores: what `hits` was decided by; says how alike the photos of one animal are.
    """
    animals, photos = len(hits), sum(map(len, hits))
    if not animals:
        return Rate(0.0, 0.0, 1.0, 0, 0)
    value = float(np.mean([one.mean() for one in hits]))
    size = independent(scores)
    return Rate(value, *wilson(value * size, size), animals, photos)


def independent(scores: Sequence[NDArray[np.float32]]) -> float:
    """How many independent photos the photos of some animals are worth, in a mean over animals.

    Between the number of animals (an animal's photos all score the same) and about that of photos (they score as
    differently as those of different animals), by the intraclass correlation of the scores (one-way analysis of
    variance; Donner 1986, doi:10.2307/1403259).
    """
    animals = len(scores)
    share = float(np.mean([1 / len(one) for one in scores]))
    correlation = _intraclass(scores)
    return animals / (correlation + (1 - correlation) * share)


def wilson(count: float, size: float) -> tuple[float, float]:
    """Wilson's 95 % interval of a share: `count` of `size`, which may be fractions."""
    share, z2 = count / size, _Z * _Z / size
    middle, half = share + z2 / 2, _Z * math.sqrt(share * (1 - share) / size + z2 / size / 4)
    return max(0.0, (middle - half) / (1 + z2)), min(1.0, (middle + half) / (1 + z2))


def _intraclass(scores: Sequence[NDArray[np.float32]]) -> float:
    """0..1; 1 where no animal has two photos, because nothing can be known."""
    sizes = np.array([len(one) for one in scores], np.float64)
    total, groups = float(sizes.sum()), len(scores)
    if groups < 2 or total <= groups:
        return 1.0
    means = np.array([one.mean(dtype=np.float64) for one in scores])
    grand = float((sizes * means).sum() / total)
    within = sum(float(((one - mean) ** 2).sum()) for one, mean in zip(scores, means, strict=True)) / (total - groups)
    between = float((sizes * (means - grand) ** 2).sum()) / (groups - 1)
    typical = float((total - (sizes**2).sum() / total) / (groups - 1))
    spread = between + (typical - 1) * within
    return min(1.0, max(0.0, (between - within) / spread)) if spread > 0 else 1.0
