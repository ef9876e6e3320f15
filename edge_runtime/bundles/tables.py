"""The tables of a bundle: its label table, with a taxonomy where it has one, and the taxa that it may answer with."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from edge_runtime.errors import BundleError

Kind = Literal["animal", "person", "vehicle", "other"]
KINDS: tuple[Kind, ...] = ("animal", "person", "vehicle", "other")

Rank = Literal["class", "order", "family", "genus", "species"]
RANKS: tuple[Rank, ...] = ("class", "order", "family", "genus", "species")
"""Coarsest first."""


@dataclass(frozen=True, slots=True)
class Label:
    """One output class of a model."""

    name: str
    kind: Kind
    lineage: tuple[str, ...] = ()
    """Scientific names of its class, order, family, genus and species, as far down as the label goes."""


@dataclass(frozen=True, slots=True)
class Taxon:
    """A group of labels that a classifier may answer with where it is sure of no single one."""

    rank: Rank
    scientific: str
    name: str
    """What people call it."""

    def holds(self, lineage: Sequence[str]) -> bool:
        """Whether what has this lineage (`Label.lineage`) belongs to the taxon, or is it."""
        place = RANKS.index(self.rank)
        return place < len(lineage) and lineage[place] == self.scientific


def read_labels(file: Path) -> tuple[Label, ...]:
    """Read a label table (BUNDLE.md), one row per output class in order.

    Raises:
        BundleError: names the row that is wrong, or the taxon that stands in two places.
    """
    labels = tuple(
        _label(file, line, index, row)
        for index, (line, row) in enumerate(_rows(file, ("index", "label", "kind"), optional=RANKS))
    )
    if not labels:
        raise BundleError(file, "has no rows")
    _check_tree(file, labels)
    return labels


def read_taxa(file: Path, labels: Sequence[Label]) -> tuple[Taxon, ...]:
    """Read the table of a bundle's taxa (BUNDLE.md); `labels` is its label table.

    Raises:
        BundleError: names the row that is wrong.
    """
    taxa: list[Taxon] = []
    for line, row in _rows(file, ("rank", "taxon", "name")):
        taxon = Taxon(_rank(file, line, row["rank"]), row["taxon"], row["name"])
        if not taxon.name:
            raise BundleError(file, f"line {line}: a name is missing")
        if any(taxon.name == other.name or taxon.scientific == other.scientific for other in taxa):
            raise BundleError(file, f"line {line}: '{taxon.scientific}' or '{taxon.name}' stands twice")
        animals = [label for label in labels if label.kind == "animal"]
        if not any(taxon.holds(label.lineage) for label in animals):
            raise BundleError(file, f"line {line}: no animal of the label table has the {taxon.rank} '{row['taxon']}'")
        # A label that means the whole taxon may share its name; one that means anything else would be taken for it.
        for label in animals:
            if label.name == taxon.name and label.lineage[-1:] != (taxon.scientific,):
                raise BundleError(file, f"line {line}: '{taxon.name}' is the name of another label")
        taxa.append(taxon)
    return tuple(taxa)


def _rows(file: Path, columns: Sequence[str], *, optional: Sequence[str] = ()) -> Iterator[tuple[int, dict[str, str]]]:
    """Line number and row, with every column of both lists; the optional ones are all there or none."""
    try:
        with file.open(encoding="utf-8", newline="") as stream:
            reader = csv.DictReader(stream)
            header = set(reader.fieldnames or ())
            missing = [name for name in columns if name not in header]
            if header & set(optional):
                missing += [name for name in optional if name not in header]
            if missing:
                raise BundleError(file, f"the header lacks {', '.join(sorted(missing))}", hint=",".join(columns))
            for row in reader:
                yield reader.line_num, {name: row.get(name) or "" for name in (*columns, *optional)}
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise BundleError(file, f"cannot be read as a table: {error}") from error


def _label(file: Path, line: int, index: int, row: dict[str, str]) -> Label:
    if row["index"] != str(index):
        raise BundleError(file, f"line {line}: expected index {index}, found '{row['index']}'")
    lineage = [row[rank] for rank in RANKS]
    while lineage and not lineage[-1]:
        lineage.pop()
    if not all(lineage):
        raise BundleError(file, f"line {line}: the {RANKS[lineage.index('')]} is missing above '{lineage[-1]}'")
    for known in KINDS:
        if row["kind"] == known:
            if known != "other" and not row["label"]:
                raise BundleError(file, f"line {line}: a label is missing")
            return Label(row["label"], known, tuple(lineage))
    raise BundleError(file, f"line {line}: kind '{row['kind']}' is none of {', '.join(KINDS)}")


def _rank(file: Path, line: int, name: str) -> Rank:
    for rank in RANKS:
        if name == rank:
            return rank
    raise BundleError(file, f"line {line}: rank '{name}' is none of {', '.join(RANKS)}")


def _check_tree(file: Path, labels: Sequence[Label]) -> None:
    above: dict[tuple[int, str], tuple[str, ...]] = {}
    by_name: dict[str, tuple[str, ...]] = {}
    for label in labels:
        if label.kind != "animal":
            continue
        if by_name.setdefault(label.name, label.lineage) != label.lineage:
            raise BundleError(file, f"the rows of '{label.name}' differ in their taxonomy")
        for place, taxon in enumerate(label.lineage):
            if above.setdefault((place, taxon), label.lineage[:place]) != label.lineage[:place]:
                raise BundleError(file, f"the {RANKS[place]} '{taxon}' stands in two places ('{label.name}')")
