"""The photos that people are asked to label next (`events.selection`), out of everything that a journal knows."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np

from edge_runtime.events import selection
from edge_runtime.events.selection import MEASURES, Strategy
from edge_runtime.journal.reading import JournalReader
from edge_runtime.journal.results import Result
from edge_runtime.review import queue
from edge_runtime.review.looks import Looker

POOL = 2000
"""Photos that k-centre looks at, and as many that have an answer already. With 1,280 numbers a look takes 5 kB, and
for a moment twice that: 41 MB where each photo shows one animal."""

Progress = Callable[[int], object]
"""Called with the number of photos that are to be looked at, before the first; then with 0 after each."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """Photos to label. A photo is known by its place among `unlabelled`, from 0."""

    places: list[int]
    """The most wanted first."""
    candidates: int
    """Photos that could have been chosen."""
    failed: list[str] = field(default_factory=list)
    """Candidates that could not be looked at, each with its reason."""


def unlabelled(reader: JournalReader) -> Iterator[Result]:
    """Every photo and video that was read and that no person has named, each picture once, event after event."""
    return (result for result in queue.pictures(reader) if result.answer is None)


def by_scores(reader: JournalReader, strategy: Strategy, count: int) -> Chosen:
    """Those of which the classifier is least certain; a photo counts as its least certain animal does.

    Photos in which no animal was classified are no candidates.
    """
    measure, candidates = MEASURES[strategy], 0

    def entries() -> Iterator[tuple[float, int]]:
        nonlocal candidates
        for place, result in enumerate(unlabelled(reader)):
            scored = [measure(found.scores) for found in queue.animals(result) if found.scores]
            if scored:
                candidates += 1
                yield min(scored), place

    return Chosen(selection.lowest(entries(), count), candidates)


def uniform(reader: JournalReader, count: int, *, seed: int) -> Chosen:
    """Any photos with an animal in them, each as likely as the others; the same ones for the same seed and journal."""
    dice, candidates = random.Random(seed), 0

    def entries() -> Iterator[tuple[float, int]]:
        nonlocal candidates
        for place, result in enumerate(unlabelled(reader)):
            if queue.animals(result):
                candidates += 1
                yield dice.random(), place

    return Chosen(selection.lowest(entries(), count), candidates)


def k_centre(reader: JournalReader, looker: Looker, count: int, *, pool: int, seed: int, progress: Progress) -> Chosen:
    """Those that, with the photos that have an answer already, cover all looks best.

    Args:
        pool: photos that are looked at, drawn as `uniform` does, and likewise of those with an answer.
    """
    drawn = set(uniform(reader, pool, seed=seed).places)
    photos = [(place, result) for place, result in enumerate(unlabelled(reader)) if place in drawn]
    dice = random.Random(seed)
    answered = (
        (dice.random(), place)
        for place, result in enumerate(queue.pictures(reader))
        if result.answer is not None and queue.animals(result)
    )
    known = set(selection.lowest(answered, pool))
    labelled = [(place, result) for place, result in enumerate(queue.pictures(reader)) if place in known]
    progress(len(photos) + len(labelled))

    def told(entries: list[tuple[int, Result]]) -> Iterator[tuple[int, Result]]:
        for entry in entries:
            yield entry
            progress(0)

    old, new = looker.look(told(labelled)), looker.look(told(photos))
    places = selection.k_centre(
        new.matrix, np.array(new.owners, np.int64), count, labelled=old.matrix if old.rows else None
    )
    return Chosen(places, len(photos), old.failed + new.failed)
