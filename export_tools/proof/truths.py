"""What is on the evaluation photos, where somebody knows: boxes for detectors, names for classifiers.

Four forms, told apart by their content:

- CSV with the columns `file,label` and, for boxes, `x1,y1,x2,y2` (fractions of the photo as a person sees it). One row
  a box; a row without a box and with the label `empty` says that there is nothing. A row without a box and with another
  label names what the whole picture shows.
- MegaDetector results (JSON). A detector said it, so only boxes at `SURE` and above are truth; weaker ones, which may
  be right, are neither asked for nor held against anybody.
- The evaluation manifest of `export_tools.accuracy.photos` (a JSON list).
- For classifiers, no file: the name of the folder in which a picture lies.
"""

from __future__ import annotations

import csv
import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from edge_runtime.values import CATEGORIES, Box, Detection
from export_tools.accuracy import photos
from export_tools.accuracy.average_precision import Truth
from export_tools.accuracy.photos import TruthError
from export_tools.looks import Look
from export_tools.samples import Sample

SURE = 0.5
EMPTY = "empty"
_COLUMNS = ("x1", "y1", "x2", "y2")


@dataclass(frozen=True, slots=True)
class Known:
    """One thing on a photo."""

    label: str
    """A category for detectors, a species for classifiers."""
    box: Box | None
    """None for the whole picture."""


@dataclass(frozen=True)
class Truths:
    """What is known of each photo, by its path below the evaluation folder; an empty tuple for an empty photo."""

    known: Mapping[str, tuple[Known, ...]]
    ignored: Mapping[str, tuple[Box, ...]] = field(default_factory=dict)
    """Where something may be, by the same path."""

    def of(self, sample: Sample) -> tuple[Known, ...] | None:
        """What is known of `sample`; None where nobody looked."""
        return self.known.get(sample.name)

    def boxes(self, sample: Sample) -> Truth | None:
        """As a detector's proof needs it; None where nobody looked. A label that is no category counts as an animal."""
        known = self.of(sample)
        if known is None or any(one.box is None for one in known):
            return None
        return Truth(
            boxes=_array(one.box for one in known if one.box),
            classes=np.array([_category(one.label) for one in known], np.intp),
            ignored=_array(self.ignored.get(sample.name, ())),
        )

    def looks(self, samples: Sequence[Sample]) -> tuple[list[Look], list[str | None]]:
        """What a classifier is shown of the samples, and its right label: each box of an animal, or the whole picture
        where no boxes are known."""
        looks: list[Look] = []
        labels: list[str | None] = []
        for sample in samples:
            known = self.of(sample)
            for one in (Known("", None),) if known is None else known:
                if one.label in CATEGORIES[1:]:
                    continue
                looks.append(Look(sample, Detection("animal", 1.0, one.box)) if one.box else Look(sample))
                labels.append(one.label or None)
        return looks, labels


def read(file: Path, folder: Path) -> Truths:
    """Read a file of truth about the photos in `folder`.

    Raises:
        TruthError: it cannot be read or understood, or it names none of the photos.
    """
    try:
        text = file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise TruthError(file, f"cannot be read ({error})") from error
    if file.suffix.lower() == ".csv":
        truths = _csv(file, text)
    else:
        try:
            content = json.loads(text)
        except json.JSONDecodeError as error:
            raise TruthError(file, f"line {error.lineno}: is no JSON ({error.msg})") from error
        truths = _manifest(file, folder) if isinstance(content, list) else _megadetector(file, content)
    if not any((folder / name).is_file() for name in truths.known):
        example = next(iter(truths.known), "none")
        raise TruthError(
            file, f"names no photo of {folder}; its paths must be relative to that folder (it has: {example})"
        )
    return truths


def by_folder(samples: Iterable[Sample], names: Iterable[str]) -> Truths:
    """The name of the folder in which each picture lies, where it is one of `names` (letter case aside)."""
    spelled = {name.casefold(): name for name in names}
    found = {sample.name: spelled.get(sample.folder.rpartition("/")[2].casefold()) for sample in samples}
    return Truths({name: (Known(label, None),) for name, label in found.items() if label})


def _csv(file: Path, text: str) -> Truths:
    rows = csv.DictReader(text.splitlines())
    missing = {"file", "label"} - set(rows.fieldnames or ())
    if missing:
        raise TruthError(file, f"lacks the columns {', '.join(sorted(missing))}; it needs file,label[,x1,y1,x2,y2]")
    known: dict[str, list[Known]] = defaultdict(list)
    for row in rows:
        boxes = [row.get(column) or "" for column in _COLUMNS]
        try:
            box = _box(*map(float, boxes)) if any(boxes) else None
        except ValueError as error:
            raise TruthError(file, f"line {rows.line_num}: {error}") from error
        things = known[row["file"].replace("\\", "/")]
        if box is not None or row["label"] != EMPTY:
            things.append(Known(row["label"], box))
    return Truths({name: tuple(things) for name, things in known.items()})


def _megadetector(file: Path, content: Any) -> Truths:
    known: dict[str, tuple[Known, ...]] = {}
    ignored: dict[str, tuple[Box, ...]] = {}
    try:
        names = content["detection_categories"]
        for image in content["images"]:
            if image.get("detections") is None:
                continue
            name = image["file"].replace("\\", "/")
            found = [(one.get("conf", 1.0), names[one["category"]], _xywh(*one["bbox"])) for one in image["detections"]]
            known[name] = tuple(Known(label, box) for conf, label, box in found if conf >= SURE)
            ignored[name] = tuple(box for conf, _, box in found if conf < SURE)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise TruthError(file, f"is no MegaDetector results file ({error!r})") from error
    return Truths(known, ignored)


def _manifest(file: Path, folder: Path) -> Truths:
    known = {}
    for photo in photos.evaluation(file.parent.parent).labelled:
        if photo.file.is_relative_to(folder):
            name = photo.file.relative_to(folder).as_posix()
            pairs = zip(photo.truth.classes, photo.truth.boxes, strict=True)
            known[name] = tuple(Known(CATEGORIES[index], Box(*map(float, box))) for index, box in pairs)
    return Truths(known)


def _category(label: str) -> int:
    places = {str(name): index for index, name in enumerate(CATEGORIES)}
    return places.get(label, 0)


def _box(x1: float, y1: float, x2: float, y2: float) -> Box:
    if not (0 <= x1 < x2 <= 1 and 0 <= y1 < y2 <= 1):
        raise ValueError(f"{x1}, {y1}, {x2}, {y2} is no box in fractions of the photo")
    return Box(x1, y1, x2, y2)


def _xywh(x: float, y: float, width: float, height: float) -> Box:
    return Box(max(0.0, x), max(0.0, y), min(1.0, x + width), min(1.0, y + height))


def _array(boxes: Iterable[Box]) -> Any:
    return np.array([(box.x1, box.y1, box.x2, box.y2) for box in boxes], np.float32).reshape(-1, 4)
