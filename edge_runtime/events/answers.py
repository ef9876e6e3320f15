"""What a person's word on a photo makes of its detections. Pure functions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from edge_runtime.values import CATEGORIES, Category, Detection, Species

EMPTY = "empty"
"""The answer that there is nothing in the photo. The others are a category, or the name of a species or a group."""


def applied(detections: Sequence[Detection], answer: str | None, *, confident: float) -> tuple[Detection, ...]:
    """The detections as `answer` has them.

    It is about the animals in the photo that count, or, where none does, about whatever counts: people and vehicles
    beside an animal stay what they are, and so does what was too weak to count.

    Args:
        answer: None for none.
        confident: least confidence of a detection that counts.
    """
    if answer is None:
        return tuple(detections)
    counting = [found for found in detections if found.confidence >= confident and not found.held]
    about = [found for found in counting if found.category == "animal"] or counting
    chosen = {id(found) for found in about}
    return tuple(_answered(found, answer) if id(found) in chosen else found for found in detections)


def _answered(found: Detection, answer: str) -> Detection:
    if answer == EMPTY:
        return replace(found, held="refuted")
    category: Category = next((name for name in CATEGORIES if name == answer), "animal")
    if answer in CATEGORIES:
        return replace(found, category=category, species=None)
    return replace(found, category=category, species=Species(answer, 1.0, by="human"))
