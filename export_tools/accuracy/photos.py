"""Photos whose content is known: what there is to find, and how one knows.

Two sources, both in the assets folder:

- `truth/manifest.json`, the evaluation photos. A photo with `boxes` is labelled. One without is *not* empty: nobody
  labelled it, and it is left out. Empty is what the record calls `species: empty`, and the video frames in which
  MegaDetector v5a found nothing at all (`truth/animl/Detections.csv`, category 0); the latter serve only to count
  false boxes on empty photos, since the manifest gives no truth for them.
- `training/manifest.jsonl`, lines with `split: val`: photos that training never saw. Only published boxes are truth.
  Boxes by a teacher detector (YOLOX-nano) are ignored areas: taking them for truth would ask who agrees with it.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edge_runtime.errors import CamtrapEdgeError
from edge_runtime.values import CATEGORIES
from export_tools.accuracy.average_precision import ALL, Truth

EMPTY = "empty"
PEOPLE_SOURCES = ("coco", "cocoperson", "oi600")
"""Sources of the training photos with persons that somebody labelled."""
_PEOPLE_NAMES = ("human", "vehicle")
"""Species on record with which a person or vehicle box agrees."""
_FRAMES_OF_A_VISIT = 1000
"""A fixed camera's video is taken for one visit per so many frames."""


class TruthError(CamtrapEdgeError):
    """A file that says what is on the photos is missing or cannot be read."""

    exit_code = 2

    def __init__(self, file: Path, problem: str) -> None:
        self.file, self.problem = file, problem
        super().__init__(f"{file}: {problem}")


@dataclass(frozen=True, slots=True)
class LabelledPhoto:
    """One photo and what is on it."""

    file: Path
    folder: str
    """The deployment or the source that it comes from."""
    sequence: str
    """Photos of one sequence are not independent of each other."""
    truth: Truth
    infrared: bool
    """Grey, as infrared photos are."""
    box_source: str
    """Who drew the boxes, or how one knows that it is empty."""
    doubtful: bool = False
    """A box says person or vehicle, the species on record is an animal."""


@dataclass(frozen=True, slots=True)
class EvaluationPhotos:
    """The evaluation photos, sorted by what is known of them."""

    labelled: tuple[LabelledPhoto, ...]
    """With boxes, and those that the manifest itself calls empty."""
    empty: tuple[LabelledPhoto, ...]
    """Known to be empty; the first of them are also in `labelled`."""
    unlabelled: int
    """Without boxes because nobody labelled them: left out."""
    unreadable: int
    """No picture at all, on purpose."""


def evaluation(assets: Path) -> EvaluationPhotos:
    """Read `truth/manifest.json` of the assets folder.

    Raises:
        TruthError: it or a photo of it is missing, or an entry cannot be understood.
    """
    manifest = assets / "truth" / "manifest.json"
    records = _parsed(manifest, _text(manifest))
    if not isinstance(records, list):
        raise TruthError(manifest, "is no list of photos")
    blank = _blank_frames(assets / "truth" / "animl" / "Detections.csv")
    labelled: list[LabelledPhoto] = []
    empty: list[LabelledPhoto] = []
    unlabelled = unreadable = 0
    for record in records:
        try:
            if "error" in record:
                unreadable += 1
            elif "boxes" in record:
                labelled.append(_photo(assets, record, record["box_source"]))
            elif record.get("species") == EMPTY:
                empty.append(_photo(assets, record, "species on record: empty"))
            elif Path(record["path"]).name in blank:
                empty.append(_photo(assets, record, "MegaDetector v5a found nothing"))
            else:
                unlabelled += 1
        except (KeyError, TypeError, ValueError) as error:
            raise TruthError(manifest, f"{record.get('path', record)}: cannot be understood ({error!r})") from error
    on_record = [photo for photo in empty if "record" in photo.box_source]
    others = [photo for photo in empty if photo not in on_record]
    return EvaluationPhotos((*labelled, *on_record), (*on_record, *others), unlabelled, unreadable)


def held_back(assets: Path, *, sources: Iterable[str]) -> tuple[LabelledPhoto, ...]:
    """Read the training photos of `sources` that training never saw.

    Raises:
        TruthError: the manifest or a photo is missing, or a line cannot be understood.
    """
    manifest, wanted = assets / "training" / "manifest.jsonl", set(sources)
    photos = []
    for number, line in enumerate(_text(manifest).splitlines(), 1):
        record = _parsed(manifest, line, number)
        try:
            if record["split"] == "val" and record["source"] in wanted:
                photos.append(_held_back(assets / "training", record))
        except (KeyError, TypeError, ValueError) as error:
            raise TruthError(manifest, f"line {number}: cannot be understood ({error!r})") from error
    return tuple(photos)


def _photo(assets: Path, record: Mapping[str, Any], source: str) -> LabelledPhoto:
    path = Path(record["path"])
    boxes = [(box["class"], *_corners(box["xywh_norm"])) for box in record.get("boxes", ())]
    animal = record.get("species", EMPTY) not in (EMPTY, *_PEOPLE_NAMES)
    return LabelledPhoto(
        file=_present(assets / path),
        folder=path.parent.name,
        sequence=sequence(path),
        truth=_truth(boxes, []),
        infrared=bool(record["grey"]),
        box_source=source,
        doubtful=animal and any(name != "animal" for name, *_ in boxes),
    )


def _held_back(training: Path, record: Mapping[str, Any]) -> LabelledPhoto:
    published = [box for box in record["boxes_xyxy"] if box[0] != "ignore"]
    ignored = [box for box in record["boxes_xyxy"] if box[0] == "ignore"] + record["teacher_xyxy"]
    judged = tuple(CATEGORIES.index(name) for name in record["annotated"])
    return LabelledPhoto(
        file=_present(training / record["file"]),
        folder=record["source"],
        sequence=record["group"],
        truth=_truth(published, ignored, judged),
        infrared=False,
        box_source=record["label_origin"],
    )


def sequence(path: Path) -> str:
    """The sequence to which a photo of the evaluation set belongs, by its name.

    Stations that look at one path from two sides share the minute in their names (`..._20051024_0559.jpg`); frames of
    one video carry their number. A photo whose name says neither is a sequence of its own.
    """
    folder = path.parent.name
    if moment := re.search(r"_(\d{8}_\d{4})$", path.stem):
        return f"{folder}/{moment[1]}"
    if frame := re.fullmatch(r"(.*)\.frame(\d+)", path.stem):
        return f"{folder}/{frame[1]}/{int(frame[2]) // _FRAMES_OF_A_VISIT}"
    return str(path)


def _truth(boxes: Sequence[Sequence[Any]], ignored: Sequence[Sequence[Any]], judged: tuple[int, ...] = ALL) -> Truth:
    return Truth(
        boxes=np.array([box[1:5] for box in boxes], np.float32).reshape(-1, 4),
        classes=np.array([CATEGORIES.index(box[0]) for box in boxes], np.intp),
        ignored=np.array([box[1:5] for box in ignored], np.float32).reshape(-1, 4),
        judged=judged,
    )


def _corners(xywh: Sequence[float]) -> tuple[float, float, float, float]:
    x, y, width, height = xywh
    return max(x, 0.0), max(y, 0.0), min(x + width, 1.0), min(y + height, 1.0)


def _blank_frames(file: Path) -> set[str]:
    """Names of the files in which MegaDetector found nothing."""
    rows = csv.DictReader(_text(file).splitlines())
    missing = {"Frame", "category"} - set(rows.fieldnames or ())
    if missing:
        raise TruthError(file, f"lacks the columns {', '.join(sorted(missing))}")
    return {Path(row["Frame"]).name for row in rows if row["category"] == "0"}


def _present(photo: Path) -> Path:
    if not photo.is_file():
        raise TruthError(photo, "is missing")
    return photo


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise TruthError(file, f"cannot be read ({error})") from error


def _parsed(file: Path, text: str, line: int | None = None) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise TruthError(file, f"line {line or error.lineno}: is no JSON ({error.msg})") from error
