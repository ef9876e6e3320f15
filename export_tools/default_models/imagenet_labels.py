"""The label table of ImageNet-1k's 1,000 classes as a ranger reads them.

`imagenet_animals.csv` is the table that people edit: one row per run of class indices (`first` to `last`, both
included; ILSVRC 2012, the synsets in order of their WordNet number) with one common name. Rows share a name where
ImageNet splits hairs (118 dog breeds) or where the network cannot tell apart what the classes claim to
(`tusker` beside two elephants). Where a class is the only one of a group that people know, it has the group's
name (`owl`, `squirrel`), because the other members of the group end there too. Classes in no row are things,
food, people, fossils and landscapes: no animals.

Its further columns are the label's taxonomy, scientific names as far down as the *label* goes: it is used for every
owl, so "owl" ends at the order. Classes and orders are those in common use (Reptilia and Actinopterygii as classes,
Cetacea as an order, New World vultures among the Accipitriformes). `imagenet_taxa.csv` names the groups with which the
classifier may answer, those first that are said often: their codes are the short ones in a payload.
"""

from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge_runtime.bundles.tables import RANKS, Label, read_taxa
from edge_runtime.models.taxonomy import Taxonomy

CLASSES = 1000
MAX_NAME = 40
"""Characters of a name."""
TABLE = Path(__file__).with_name("imagenet_animals.csv")
TAXA = Path(__file__).with_name("imagenet_taxa.csv")


def labels(table: Path = TABLE) -> tuple[Label, ...]:
    """The label of each class index; kind `other` and no name where the class is no animal.

    Raises:
        ValueError: a run of the table is out of order, overlaps another or has no usable name.
    """
    result = [Label("", "other")] * CLASSES
    after = 0
    with table.open(encoding="utf-8", newline="") as stream:
        for row in csv.DictReader(stream):
            first, last, name = int(row["first"]), int(row["last"]), row["label"]
            if not after <= first <= last < CLASSES:
                raise ValueError(f"{table}: run {first}-{last} is out of order or overlaps the one before")
            if not name or name != name.strip().lower() or len(name) > MAX_NAME:
                raise ValueError(f"{table}: run {first}-{last}: '{name}' is no name in small letters of 1..{MAX_NAME}")
            lineage = tuple(taxon for rank in RANKS if (taxon := row.get(rank)))
            result[first : last + 1] = [Label(name, "animal", lineage)] * (last + 1 - first)
            after = last + 1
    return tuple(result)


def names(table: Path = TABLE) -> tuple[str, ...]:
    """The name of each class index, empty where the class is no animal. Raises as `labels`."""
    return tuple(label.name for label in labels(table))


def prior_shift(by_class: tuple[str, ...], power: float) -> NDArray[np.float32]:
    """What to add to each class's logit so that a name counts less the more classes it sums.

    A name of n classes had n times the photos of another in training, and where the network does not know, their
    sum wins: without this, most wrong names are "domestic dog". The sum is multiplied by n ** -power (Saerens et al.
    2002, "Adjusting the outputs of a classifier to new a priori probabilities"): 0 keeps ImageNet's own priors,
    1 makes every name equally likely beforehand. Classes that are no animal stay as they are.
    """
    classes = Counter(by_class)
    return np.array([-power * np.log(classes[name]) if name else 0.0 for name in by_class], np.float32)


def write(file: Path) -> None:
    """Write the bundle's label table (BUNDLE.md): `index,label,kind` and the taxonomy, 1,000 rows."""
    with file.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(("index", "label", "kind", *RANKS))
        for index, label in enumerate(labels()):
            rest = [""] * (len(RANKS) - len(label.lineage))
            writer.writerow((index, label.name, label.kind, *label.lineage, *rest))


def taxonomy() -> Taxonomy:
    """The tables as the device reads them."""
    table = labels()
    return Taxonomy(table, read_taxa(TAXA, table))
