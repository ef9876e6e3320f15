"""When to say "nobody that we know": a threshold measured on the gallery itself.

Each animal in turn is taken for a stranger: its photos are compared with everybody else's, as if it had never been
enrolled. And each photo in turn is taken for a new one of its animal: it is compared with all the others. The first
says how high strangers score, the second how low known animals do.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge_runtime.individuals import matching, rates
from edge_runtime.individuals.rates import Rate

FALSE_ACCEPTS = 0.05
"""Strangers that may be taken for a known animal, unless the user says otherwise."""
UNCALIBRATED = 0.95
"""Score (a cosine of 0.9) from which a name is believed where nothing could be measured: strangers hardly reach it."""
LEAST_ANIMALS = 5
"""With two photos or more: with fewer nothing is measured."""
MOST_CROPS = 16
"""Crops of one sighting for which a threshold is kept; with more, that of so many counts."""
_MOST_PHOTOS = 2000
_MOST_OF_ONE = 10
"""Photos that are asked about: 2,000 are enough for an interval of two percent, and take a Pi minutes, not hours."""


@dataclass(frozen=True, slots=True)
class Calibration:
    """A measured threshold and the errors that it makes, for one crop of a sighting. Scores are 0..1."""

    wanted: float
    """The rate of false accepts that was asked for."""
    thresholds: tuple[float, ...]
    """A name is believed from here on: for 1, 2, ... `MOST_CROPS` crops of one sighting."""
    false_accept: Rate
    """A stranger is taken for a known animal."""
    false_reject: Rate
    """A known animal is called new, with one photo fewer of it in the gallery than there are: rather too high."""
    misnamed: Rate
    """A known animal is taken for another one."""
    animals: int
    """In the gallery, of this species and viewpoint."""
    photos: int

    def threshold(self, crops: int) -> float:
        """The threshold where the best of `crops` crops counts.

        Each crop is one more chance for a stranger, so each gets its part of the wanted rate: the sum is kept however
        alike the crops are.
        """
        return self.thresholds[min(max(crops, 1), len(self.thresholds)) - 1]


@dataclass(frozen=True, slots=True)
class Scores:
    """What each photo that was asked about scored, grouped by animal."""

    others: list[NDArray[np.float32]]
    """Per animal, per photo: the best of all other animals."""
    own: list[NDArray[np.float32]]
    """The best other photo of the same animal; -1 where there is none."""
    animals: int
    """In the gallery."""


def leave_one_out(matrix: NDArray[np.float16], names: NDArray[np.intp], *, threads: int, seed: int = 0) -> Scores:
    """Compare the photos of a gallery with each other.

    All of them, or in a large gallery those of animals drawn by `seed`: at most ten photos of each, about 2,000 in all.

    Args:
        matrix: [N, D], rows of length 1.
        names: [N], which animal each row shows.
    """
    asked = _drawn(names, np.random.default_rng(seed))
    others = np.full(len(asked), -1.0, np.float32)
    own = np.full(len(asked), -1.0, np.float32)
    for part, cosines in matching.batches(matrix, matrix[asked], threads=threads):
        rows = asked[part]
        cosines[np.arange(len(rows)), rows] = -np.inf
        same = names[None, :] == names[rows, None]
        own[part] = np.where(same, cosines, -np.inf).max(axis=1, initial=-1.0)
        others[part] = np.where(same, -np.inf, cosines).max(axis=1, initial=-1.0)
    who = names[asked]
    groups = [np.flatnonzero(who == name) for name in np.unique(who)]
    return Scores(
        [_scores(others[group]) for group in groups],
        [np.where(own[group] > -1, _scores(own[group]), -1).astype(np.float32) for group in groups],
        len(np.unique(names)),
    )


def calibrate(
    matrix: NDArray[np.float16],
    names: NDArray[np.intp],
    *,
    threads: int,
    wanted: float = FALSE_ACCEPTS,
) -> Calibration | None:
    """Measure the threshold at which `wanted` of strangers are taken for a known animal.

    A stranger is as likely as each animal of the gallery to be the one that scores highest; so with few animals the
    threshold lies above all of them, and what is stated of it is more than was wanted. As `leave_one_out` else.

    Returns None where fewer than `LEAST_ANIMALS` animals have two photos.
    """
    _, counts = np.unique(names, return_counts=True)
    if np.count_nonzero(counts >= 2) < LEAST_ANIMALS:
        return None
    return decide(leave_one_out(matrix, names, threads=threads), photos=len(names), wanted=wanted)


def decide(scores: Scores, *, photos: int, wanted: float) -> Calibration:
    """The threshold and its errors, from what was scored. `photos`: in the gallery."""
    thresholds = tuple(_threshold(scores.others, wanted / crops) for crops in range(1, MOST_CROPS + 1))
    first = thresholds[0]
    pairs = [(own[own >= 0], other[own >= 0]) for own, other in zip(scores.own, scores.others, strict=True)]
    known = [(own, other) for own, other in pairs if len(own)]
    best = [np.maximum(own, other) for own, other in known]
    return Calibration(
        wanted=wanted,
        thresholds=thresholds,
        false_accept=_strangers(scores, first),
        false_reject=rates.over_animals([one < first for one in best], best),
        misnamed=rates.over_animals([(other >= first) & (other > own) for own, other in known], best),
        animals=scores.animals,
        photos=photos,
    )


def _threshold(others: Sequence[NDArray[np.float32]], wanted: float) -> float:
    """The least that keeps false accepts at `wanted`, counting one more animal than there are, who is accepted."""
    values = np.concatenate(others)
    weights = np.concatenate([np.full(len(one), 1 / len(one)) for one in others])
    order = np.argsort(-values, kind="stable")
    values, accepted = values[order], np.cumsum(weights[order])
    allowed = wanted * (len(others) + 1) - 1
    kept = int(np.searchsorted(accepted, allowed + 1e-9, side="right")) if allowed > 0 else 0
    # Above the first that would be too many.
    return float(np.nextafter(values[min(kept, len(values) - 1)], np.float32(2)))


def _strangers(scores: Scores, threshold: float) -> Rate:
    """False accepts: what is to be expected of the next stranger.

    Two animals of the gallery that look alike are each other's best match, and so count twice though they say one
    thing: the interval is that of half as many animals (of as many fewer, where only some were asked about).
    """
    others = scores.others
    hits = [one >= threshold for one in others]
    accepted = sum(float(one.mean()) for one in hits)
    twice = 1 + len(others) / scores.animals
    size = rates.independent(others) / twice
    unit = size / len(others)
    low, _ = rates.wilson(accepted * unit, size)
    _, high = rates.wilson((accepted + 1) * unit, (len(others) + 1) * unit)
    value = min(1.0, (accepted + 1) / (len(others) + 1))
    return Rate(value, low, high, len(others), sum(map(len, others)))


def _scores(cosines: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray(np.clip((1 + cosines) / 2, 0, 1), np.float32)


def _drawn(names: NDArray[np.intp], chance: np.random.Generator) -> NDArray[np.intp]:
    if len(names) <= _MOST_PHOTOS:
        return np.arange(len(names))
    chosen: list[NDArray[np.intp]] = []
    photos = 0
    for name in chance.permutation(np.unique(names)):
        rows = np.flatnonzero(names == name)
        rows = chance.permutation(rows)[:_MOST_OF_ONE]
        if chosen and photos + len(rows) > _MOST_PHOTOS:
            break
        chosen.append(rows)
        photos += len(rows)
    return np.sort(np.concatenate(chosen))
