"""One animal through the looks of an event. Pure functions."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby

from edge_runtime.values import Box, Detection

NEAR = 2.0
"""How far an animal may have moved between two looks, as `_distance` measures it: two lengths of its own."""
BURST_S = 5.0
"""Within so many seconds the only animal before and the only one now are the same one, however far it moved."""
MISSED = 1
"""So many looks that show other animals may lie between two of one."""


@dataclass(frozen=True, slots=True)
class Sighting:
    """One detection of an event, and where it stands."""

    medium: int
    """Place of its photo or video among those of the event, from 0."""
    rank: int
    """Its own among the detections of that medium, from 0."""
    detection: Detection


@dataclass(frozen=True, slots=True)
class Look:
    """What is seen at once: one photo, or one frame of a video."""

    time_s: float | None
    """UTC seconds since 1970; None where nothing is known."""
    sightings: tuple[Sighting, ...]


Track = tuple[Sighting, ...]
"""One animal, in the order of the looks."""


@dataclass
class _Open:
    sightings: list[Sighting]
    look: int
    time_s: float | None


def looks(
    medium: int, detections: Sequence[Detection], *, time_s: float | None = None, frame_rate: float | None = None
) -> list[Look]:
    """The looks at one photo or video, in order: of a video, those at the frames that show something.

    Args:
        time_s: when it was taken; of a video, its beginning.
        frame_rate: of a video, frames a second; None for a photo.
    """
    sightings = [Sighting(medium, rank, found) for rank, found in enumerate(detections)]
    if frame_rate is None:
        return [Look(time_s, tuple(sightings))]
    made: list[Look] = []
    for frame, together in groupby(sorted(sightings, key=_frame), key=_frame):
        made.append(Look((time_s or 0.0) + frame / frame_rate, tuple(together)))
    return made


def follow(looks: Iterable[Look], *, confident: float) -> list[Track]:
    """The animals of consecutive looks, each detection that counts in exactly one of them.

    From look to look the nearest go together, greedily and one to one, where they are near (`NEAR`), or where one
    animal alone was there before and one alone is now, within a burst (`BURST_S`). Looks that show no animal are passed
    over: a detector misses some.

    Args:
        confident: weaker detections do not count, nor do those that are held.
    """
    tracks: list[_Open] = []
    alive: list[_Open] = []
    number = 0
    for look in looks:
        animals = [one for one in look.sightings if _counts(one.detection, confident)]
        if not animals:
            continue
        number += 1
        alive = [track for track in alive if number - track.look <= 1 + MISSED]
        for track, animal in _linked(alive, animals, look.time_s):
            if track is None:
                track = _Open([], number, look.time_s)
                tracks.append(track)
                alive.append(track)
            track.sightings.append(animal)
            track.look, track.time_s = number, look.time_s
    return [tuple(track.sightings) for track in tracks]


def _linked(
    alive: Sequence[_Open], animals: Sequence[Sighting], time_s: float | None
) -> list[tuple[_Open | None, Sighting]]:
    """Each of the animals with the track that it goes on, None for one that begins."""
    if len(alive) == 1 and len(animals) == 1 and _soon(alive[0].time_s, time_s):
        return [(alive[0], animals[0])]
    near = [
        (distance, before, now)
        for before, track in enumerate(alive)
        for now, animal in enumerate(animals)
        if (distance := _distance(track.sightings[-1].detection.box, animal.detection.box)) <= NEAR
    ]
    of_animal: dict[int, int] = {}
    for _, before, now in sorted(near):
        if now not in of_animal and before not in of_animal.values():
            of_animal[now] = before
    return [(alive[of_animal[now]] if now in of_animal else None, animal) for now, animal in enumerate(animals)]


def _distance(one: Box, other: Box) -> float:
    """Between the centres, in mean lengths of the boxes; more by half the logarithm of the ratio of their areas."""
    width, height = (one.x2 - one.x1 + other.x2 - other.x1) / 2, (one.y2 - one.y1 + other.y2 - other.y1) / 2
    across = (one.x1 + one.x2 - other.x1 - other.x2) / 2 / width
    down = (one.y1 + one.y2 - other.y1 - other.y2) / 2 / height
    return math.hypot(across, down) + abs(math.log(one.area / other.area)) / 2


def _soon(before: float | None, now: float | None) -> bool:
    return before is not None and now is not None and abs(now - before) <= BURST_S


def _counts(found: Detection, confident: float) -> bool:
    return found.category == "animal" and found.confidence >= confident and not found.held


def _frame(sighting: Sighting) -> int:
    return sighting.detection.frame or 0
