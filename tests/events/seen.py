"""Detections for the tests of events."""

from __future__ import annotations

from edge_runtime.values import Box, Category, Detection, Scores, Species

SIDE = 0.1


def animal(
    x: float = 0.5,
    y: float = 0.5,
    *,
    species: str | None = None,
    scores: Scores = (),
    confidence: float = 0.9,
    category: Category = "animal",
    frame: int | None = None,
    side: float = SIDE,
) -> Detection:
    """One with its centre at x, y. Scores without a species that is named have their best one for it, from 0.5 on."""
    box = Box(x - side / 2, y - side / 2, x + side / 2, y + side / 2)
    if scores and species is None and scores[0][0] and scores[0][1] >= 0.5:
        species = scores[0][0]
    named = Species(species, scores[0][1] if scores else 0.8) if species else None
    return Detection(category, confidence, box, named, scores, frame)
