"""People are never embedded."""

from __future__ import annotations

from collections.abc import Iterable

from edge_runtime.values import Box, Detection

PERSON = 0.2
"""Confidence of a person's box from which on it counts here: rather an animal left out than a person taken in."""
_SHARED = 0.1


def shows_person(box: Box, detections: Iterable[Detection]) -> bool:
    """Whether more than a tenth of `box`, or of a person's box, is in both."""
    return any(
        found.category == "person" and found.confidence >= PERSON and _overlaps(box, found.box) for found in detections
    )


def _overlaps(box: Box, other: Box) -> bool:
    across = min(box.x2, other.x2) - max(box.x1, other.x1)
    down = min(box.y2, other.y2) - max(box.y1, other.y1)
    return max(across, 0.0) * max(down, 0.0) > _SHARED * min(box.area, other.area)
