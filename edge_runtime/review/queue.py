"""The photos that people should look at, and what the machine says of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from edge_runtime.journal.reading import JournalReader
from edge_runtime.journal.results import Result
from edge_runtime.values import Detection


@dataclass(frozen=True, slots=True)
class Claim:
    """One thing that the machine says of a photo."""

    label: str
    confidence: float
    """0..1: the classifier's for a species or a group, else the detector's."""


def pictures(reader: JournalReader) -> Iterator[Result]:
    """Every photo and video that was read, each picture once, event after event; in bounded memory."""
    last: bytes | None = None
    for result in reader.results(by_event=True):
        if result.sha256 is not None and result.sha256 != last:
            yield result
        last = result.sha256


def waiting(reader: JournalReader) -> Iterator[Result]:
    """Those of them that a person should look at and none has."""
    return (result for result in pictures(reader) if result.review)


def counting(result: Result) -> tuple[Detection, ...]:
    """The detections that count."""
    confident = result.run.confident if result.run else 0.0
    return tuple(found for found in result.detections if found.confidence >= confident and not found.held)


def animals(result: Result) -> tuple[Detection, ...]:
    """Those of them that show animals."""
    return tuple(found for found in counting(result) if found.category == "animal")


def claims(result: Result) -> tuple[Claim, ...]:
    """What the machine says of a photo, each label once, the surest first."""
    best: dict[str, float] = {}
    for found in counting(result):
        confidence = found.species.confidence if found.species else found.confidence
        best[found.label] = max(best.get(found.label, 0.0), confidence)
    return tuple(Claim(label, best[label]) for label in sorted(best, key=lambda label: (-best[label], label)))
