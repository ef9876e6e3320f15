"""The figures that the packaged classifier is judged by, and the thresholds that are chosen by them."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from edge_runtime.bundles.manifest import Thresholds
from edge_runtime.models.taxonomy import Taxonomy
from export_tools.default_models import answers, classifier_report, known_crops, proof
from export_tools.default_models.answers import Answered
from export_tools.default_models.known_crops import KnownCrop
from export_tools.default_models.proof import Outputs

PER_ORIGIN = 60
"""Crops of one kind of photo that count when the threshold is chosen."""
LEAST_RIGHT = 0.98
"""Both thresholds are the lowest at which this share is right of what animals of the table are called: first of the
labels, then, with that threshold for labels, of all answers."""
THRESHOLDS = tuple(round(0.3 + 0.05 * step, 2) for step in range(13))
ROLLUPS = tuple(round(0.5 + 0.05 * step, 2) for step in range(9))
"""Below a half, two taxa of one rank could both be sure."""


@dataclass(frozen=True)
class Looked:
    """A list of crops and what both graphs make of them."""

    title: str
    crops: list[KnownCrop]
    float32: Outputs
    int8: Outputs


@dataclass(frozen=True)
class Chosen:
    """The thresholds, and what they were chosen by."""

    species: float
    rollup: float
    labels_by_threshold: list[dict[str, Any]]
    """`Answered` at each `threshold` for labels, with no groups."""
    taxa_by_threshold: list[dict[str, Any]]
    """`Answered` at each `threshold` for groups, with the chosen one for labels."""
    known_by_threshold: list[dict[str, Any]]
    """The same over the animals of the label table only."""
    per_origin: int = PER_ORIGIN
    least: float = LEAST_RIGHT

    @property
    def thresholds(self) -> Thresholds:
        return Thresholds(species=self.species, rollup=self.rollup)


def choose_thresholds(taxonomy: Taxonomy, looked: Sequence[Looked]) -> Chosen:
    """The lowest thresholds at which the INT8 graph is right often enough on the lists together (`LEAST_RIGHT`)."""
    labels = [_judged(taxonomy, looked, Thresholds(species=level, rollup=1.0)) for level in THRESHOLDS]
    species = _lowest(THRESHOLDS, [found.right for found in labels])
    levels = [Thresholds(species=species, rollup=level) for level in ROLLUPS]
    taxa = [_judged(taxonomy, looked, level) for level in levels]
    known = [_judged(taxonomy, looked, level, lacking=False) for level in levels]
    return Chosen(
        species=species,
        rollup=_lowest(ROLLUPS, [found.answered_right for found in known]),
        labels_by_threshold=_rows(THRESHOLDS, labels),
        taxa_by_threshold=_rows(ROLLUPS, taxa),
        known_by_threshold=_rows(ROLLUPS, known),
    )


def of_list(taxonomy: Taxonomy, one: Looked, thresholds: Thresholds) -> dict[str, Any]:
    """The figures of one list of crops, as the card tells them."""

    def judged(outputs: Outputs) -> dict[str, Any]:
        summed = np.stack([taxonomy.summed(row) for row in outputs.probabilities])
        given = answers.answers(taxonomy, summed, thresholds)
        return dataclasses.asdict(classifier_report.of_list(one.title, taxonomy, one.crops, summed, given))

    return {
        "title": one.title,
        "crops": len(one.crops),
        "agreement": dataclasses.asdict(proof.compare(taxonomy, one.float32, one.int8, thresholds)),
        "embedding": dataclasses.asdict(_embedding_agreement(one)),
        "same_kind": {
            "fp32": dataclasses.asdict(_same_kind(one, one.float32)),
            "int8": dataclasses.asdict(_same_kind(one, one.int8)),
        },
        "fp32": judged(one.float32),
        "int8": judged(one.int8),
    }


def _judged(taxonomy: Taxonomy, looked: Sequence[Looked], thresholds: Thresholds, *, lacking: bool = True) -> Answered:
    """What the INT8 graph would answer on the lists together; `lacking`: animals that the table lacks count too."""
    crops, rows = [], []
    for one in looked:
        for place in known_crops.capped(one.crops, PER_ORIGIN):
            if lacking or one.crops[place].species:
                crops.append(one.crops[place])
                rows.append(taxonomy.summed(one.int8.probabilities[place]))
    summed = np.stack(rows)
    return answers.judge(taxonomy, crops, answers.answers(taxonomy, summed, thresholds), answers.top1(taxonomy, summed))


def _lowest(levels: Sequence[float], right: Sequence[proof.Share]) -> float:
    return next((level for level, share in zip(levels, right, strict=True) if share.share >= LEAST_RIGHT), levels[-1])


def _rows(levels: Sequence[float], found: Sequence[Answered]) -> list[dict[str, Any]]:
    return [{"threshold": level, **dataclasses.asdict(one)} for level, one in zip(levels, found, strict=True)]


def _embedding_agreement(one: Looked) -> proof.EmbeddingAgreement:
    return proof.compare_embeddings(one.float32, one.int8, [crop.group for crop in one.crops])


def _same_kind(one: Looked, outputs: Outputs) -> proof.Share:
    """Of the crops of known animals, those whose most alike crop of another group shows the same kind of animal."""
    nearest = proof.neighbours(proof.directions(outputs.features), [crop.group for crop in one.crops])
    known = [place for place, crop in enumerate(one.crops) if crop.species is not None]
    hits = sum(one.crops[place].kind == one.crops[nearest[place]].kind for place in known)
    return proof.wilson(hits, len(known))
