"""MegaDetector batch results, format 1.6: the file that Timelapse and the `megadetector` tools open.

Specification: the `megadetector` package's own documentation of its output format
(https://lila.science/megadetector-output-format) and its `validate_batch_results`.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from edge_runtime.bundles.tables import RANKS
from edge_runtime.errors import CamtrapEdgeError
from edge_runtime.values import CATEGORIES, Box, Detection, FailureKind

FORMAT_VERSION = "1.6"
CATEGORY_IDS = {name: str(index) for index, name in enumerate(CATEGORIES, start=1)}
NO_LINEAGES: Mapping[str, Sequence[str]] = MappingProxyType({})
"""For a classifier that says nothing of its labels' taxonomy."""
_COORDINATE_STEPS = 10_000
_CONFIDENCE_STEPS = 1_000


@dataclass(frozen=True, slots=True)
class Entry:
    """One file and what became of it."""

    file: str
    """Relative to the folder that was processed, forward slashes."""
    failure: FailureKind | None
    detections: tuple[Detection, ...]
    """Empty for an empty photo; not looked at for a failure."""
    width: int
    height: int
    """Pixels as a person sees the photo; 0 where unknown."""
    captured: str | None
    """`YYYY:MM:DD HH:MM:SS` by the camera's clock."""
    video: bool = False
    passed_over: bool = False
    """Empty by the prefilter's judgement, not the detector's."""


def document(
    entries: Iterable[Entry],
    *,
    detector: str,
    classifier: str | None,
    labels: Sequence[str],
    completed: str,
    typical_threshold: float,
    conservative_threshold: float,
    lineages: Mapping[str, Sequence[str]] = NO_LINEAGES,
) -> dict[str, object]:
    """The results document.

    Args:
        labels: every name that the classifier can say.
        entries: the file counts those that were passed over in `info.passed_over` and marks each of them.
        completed: when the run ended, `YYYY-MM-DD HH:MM:SS`.
        typical_threshold: least confidence that most people would want.
        conservative_threshold: least confidence that is in the file at all.
        lineages: of each label its scientific names, class first (`Taxonomy.lineages`); they become the
            `classification_category_descriptions`, where a tool such as Timelapse finds the taxonomy.
    """
    ids = {label: str(index) for index, label in enumerate(labels)}
    info: dict[str, object] = {
        "format_version": FORMAT_VERSION,
        "detector": detector,
        "detection_completion_time": completed,
        "detector_metadata": {
            "typical_detection_threshold": typical_threshold,
            "conservative_detection_threshold": conservative_threshold,
        },
    }
    made: dict[str, object] = {"info": info, "detection_categories": {i: name for name, i in CATEGORY_IDS.items()}}
    ordered = sorted(entries, key=lambda entry: entry.file)
    passed_over = sum(entry.passed_over for entry in ordered)
    if passed_over:
        info["passed_over"] = passed_over
    if classifier is not None:
        info["classifier"] = classifier
        info["classification_completion_time"] = completed
        made["classification_categories"] = {index: label for label, index in ids.items()}
        if any(lineages.values()):
            made["classification_category_descriptions"] = {
                index: _taxonomy(label, lineages.get(label, ())) for label, index in ids.items()
            }
    made["images"] = [_image(entry, ids) for entry in ordered]
    return made


def write(made: dict[str, object], file: Path) -> None:
    """Write a document so that `file` is either what it was before or complete.

    Raises:
        CamtrapEdgeError: the file cannot be written.
    """
    partial = file.with_name(file.name + ".partial")
    try:
        with partial.open("w", encoding="ascii") as stream:
            json.dump(made, stream, indent=1, allow_nan=False)
            stream.write("\n")
            stream.flush()
            os.fsync(stream.fileno())
        partial.replace(file)
        _sync_folder(file.parent)
    except OSError as error:
        raise CamtrapEdgeError(
            f"{file}: cannot be written: {error.strerror}; free some space or choose --output"
        ) from error
    finally:
        if partial.is_file():
            partial.unlink()


def _sync_folder(folder: Path) -> None:
    # Without it a power cut may bring back the old name.
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _image(entry: Entry, ids: dict[str, str]) -> dict[str, object]:
    image: dict[str, object] = {"file": entry.file}
    if entry.width and entry.height:
        image |= {"width": entry.width, "height": entry.height}
    if entry.captured is not None:
        image["datetime"] = entry.captured
    if entry.failure is not None:
        image |= {"failure": entry.failure.value, "detections": None}
        if entry.video:
            image |= {"frame_rate": -1, "frames_processed": []}
        return image
    if entry.passed_over:
        image["passed_over"] = True
    ordered = sorted(entry.detections, key=lambda found: -found.confidence)
    image["detections"] = [_detection(found, ids) for found in ordered]
    return image


def _detection(found: Detection, ids: dict[str, str]) -> dict[str, object]:
    made: dict[str, object] = {
        "category": CATEGORY_IDS[found.category],
        "conf": _floor(found.confidence, _CONFIDENCE_STEPS),
        "bbox": _bbox(found.box),
    }
    if found.species is not None:
        confidence = _floor(found.species.confidence, _CONFIDENCE_STEPS)
        made["classifications"] = [[ids[found.species.name], confidence]]
    return made


def _taxonomy(label: str, lineage: Sequence[str]) -> str:
    # `class;order;family;genus;species;common name`, in small letters and the species without its genus: SpeciesNet's
    # own form, which the format describes.
    names = [name.lower() for name in lineage]
    if len(names) == len(RANKS):
        names[-1] = names[-1].removeprefix(names[-2]).strip()
    return ";".join([*names, *[""] * (len(RANKS) - len(names)), label])


def _bbox(box: Box) -> list[float]:
    # Cut, not rounded, as the `megadetector` package does; from whole steps, so that no sum passes 1.
    x1, y1, x2, y2 = (math.floor(value * _COORDINATE_STEPS) for value in (box.x1, box.y1, box.x2, box.y2))
    return [value / _COORDINATE_STEPS for value in (x1, y1, max(1, x2 - x1), max(1, y2 - y1))]


def _floor(value: float, steps: int) -> float:
    # The format wants a float even for 1.0: an int does not pass its validation.
    return math.floor(value * steps) / steps
