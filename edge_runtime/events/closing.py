"""What an event shows in the end: its animals, how many of what, and what a person should look at. Pure functions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from edge_runtime.events import answers, evidence, grouping, review, tracks
from edge_runtime.events.evidence import Naming, Verdict
from edge_runtime.events.tracks import Look, Track
from edge_runtime.settings import EvidenceRule
from edge_runtime.values import Count, Detection, Individual


@dataclass(frozen=True, slots=True)
class Medium:
    """One photo or video of an event."""

    id: int
    """Of its row in the journal."""
    detections: tuple[Detection, ...]
    """Each by itself, in the order of their ranks."""
    time_s: float | None = None
    """UTC seconds since 1970; of a video, of its beginning."""
    frame_rate: float | None = None
    """Of a video, frames a second."""
    answer: str | None = None
    """What a person said of it."""


@dataclass(frozen=True, slots=True)
class Animal:
    """One animal of an event."""

    track: Track
    verdict: Verdict
    individual: Individual | None = None


@dataclass(frozen=True, slots=True)
class Account:
    """What an event shows."""

    counts: tuple[Count, ...]
    reasons: tuple[str, ...]
    """Of each medium, why a person should look at it; empty where none should, or has."""

    @property
    def review(self) -> bool:
        return any(self.reasons)


def follow(media: Sequence[Medium], naming: Naming | None, rule: EvidenceRule, *, confident: float) -> list[Animal]:
    """The animals of an event, by what the machine saw alone.

    Args:
        media: in the order in which they were taken.
        naming: of the classifier; None without one.
        confident: least confidence of a detection that counts.
    """
    followed = tracks.follow(_looks(media), confident=confident)
    return [Animal(track, evidence.weigh([one.detection for one in track], naming, rule)) for track in followed]


def one_name_once(animals: Sequence[Animal]) -> list[Animal]:
    """Of animals that are seen together and were taken for the same individual, only the most alike stays it."""
    best_first = sorted(animals, key=lambda animal: -animal.individual.score if animal.individual else 0.0)
    taken: dict[str, set[tuple[int, int | None]]] = {}
    kept: dict[int, Animal] = {}
    for animal in best_first:
        name = animal.individual.name if animal.individual else None
        if name is not None:
            when = {(one.medium, one.detection.frame) for one in animal.track}
            if not taken.setdefault(name, set()).isdisjoint(when):
                kept[id(animal)] = replace(animal, individual=None)
                continue
            taken[name] |= when
        kept[id(animal)] = animal
    return [kept[id(animal)] for animal in animals]


def account(
    media: Sequence[Medium],
    animals: Sequence[Animal],
    naming: Naming | None,
    *,
    confident: float,
) -> Account:
    """What the event shows: people's words win over those of the animals, and these over single crops.

    A person's word on one photo counts for the animals in it wherever else they are seen.
    """
    coarser = naming.coarser if naming else grouping.NO_TAXA
    final = _final(media, animals, confident)
    believed = [[final[one.medium, one.rank] for one in look.sightings] for look in _looks(media) if look.sightings]
    counts = grouping.count(believed, confident=confident, coarser=coarser)
    why: list[dict[str, None]] = [{} for _ in media]
    for animal in animals:
        said = dict.fromkeys(review.reasons(animal.verdict, animal.individual, naming))
        for place in {one.medium for one in animal.track}:
            why[place] |= said
    reasons = tuple("" if medium.answer else "; ".join(said) for medium, said in zip(media, why, strict=True))
    return Account(counts, reasons)


def _looks(media: Sequence[Medium]) -> list[Look]:
    return [
        look
        for place, medium in enumerate(media)
        for look in tracks.looks(place, medium.detections, time_s=medium.time_s, frame_rate=medium.frame_rate)
    ]


def _final(media: Sequence[Medium], animals: Sequence[Animal], confident: float) -> Mapping[tuple[int, int], Detection]:
    """Of each place of a medium and rank in it the detection as it is believed."""
    final = {(place, rank): found for place, medium in enumerate(media) for rank, found in enumerate(medium.detections)}
    for animal in animals:
        for one in animal.track:
            final[one.medium, one.rank] = replace(
                one.detection, species=animal.verdict.species, individual=animal.individual
            )
    for place, medium in enumerate(media):
        by_event = [final[place, rank] for rank in range(len(medium.detections))]
        for rank, found in enumerate(answers.applied(by_event, medium.answer, confident=confident)):
            final[place, rank] = found
    for animal in animals:
        told = [final[one.medium, one.rank] for one in animal.track if media[one.medium].answer]
        named = next((found for found in reversed(told) if not found.held), None)
        if named is not None:
            for one in animal.track:
                if not media[one.medium].answer:
                    final[one.medium, one.rank] = replace(one.detection, category=named.category, species=named.species)
    return final
