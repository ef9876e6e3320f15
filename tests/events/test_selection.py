"""Selections against plain loops over random scores and looks."""

from __future__ import annotations

import itertools
import math
import random

import numpy as np
import pytest
from numpy.typing import NDArray

from edge_runtime.events import selection
from edge_runtime.values import Scores


def scores(dice: random.Random) -> Scores:
    raw = [dice.random() ** 3 for _ in range(dice.randint(1, 8))]
    named = {f"species {index}": value / sum(raw) for index, value in enumerate(raw)}
    return tuple(sorted(named.items(), key=lambda entry: -entry[1]))


def looks(seed: int, rows: int, numbers: int = 16) -> NDArray[np.float32]:
    made = np.random.default_rng(seed).normal(size=(rows, numbers))
    return (made / np.linalg.norm(made, axis=1, keepdims=True)).astype(np.float32)


def farthest_first(
    vectors: NDArray[np.float32], owners: list[int], count: int, labelled: NDArray[np.float32] | None
) -> list[int]:
    """The definition, in loops and float64: the photo of the look that is farthest from its nearest centre."""
    centres = [] if labelled is None else [row.astype(np.float64) for row in labelled]
    chosen: list[int] = []
    while len(chosen) < min(count, len(set(owners))):
        best, farthest = -1, -1.0
        for index, vector in enumerate(vectors):
            if owners[index] in chosen:
                continue
            near = min((float(np.linalg.norm(vector - centre)) for centre in centres), default=math.inf)
            if near > farthest:
                best, farthest = owners[index], near
        chosen.append(best)
        centres += [vectors[index].astype(np.float64) for index in range(len(owners)) if owners[index] == best]
    return chosen


def test_the_margin_is_the_lead_of_the_first_over_the_second() -> None:
    assert selection.margin((("lynx", 0.6), ("", 0.3), ("cougar", 0.1))) == pytest.approx(0.3)
    assert selection.margin((("lynx", 1.0),)) == 1.0


def test_the_entropy_is_that_of_the_scores() -> None:
    assert selection.entropy((("a", 0.25), ("b", 0.25), ("c", 0.25), ("d", 0.25))) == pytest.approx(math.log(4))
    assert selection.entropy((("a", 1.0),)) == 0


@pytest.mark.parametrize("seed", range(5))
def test_the_order_by_margin_and_entropy_is_that_of_numpy(seed: int) -> None:
    dice = random.Random(seed)
    photos = [scores(dice) for _ in range(500)]
    top = np.array([[*sorted((p for _, p in each), reverse=True), 0.0][:2] for each in photos])
    spread = np.array([-sum(p * np.log(p) for _, p in each) for each in photos])
    for name, expected in (("margin", top[:, 0] - top[:, 1]), ("entropy", -spread)):
        measured = ((selection.MEASURES[name](each), index) for index, each in enumerate(photos))
        assert selection.lowest(measured, 100) == np.argsort(expected, kind="stable")[:100].tolist()


def test_of_equals_the_first_ones_are_chosen_and_no_more_than_there_are() -> None:
    assert selection.lowest([(0.5, 3), (0.1, 9), (0.5, 1), (0.5, 2)], 3) == [9, 1, 2]
    assert selection.lowest([(0.5, 3)], 100) == [3]


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("named", [0, 4])
def test_k_centre_chooses_as_plain_loops_do(seed: int, named: int) -> None:
    vectors = looks(seed, 80)
    owners = sorted(random.Random(seed).choices(range(50), k=80))
    labelled = looks(seed + 100, named) if named else None
    chosen = selection.k_centre(vectors, np.array(owners, np.int64), 12, labelled=labelled)
    assert chosen == farthest_first(vectors, owners, 12, labelled)


@pytest.mark.parametrize("seed", range(5))
def test_k_centre_covers_at_most_twice_as_widely_as_the_best_choice_would(seed: int) -> None:
    vectors = looks(seed, 12, numbers=3).astype(np.float64)
    apart = np.linalg.norm(vectors[:, None] - vectors[None], axis=2)
    best = min(apart[list(each)].min(axis=0).max() for each in itertools.combinations(range(12), 3))
    chosen = selection.k_centre(vectors.astype(np.float32), np.arange(12), 3)
    assert best <= apart[chosen].min(axis=0).max() <= 2 * best


def test_k_centre_gives_each_photo_once_and_all_where_more_are_wanted() -> None:
    vectors = np.repeat(looks(1, 5), 2, axis=0)  # each look twice, so the last distances are 0
    chosen = selection.k_centre(vectors, np.repeat(np.arange(5), 2), 100)
    assert sorted(chosen) == [0, 1, 2, 3, 4]
    assert selection.k_centre(np.zeros((0, 4), np.float32), np.zeros(0, np.int64), 3) == []
