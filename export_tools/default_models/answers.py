"""What a classifier answers on crops of known animals, and which of its answers are right."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge_runtime.bundles.manifest import Thresholds
from edge_runtime.bundles.tables import RANKS, Rank
from edge_runtime.models.taxonomy import Taxonomy
from edge_runtime.values import Species
from export_tools.default_models.known_crops import LACKING, KnownCrop
from export_tools.default_models.proof import Share, wilson

Summed = NDArray[np.float64]
"""[N, labels + 1]: probabilities as `Taxonomy.summed` gives them, one row per crop."""


@dataclass(frozen=True)
class Answered:
    """What was answered on a list of crops of known animals."""

    crops: int
    known: int
    """Of these, animals that the label table has."""
    top1: Share
    """Of the known ones, those whose most probable label is right (where "no animal" wins, it is not)."""
    named: Share
    """Of the known ones, those that were given a label."""
    right: Share
    """Of these labels, the right ones."""
    lacking_named: Share
    """Of the animals that the table lacks, those that were given a label all the same: always wrong."""
    rolled: Share
    """Of all crops, those that were given a taxon."""
    rolled_right: Share
    """Of these taxa, those that the animal belongs to."""
    by_rank: Mapping[Rank, Share]
    """The same, by the taxon's rank."""
    answered: Share
    """Of all crops, those that were given a label or a taxon."""
    answered_right: Share
    """Of these answers, the right ones."""


@dataclass(frozen=True)
class WrongAnswer:
    """An answer that is wrong, and was sure enough to be given."""

    crop: str
    """Photo and box."""
    said: str
    confidence: float
    truth: str


def answers(taxonomy: Taxonomy, summed: Summed, thresholds: Thresholds) -> list[Species | None]:
    """What the device would answer for each row."""
    return [taxonomy.answer(row, species=thresholds.species, rollup=thresholds.rollup) for row in summed]


def top1(taxonomy: Taxonomy, summed: Summed) -> list[str]:
    """The most probable label of each row, empty where "no animal" wins."""
    names = (*taxonomy.labels, "")
    return [names[index] for index in summed.argmax(axis=1)]


def is_right(taxonomy: Taxonomy, crop: KnownCrop, name: str) -> bool:
    """Whether the crop shows what `name` says: one of its labels, or a taxon that holds its animal."""
    species = crop.species or ()
    if name in species:
        return True
    if name in taxonomy.labels and name not in taxonomy.taxa:
        return False
    lineage = taxonomy.lineages[name]
    candidates = [taxonomy.lineages[known] for known in species] or [LACKING[crop.kind]]
    return any(candidate[: len(lineage)] == lineage for candidate in candidates)


def judge(
    taxonomy: Taxonomy, crops: Sequence[KnownCrop], given: Sequence[Species | None], best: Sequence[str]
) -> Answered:
    """Count what was answered; crops of unknown animals are left out.

    Args:
        given: as `answers` gives them.
        best: as `top1` gives them.
    """
    rows = [row for row in zip(crops, given, best, strict=True) if row[0].species is not None]
    known = [row for row in rows if row[0].species]
    lacking = [row for row in rows if not row[0].species]
    said = [(crop, answer.name) for crop, answer, _ in rows if answer]
    labels = [(crop, name) for crop, name in said if name not in taxonomy.taxa]
    taxa = [(crop, name) for crop, name in said if name in taxonomy.taxa]
    known_labels = [(crop, name) for crop, name in labels if crop.species]

    def right(some: Sequence[tuple[KnownCrop, str]]) -> Share:
        return wilson(sum(is_right(taxonomy, crop, name) for crop, name in some), len(some))

    ranks = Counter(taxonomy.ranks[name] for _, name in taxa)
    return Answered(
        crops=len(rows),
        known=len(known),
        top1=wilson(sum(top in (crop.species or ()) for crop, _, top in known), len(known)),
        named=wilson(len(known_labels), len(known)),
        right=right(known_labels),
        lacking_named=wilson(len(labels) - len(known_labels), len(lacking)),
        rolled=wilson(len(taxa), len(rows)),
        rolled_right=right(taxa),
        by_rank={
            rank: right([(crop, name) for crop, name in taxa if taxonomy.ranks[name] == rank])
            for rank in reversed(RANKS)
            if ranks[rank]
        },
        answered=wilson(len(said), len(rows)),
        answered_right=right(said),
    )


def wrong(taxonomy: Taxonomy, crops: Sequence[KnownCrop], given: Sequence[Species | None]) -> list[WrongAnswer]:
    """The wrong answers to crops of known animals, surest first."""
    found = [
        WrongAnswer(crop.name, answer.name, round(answer.confidence, 3), crop.kind)
        for crop, answer in zip(crops, given, strict=True)
        if answer and crop.species is not None and not is_right(taxonomy, crop, answer.name)
    ]
    return sorted(found, key=lambda entry: -entry.confidence)
