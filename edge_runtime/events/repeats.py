"""Places of a fixed camera's view that are found again and again: a branch, a rock, the info strip. Pure functions.

After the repeat detection elimination of the `megadetector` package: what is found in the same box in so many events
does not walk. Its category does not matter, for a branch that is an animal by day may be a person by night.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from edge_runtime.settings import Repeats
from edge_runtime.values import Box

State = Literal["suspect", "repeat", "real"]
"""Found too seldom so far to be told; found so often that it is held back, or a person says so; a person says that it
is what it looks like."""

GRID = 16
"""Cells each way, over the whole view; a box belongs to that of its centre."""


_ROUNDING = 1e-9


@dataclass(frozen=True, slots=True)
class Place:
    """Where a camera found something. Its box is that of the first time and never moves, so it cannot drift."""

    id: int
    camera: str
    box: Box
    events: int
    """In which it was found."""
    last_event: int
    """The last of them."""
    state: State


def cell(box: Box) -> int:
    """The cell of a box, row by row from 0."""
    return _index((box.y1 + box.y2) / 2) * GRID + _index((box.x1 + box.x2) / 2)


def cells(box: Box, least_iou: float) -> tuple[tuple[int, int], ...]:
    """First and last cell of each row of cells in which the boxes with this IoU or more can be.

    The common share of two spans, of which one is `w` long, is at most as large as their IoU allows, so their centres
    are at most `w (1 - iou) / (2 iou)` apart; and the IoU of two boxes is never more than that of their spans.
    """
    reach = (1 - least_iou) / (2 * least_iou) + _ROUNDING
    across, down = reach * (box.x2 - box.x1), reach * (box.y2 - box.y1)
    middle, height = (box.x1 + box.x2) / 2, (box.y1 + box.y2) / 2
    first, last = _index(middle - across), _index(middle + across)
    rows = range(_index(height - down), _index(height + down) + 1)
    return tuple((row * GRID + first, row * GRID + last) for row in rows)


def nearest(box: Box, places: Iterable[Place], least_iou: float) -> Place | None:
    """The place that the box lies in, the one with the largest IoU; None where all have less than `least_iou`."""
    shares = ((iou(box, place.box), place) for place in places)
    found = [entry for entry in shares if entry[0] >= least_iou]
    return max(found, key=lambda entry: (entry[0], -entry[1].id))[1] if found else None


def can_repeat(box: Box, rule: Repeats) -> bool:
    """Whether such a box is judged at all: an animal that fills the view fills it the same way each time."""
    return box.area <= rule.area


def state_after(state: State, events: int, rule: Repeats) -> State:
    """The state of a place that was found in so many events; what a person said stays."""
    return "repeat" if state == "suspect" and events >= rule.times else state


def iou(one: Box, other: Box) -> float:
    """Common area over joint area, 0..1."""
    across = min(one.x2, other.x2) - max(one.x1, other.x1)
    down = min(one.y2, other.y2) - max(one.y1, other.y1)
    common = max(across, 0.0) * max(down, 0.0)
    joint = one.area + other.area - common
    return common / joint if joint > 0 else 0.0


def _index(fraction: float) -> int:
    return min(GRID - 1, max(0, int(fraction * GRID)))
