"""What is believed to be in a photo, a video or an event: what every table of observations is made of."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from edge_runtime.events import answers, grouping
from edge_runtime.journal.results import Result
from edge_runtime.values import CATEGORIES, Box, Category, Count, Detection, Individual, Species

WHOLE = Box(0.0, 0.0, 1.0, 1.0)
"""Stands for no box: of what a person saw and the detector did not."""


def of(result: Result) -> tuple[Detection, ...]:
    """What counts in a photo or video: the sure detections that are not held back.

    Where a person named something and nothing of it was detected, that is the last one, with the box `WHOLE`.
    """
    least = result.run.confident if result.run else 0.0
    found = tuple(each for each in result.detections if each.confidence >= least and not each.held)
    answer = result.answer
    if answer in (None, answers.EMPTY) or any(by_a_person(each, result) for each in found):
        return found
    category: Category = next((name for name in CATEGORIES if name == answer), "animal")
    species = None if answer in CATEGORIES or answer is None else Species(answer, 1.0, by="human")
    return (*found, Detection(category, 1.0, WHOLE, species))


def by_a_person(found: Detection, result: Result) -> bool:
    """Whether a person said what this is."""
    if found.species is not None:
        return found.species.by == "human"
    return result.answer is not None and found.category == result.answer


def confidence(found: Detection) -> float:
    """Of the label: the classifier's of a species or group, else the detector's."""
    return found.species.confidence if found.species else found.confidence


@dataclass(frozen=True, slots=True)
class Sum:
    """How many of one label."""

    category: Category
    label: str
    species: bool
    """The label is a species or a group, not just a category."""
    count: int
    confidence: float
    """The best, 0..1."""
    individual: Individual | None
    """Where it is known; `count` is 1 then."""
    human: bool
    """A person said so, for one of the photos at least."""


class Tally:
    """Counts what the photos of one event, or one photo or video, show together.

    Photos that show the same labels are kept as one, so that an event of any length fits into memory.
    """

    def __init__(self, coarser: Mapping[str, Sequence[str]]) -> None:
        self._coarser = coarser
        self._seen: dict[tuple[tuple[str, str], ...], tuple[Detection, ...]] = {}
        self._categories: dict[str, Category] = {}
        self._species: set[str] = set()
        self._human: set[str] = set()
        self._known: dict[str, dict[str, float]] = {}

    def add(self, result: Result) -> None:
        found = of(result)
        for each in found:
            self._note(each, result)
        for frame in _frames(found):
            key = tuple(sorted((each.category, each.label) for each in frame))
            # A key's detections keep the best confidence of each label; their order is that of the key.
            ordered = sorted(frame, key=lambda each: (each.category, each.label, confidence(each)))
            before = self._seen.get(key)
            self._seen[key] = (
                tuple(ordered)
                if before is None
                else tuple(max(pair, key=confidence) for pair in zip(before, ordered, strict=True))
            )

    def sums(self) -> tuple[Sum, ...]:
        """Highest confidence first; empty where nothing was seen."""
        counts = grouping.count(
            [[replace(each, individual=None) for each in frame] for frame in self._seen.values()],
            confident=0.0,
            coarser=self._coarser,
        )
        return tuple(part for count in counts for part in self._parts(count))

    def _note(self, found: Detection, result: Result) -> None:
        label = found.label
        self._categories[label] = found.category
        if found.species is not None:
            self._species.add(label)
        if by_a_person(found, result):
            self._human.add(label)
        if found.individual is not None and found.individual.name is not None:
            scores = self._known.setdefault(label, {})
            name, score = found.individual.name, found.individual.score
            scores[name] = max(score, scores.get(name, 0.0))

    def _parts(self, count: Count) -> Iterable[Sum]:
        """Each known animal by itself, then the others of the label together."""
        label = count.label
        shared = (self._categories[label], label, label in self._species)
        known = sorted(self._known.get(label, {}).items(), key=lambda entry: -entry[1])
        for name, score in known:
            yield Sum(*shared, 1, count.confidence, Individual(name, score), label in self._human)
        if count.count > len(known):
            yield Sum(*shared, count.count - len(known), count.confidence, None, label in self._human)


def _frames(found: Sequence[Detection]) -> Iterable[list[Detection]]:
    """What was seen at once: all of a photo, or one frame of a video."""
    by_frame: dict[int | None, list[Detection]] = {}
    for each in found:
        by_frame.setdefault(each.frame, []).append(each)
    return by_frame.values()
