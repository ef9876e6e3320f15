"""Writing the tables of a bundle: its labels and its taxa."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

from edge_runtime.bundles.tables import RANKS, Label, Taxon


def write_labels(labels: Sequence[Label], file: Path) -> Path:
    """Write the labels as BUNDLE.md has them, with a taxonomy where one of them has one; returns `file`."""
    with_taxa = any(label.lineage for label in labels)
    with file.open("w", encoding="utf-8", newline="") as stream:
        table = csv.writer(stream, lineterminator="\n")
        table.writerow(["index", "label", "kind", *(RANKS if with_taxa else ())])
        for index, label in enumerate(labels):
            lineage = [*label.lineage, *[""] * (len(RANKS) - len(label.lineage))] if with_taxa else []
            table.writerow([index, label.name, label.kind, *lineage])
    return file


def write_taxa(taxa: Sequence[Taxon], file: Path) -> Path:
    """Write the taxa as BUNDLE.md has them; returns `file`."""
    with file.open("w", encoding="utf-8", newline="") as stream:
        table = csv.writer(stream, lineterminator="\n")
        table.writerow(["rank", "taxon", "name"])
        table.writerows([taxon.rank, taxon.scientific, taxon.name] for taxon in taxa)
    return file
