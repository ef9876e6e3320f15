"""What is believed to be in a photo, a video or an event: what every table of observations is made of."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from edge_runtime.events import answers, grouping
from edge_runtime.journal.results import Result
from edge_runtime.values import CATEGORIES, Box, Category, Detection, Individual, Species

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
    """Counts what the photos of one event, or one photo or video, show together, as `grouping.count` does.

    Photos that show the same are kept as one, so that an event of any length fits into memory.

    Args:
        coarser: of each name those that hold it, finest first.
    """

    def __init__(self, coarser: Mapping[str, Sequence[str]]) -> None:
        self._coarser = coarser
        self._seen: dict[tuple[_Shown, ...], tuple[Detection, ...]] = {}
        self._categories: dict[str, Category] = {}
        self._species: set[str] = set()
        self._human: set[str] = set()

    def add(self, result: Result) -> None:
        found = of(result)
        for each in found:
            self._categories[each.label] = each.category
            if each.species is not None:
                self._species.add(each.label)
            if by_a_person(each, result):
                self._human.add(each.label)
        for frame in _frames(found):
            shown = sorted(((_shown(each), each) for each in frame), key=lambda pair: pair[0])
            key, these = tuple(pair[0] for pair in shown), tuple(pair[1] for pair in shown)
            known = self._seen.get(key)
            self._seen[key] = these if known is None else tuple(map(_surer, known, these))

    def sums(self) -> tuple[Sum, ...]:
        """Highest confidence first; empty where nothing was seen."""
        counts = grouping.count(list(self._seen.values()), confident=0.0, coarser=self._coarser)
        return tuple(
            Sum(
                self._categories[count.label],
                count.label,
                count.label in self._species,
                count.count,
                count.confidence,
                None if count.individual is None else Individual(count.individual, count.score),
                count.label in self._human,
            )
            for count in counts
        )


_Shown = tuple[str, str, str]


def _shown(found: Detection) -> _Shown:
    """What a detection adds to a count, but for how sure it is."""
    who = found.individual
    return found.category, found.label, (who.name or "") if who else ""


def _surer(one: Detection, other: Detection) -> Detection:
    """Two that show the same, with the better figures of both."""
    best, rest = (one, other) if confidence(one) >= confidence(other) else (other, one)
    if best.individual and rest.individual and rest.individual.score > best.individual.score:
        return replace(best, individual=rest.individual)
    return best


def _frames(found: Sequence[Detection]) -> Iterable[list[Detection]]:
    """What was seen at once: all of a photo, or one frame of a video."""
    by_frame: dict[int | None, list[Detection]] = {}
    for each in found:
        by_frame.setdefault(each.frame, []).append(each)
    return by_frame.values()
