"""From class probabilities to an answer: a label where one is sure enough, else the finest group that is."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from edge_runtime.bundles.tables import RANKS, Label, Rank, Taxon
from edge_runtime.values import LEAST_SCORE, NO_ANIMAL, Scores, Species


class Taxonomy:
    """The names that a classifier can say, and how they lie in each other.

    Args:
        allowed: names of labels, and of taxa for all labels that they hold; no other label is ever the answer, nor is a
            taxon that holds none of them. None allows all.
    """

    def __init__(
        self, labels: Sequence[Label], taxa: Sequence[Taxon] = (), allowed: Collection[str] | None = None
    ) -> None:
        animals = {label.name: label for label in labels if label.kind == "animal"}
        self.labels: tuple[str, ...] = tuple(animals)
        """The label table's animals, each once."""
        self.taxa: tuple[str, ...] = tuple(taxon.name for taxon in taxa)
        """The names of the taxa; a label that means the whole taxon may share its name."""
        self.names: tuple[str, ...] = tuple(dict.fromkeys((*self.labels, *self.taxa)))
        """Every name that an answer may have: the labels, then the taxa."""
        self.ranks: Mapping[str, Rank] = {
            **{name: RANKS[len(label.lineage) - 1] for name, label in animals.items() if label.lineage},
            **{taxon.name: taxon.rank for taxon in taxa},
        }
        """The rank of each name, where the bundle says it."""
        self.lineages: Mapping[str, tuple[str, ...]] = {
            **{name: label.lineage for name, label in animals.items()},
            **{taxon.name: _lineage(taxon, animals.values()) for taxon in taxa},
        }
        """Scientific names from the class down to the name itself, as far as the bundle says them."""
        finest_first = sorted(taxa, key=lambda taxon: -RANKS.index(taxon.rank))
        self.coarser: Mapping[str, tuple[str, ...]] = {
            name: tuple(taxon.name for taxon in finest_first if taxon.name != name and taxon.holds(lineage))
            for name, lineage in self.lineages.items()
        }
        """Of each name the names of the taxa that it belongs to, finest first."""
        self.groups = frozenset(self.taxa) - frozenset(self.labels)
        """The names that are said only where no single label is sure."""
        place = self._place = {name: index for index, name in enumerate(self.labels)}
        # Everything that is no animal shares one last column, so that it competes as a whole.
        self._column = np.array([place[label.name] if label.kind == "animal" else len(place) for label in labels])
        self._allowed = np.array(
            [allowed is None or not {name, *self.coarser[name]}.isdisjoint(allowed) for name in self.labels], np.bool_
        )
        members = np.array(
            [[taxon.holds(label.lineage) for label in animals.values()] for taxon in finest_first], np.float64
        ).reshape(len(taxa), len(animals))
        sayable = (members @ self._allowed) > 0
        self._members = members[sayable]
        self._taxa = [
            (taxon.name, RANKS.index(taxon.rank)) for taxon, said in zip(finest_first, sayable, strict=True) if said
        ]

    @property
    def classes(self) -> int:
        """Output classes that the label table describes."""
        return len(self._column)

    def summed(self, probabilities: NDArray[np.float32]) -> NDArray[np.float64]:
        """Class probabilities [classes] summed by label: [labels + 1], the last is everything that is no animal."""
        by_label: NDArray[np.float64] = np.bincount(
            self._column, weights=probabilities, minlength=len(self.labels) + 1
        ).astype(np.float64)
        return by_label

    def scores(self, summed: NDArray[np.float64]) -> Scores:
        """`summed` by name, the highest first, without what is below `LEAST_SCORE`; at least the highest."""
        named = zip((*self.labels, NO_ANIMAL), summed.tolist(), strict=True)
        ordered = sorted(((name, round(min(score, 1.0), 4)) for name, score in named), key=lambda entry: -entry[1])
        return tuple(entry for place, entry in enumerate(ordered) if entry[1] >= LEAST_SCORE or place == 0)

    def unnamed(self, scores: Mapping[str, float]) -> NDArray[np.float64]:
        """Probabilities by name, as `summed` gives them; names that this taxonomy has not are left out."""
        summed = np.zeros(len(self.labels) + 1, np.float64)
        for name, score in scores.items():
            place = len(self.labels) if name == NO_ANIMAL else self._place.get(name)
            if place is not None:
                summed[place] = score
        return summed

    def answer(self, summed: NDArray[np.float64], *, species: float, rollup: float) -> Species | None:
        """What to say of one crop.

        The most probable label where it reaches `species`. Else probabilities are summed up the tree, and the finest
        taxon that reaches `rollup` is the answer; labels that are not allowed count in the taxa that hold them. None
        where no taxon does, or where it is no animal rather.

        Args:
            summed: as `summed` gives it.
            species: least probability of a label.
            rollup: least summed probability of a taxon.
        """
        animals, other = summed[:-1], float(summed[-1])
        best = int(np.argmax(animals))
        if self._allowed[best] and animals[best] >= max(species, other):
            return Species(self.labels[best], min(float(animals[best]), 1.0))
        sums = self._members @ animals
        sure = [
            (rank, float(total), name)
            for (name, rank), total in zip(self._taxa, sums, strict=True)
            if total >= max(rollup, other)
        ]
        if not sure:
            return None
        _, total, name = max(sure)
        return Species(name, min(total, 1.0))


def _lineage(taxon: Taxon, labels: Iterable[Label]) -> tuple[str, ...]:
    member = next(label for label in labels if taxon.holds(label.lineage))
    return member.lineage[: RANKS.index(taxon.rank) + 1]
