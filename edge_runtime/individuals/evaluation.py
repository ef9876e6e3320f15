"""How well a gallery tells its own animals apart.

One-vs-all, as MiewID's paper does (arXiv:2412.05602): inside each species and viewpoint, every annotation asks for the
others of its animal. Animals with at least 2 annotations take part, with at most 10 of each; the query itself is left
out. Top-k: a right one is among the first k. mAP: the mean over queries of the average precision.

And the open set: strangers that nobody enrolled, against what the threshold states.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge_runtime.individuals import matching, open_set
from edge_runtime.individuals.gallery import Gallery
from edge_runtime.individuals.records import Group

LEAST, MOST = 2, 10
"""Annotations of one animal that take part."""
RANKS = 20
SPLITS = 10


@dataclass(frozen=True, slots=True)
class Retrieval:
    """One species seen from one side, or all of them together."""

    species: str
    viewpoint: str
    animals: int
    queries: int
    top: tuple[float, ...]
    """Share of queries with a right one among the first k, for k = 1..20."""
    mean_average_precision: float


@dataclass(frozen=True, slots=True)
class HeldOut:
    """Half of the animals as strangers, a few times over: what the threshold stated, and what was measured. Means."""

    species: str
    viewpoint: str
    animals: int
    """Half of them are strangers each time."""
    splits: int
    stated: float
    low: float
    high: float
    measured: float
    """Share of a stranger's photos that were taken for a known animal; each stranger counts the same."""


@dataclass(frozen=True, slots=True)
class Evaluation:
    retrieval: tuple[Retrieval, ...]
    """Per species and viewpoint."""
    together: Retrieval | None
    """Over all queries; None where nobody has two annotations."""
    held_out: tuple[HeldOut, ...]
    """Of those with enough animals."""


def evaluate(gallery: Gallery, *, threads: int, seed: int = 0, species: Sequence[str] | None = None) -> Evaluation:
    """Evaluate a gallery, or some species of it. `seed`: of the choice among more than 10 annotations of an animal,
    and of the strangers."""
    ranked: list[tuple[Group, list[NDArray[np.intp]]]] = []
    held_out: list[HeldOut] = []
    for name in gallery.species() if species is None else species:
        for viewpoint in gallery.viewpoints(name):
            group = gallery.group(name, viewpoint)
            if group is None:
                continue
            chosen = taking_part(group.individuals, seed=seed)
            if len(chosen):
                ranks = match_ranks(group.matrix[chosen], group.individuals[chosen], threads=threads)
                ranked.append((group, ranks))
            measured = hold_out(group, threads=threads, seed=seed)
            if measured is not None:
                held_out.append(measured)
    rows = tuple(_retrieval(group.species, group.viewpoint or "", ranks) for group, ranks in ranked)
    everything = [one for _, ranks in ranked for one in ranks]
    together = _retrieval("", "", everything, animals=sum(row.animals for row in rows)) if everything else None
    return Evaluation(rows, together, tuple(held_out))


def taking_part(individuals: NDArray[np.intp], *, seed: int) -> NDArray[np.intp]:
    """The rows of the animals with at least 2 annotations, at most 10 of each, drawn by `seed`; in order."""
    chance = np.random.default_rng(seed)
    chosen = [np.empty(0, np.intp)]
    for animal in np.unique(individuals):
        rows = np.flatnonzero(individuals == animal)
        if len(rows) >= LEAST:
            chosen.append(rows if len(rows) <= MOST else chance.choice(rows, MOST, replace=False))
    return np.sort(np.concatenate(chosen))


def match_ranks(matrix: NDArray[np.float16], individuals: NDArray[np.intp], *, threads: int) -> list[NDArray[np.intp]]:
    """For each row as a query, the ranks (from 1) of the other rows of its animal among all others, best first.

    A wrong one that scores the same as a right one stands before it.
    """
    result: list[NDArray[np.intp]] = []
    for part, cosines in matching.batches(matrix, matrix, threads=threads):
        for query, row in zip(range(part.start, part.stop), cosines, strict=True):
            right = individuals == individuals[query]
            wrong = np.sort(row[~right])
            right[query] = False
            best = np.sort(row[right])[::-1]
            before = len(wrong) - np.searchsorted(wrong, best, side="left")
            result.append(before + np.arange(1, len(best) + 1))
    return result


def hold_out(group: Group, *, threads: int, seed: int = 0, splits: int = SPLITS) -> HeldOut | None:
    """Take half of the animals for strangers, `splits` times: calibrate on the rest, see how many strangers pass.

    Returns None where a half is too small for a threshold.
    """
    chance = np.random.default_rng(seed)
    animals = len(group.names)
    rates: list[tuple[float, float, float, float]] = []
    for _ in range(splits):
        known = np.isin(group.individuals, chance.permutation(animals)[: animals // 2])
        matrix = group.matrix[known]
        made = open_set.calibrate(matrix, group.individuals[known], threads=threads)
        if made is None:
            continue
        strangers, who = group.matrix[~known].astype(np.float32), group.individuals[~known]
        found = matching.nearest(matrix, strangers, threads=threads, pool=1)
        passed = (1 + found.cosines[:, 0]) / 2 >= made.threshold(1)
        measured = float(np.mean([passed[who == one].mean() for one in np.unique(who)]))
        stated = made.false_accept
        rates.append((stated.value, stated.low, stated.high, measured))
    if not rates:
        return None
    return HeldOut(group.species, group.viewpoint or "", animals, len(rates), *map(float, np.mean(rates, axis=0)))


def _retrieval(
    species: str, viewpoint: str, ranks: Sequence[NDArray[np.intp]], *, animals: int | None = None
) -> Retrieval:
    first = np.array([one[0] for one in ranks])
    precision = [float((np.arange(1, len(one) + 1) / one).mean()) for one in ranks]
    if animals is None:
        # Each animal asks as often as it has annotations here: one more than each of its queries finds.
        animals = round(sum(1 / (len(one) + 1) for one in ranks))
    top = tuple(float((first <= k).mean()) for k in range(1, RANKS + 1))
    return Retrieval(species, viewpoint, animals, len(ranks), top, float(np.mean(precision)))
