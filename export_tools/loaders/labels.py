"""The label table of a classifier: from `--labels`, or from the names that a checkpoint or its family brings."""

from __future__ import annotations

import csv
import logging
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from edge_runtime.bundles.tables import Kind, Label, read_labels
from edge_runtime.errors import BundleError

log = logging.getLogger(__name__)

TABLES = Path(__file__).resolve().parent.parent / "label_tables"

PERSONS = frozenset(("human", "humans", "person", "persons", "people", "man", "woman", "homo sapiens", "homo"))
VEHICLES = frozenset(("vehicle", "vehicles", "car", "truck", "bus", "motorcycle", "bicycle", "motorbike", "boat"))
OTHERS = frozenset(
    ("empty", "blank", "background", "vegetation", "misfire", "setup", "false trigger", "false positive")
)
UNNAMED = frozenset(("unknown", "unidentified", "unidentifiable", "undefined", "other", "others", "none", "nothing"))


def resolve(
    wanted: Path | None, known: Sequence[str] | tuple[Label, ...], classes: int, checkpoint: Path
) -> tuple[Label, ...]:
    """The labels of a classifier with `classes` outputs.

    Args:
        wanted: `--labels`; wins.
        known: what the checkpoint or its family brings, names or labels; empty where nothing is known.
        checkpoint: names the model in errors.

    Raises:
        BundleError: there are none, or not one per class.
    """
    if wanted is not None:
        labels, origin = read(wanted), wanted
    elif known:
        labels, origin = tuple(one if isinstance(one, Label) else as_label(one) for one in known), checkpoint
        _say_guessed([one for one in known if isinstance(one, str)], labels, origin)
    else:
        raise BundleError(
            checkpoint,
            f"has {classes} classes, and nothing says what they are called",
            hint="name them with --labels FILE: one name per line, or a table index,label,kind",
        )
    if len(labels) != classes:
        raise BundleError(origin, f"has {len(labels)} labels, but the network has {classes} classes")
    return labels


def read(file: Path) -> tuple[Label, ...]:
    """Read `--labels`: a bundle's label table (BUNDLE.md), or one class name per line in the order of the classes.

    The kinds of plain names are guessed (`guessed_kind`), and the log says which are no animals.

    Raises:
        BundleError: it cannot be read, is empty, or has an empty or a doubled name; names the line.
    """
    try:
        lines = file.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise BundleError(file, f"cannot be read: {error}", hint="--labels wants UTF-8 text") from error
    if lines and {"index", "label", "kind"} <= {cell.strip() for cell in next(csv.reader(lines[:1]), [])}:
        return read_labels(file)
    while lines and not lines[-1].strip():
        lines.pop()
    if not lines:
        raise BundleError(file, "is empty", hint="one class name per line, in the order of the network's classes")
    names = [line.strip() for line in lines]
    twice = [name for name, number in Counter(names).items() if number > 1]
    for number, name in enumerate(names, start=1):
        if not name:
            raise BundleError(file, f"line {number}: is empty, so every later class would have the wrong name")
        if name in twice:
            raise BundleError(file, f"line {number}: '{name}' stands twice", hint="a table index,label,kind may do so")
    labels = tuple(as_label(name) for name in names)
    _say_guessed(names, labels, file)
    return labels


def table(name: str) -> tuple[Label, ...]:
    """A label table of the package, by its file's stem. Raises: BundleError."""
    return read_labels(TABLES / f"{name}.csv")


def as_label(name: str) -> Label:
    return Label(name, guessed_kind(name))


def guessed_kind(name: str) -> Kind:
    """`animal`, unless the name is one of the usual words for people, vehicles, or nothing that is known."""
    plain = " ".join(name.lower().replace("_", " ").replace("-", " ").split())
    if plain in PERSONS:
        return "person"
    if plain in VEHICLES:
        return "vehicle"
    if plain in OTHERS or plain in UNNAMED or plain.startswith(("non ", "not ", "no ")):
        return "other"
    return "animal"


def _say_guessed(names: Sequence[str], labels: Sequence[Label], origin: Path) -> None:
    if not names:
        return
    others = ", ".join(f"'{label.name}' {label.kind}" for label in labels if label.kind != "animal")
    animals = sum(label.kind == "animal" for label in labels)
    log.warning(
        "%s: the kinds of its %d labels are guessed: %s, %d animals; a table index,label,kind says them for certain",
        origin,
        len(labels),
        others or "no person, vehicle or other",
        animals,
    )
