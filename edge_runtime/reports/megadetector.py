"""MegaDetector batch results, format 1.6: the file that Timelapse and the `megadetector` tools open.

Specification: the `megadetector` package's own documentation of its output format
(https://lila.science/megadetector-output-format) and its `validate_batch_results`.

What the format has no place for stands under further keys, which its readers pass over:

- `held_detections` of a photo: what was found and does not count (`Detection.held`), each with `held`. They are not
  among the `detections`, for a reader that does not know them would take a branch for an animal.
- `individual` of a detection, `answer` of a photo (a person's word), `passed_over`, and `problem` of a failure or of a
  video that was read in part.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from edge_runtime.bundles.tables import RANKS
from edge_runtime.journal.results import Result
from edge_runtime.journal.runs import Run
from edge_runtime.reports import output
from edge_runtime.reports.source import Source
from edge_runtime.values import CATEGORIES, NO_ANIMAL, Box, Detection, Species

FORMAT_VERSION = "1.6"
CATEGORY_IDS = {name: str(index) for index, name in enumerate(CATEGORIES, start=1)}
MAX_ALTERNATIVES = 5
"""Labels beside the answer that a detection's classifications hold."""
_COORDINATE_STEPS = 10_000
_CONFIDENCE_STEPS = 1_000


def write(source: Source, file: Path, *, held: bool = True) -> None:
    """Write the results, one photo or video a line, ordered by path; in bounded memory.

    Args:
        held: write `held_detections` too.

    Raises:
        CamtrapEdgeError: the file cannot be written.
    """
    ids = {label: str(index) for index, label in enumerate(_labels(source))}
    # ASCII: a file name that is no UTF-8 is an escape, which the tools of this format turn back into the same bytes.
    with output.replacing(file, encoding="ascii") as stream:
        stream.write("{\n")
        for key, value in _head(source, ids).items():
            stream.write(f" {json.dumps(key)}: {json.dumps(value, allow_nan=False)},\n")
        stream.write(' "images": [')
        separator = "\n  "
        for result in source.files():
            stream.write(separator + json.dumps(_image(result, ids, source, held), allow_nan=False))
            separator = ",\n  "
        stream.write("\n ]\n}\n")


def _labels(source: Source) -> Sequence[str]:
    """Every name that a classifier can say, and what else stands in the results: words of people."""
    return tuple(dict.fromkeys((*source.lineages, *source.survey.names)))


def _head(source: Source, ids: Mapping[str, str]) -> dict[str, object]:
    survey = source.survey
    # Readers choose a threshold by these, and there is place for one: the newest.
    used = survey.runs or source.runs
    run = used[-1] if used else None
    info: dict[str, object] = {"format_version": FORMAT_VERSION}
    if run is not None:
        info["detector"] = run.detector
    if survey.last_s is not None:
        info["detection_completion_time"] = _moment(survey.last_s)
    if run is not None:
        info["detector_metadata"] = {
            "typical_detection_threshold": run.confident,
            "conservative_detection_threshold": run.keep,
        }
    if survey.passed_over:
        info["passed_over"] = survey.passed_over
    made: dict[str, object] = {"info": info, "detection_categories": {i: name for name, i in CATEGORY_IDS.items()}}
    if run is not None and run.classifier is not None:
        info["classifier"] = run.classifier
        if survey.last_s is not None:
            info["classification_completion_time"] = _moment(survey.last_s)
    if ids:
        made["classification_categories"] = {index: label for label, index in ids.items()}
    if any(source.lineage(label) for label in ids):
        made["classification_category_descriptions"] = {
            index: _taxonomy(label, source.lineage(label)) for label, index in ids.items()
        }
    return made


def _moment(moment_s: int) -> str:
    return datetime.fromtimestamp(moment_s, timezone.utc).strftime("%Y-%m-%d %H:%M:%S")


def _image(result: Result, ids: Mapping[str, str], source: Source, held: bool) -> dict[str, object]:
    image: dict[str, object] = {"file": str(result.path.relative_to(source.folder))}
    if result.width and result.height:
        image |= {"width": result.width, "height": result.height}
    if result.captured_s is not None:
        image["datetime"] = source.local(result.captured_s, result.run).strftime("%Y:%m:%d %H:%M:%S")
    if result.failure is not None:
        image |= {"failure": result.failure.value, "detections": None}
        if result.video:
            image |= {"frame_rate": -1, "frames_processed": []}
    if result.problem:
        image["problem"] = result.problem
    if result.failure is not None:
        return image
    if result.passed_over:
        image["passed_over"] = True
    if result.footage is not None:
        image |= {"frame_rate": result.footage.frame_rate, "frames_processed": list(result.footage.frames)}
    if result.answer is not None:
        image["answer"] = result.answer
    ordered = sorted(result.detections, key=lambda found: -found.confidence)
    image["detections"] = [_detection(found, ids, source, result.run) for found in ordered if not found.held]
    aside = [_detection(found, ids, source, result.run) for found in ordered if found.held] if held else []
    if aside:
        image["held_detections"] = aside
    return image


def _detection(found: Detection, ids: Mapping[str, str], source: Source, run: Run | None) -> dict[str, object]:
    made: dict[str, Any] = {
        "category": CATEGORY_IDS[found.category],
        "conf": _floor(found.confidence, _CONFIDENCE_STEPS),
        "bbox": _bbox(found.box),
    }
    if found.frame is not None:
        made["frame_number"] = found.frame
    if found.species is not None:
        named = [(found.species.name, found.species.confidence), *_alternatives(found.species, found, source)]
        made["classifications"] = [[ids[name], _floor(score, _CONFIDENCE_STEPS)] for name, score in named]
    if found.individual is not None:
        score = _floor(found.individual.score, _CONFIDENCE_STEPS)
        made["individual"] = {"name": found.individual.name, "score": score}
    if found.held:
        made["held"] = found.held
    return made


def _alternatives(answer: Species, found: Detection, source: Source) -> list[tuple[str, float]]:
    """What else the crop may be, most probable first, all below the answer: of a species other labels, of a group its
    members.

    None where a person gave the answer, nor where the crop alone says something else than its event: the list would
    contradict what it begins with.
    """
    if answer.by == "human":
        return []
    others = [(name, score) for name, score in found.scores if name not in (NO_ANIMAL, answer.name)]
    best = next((name for name, _ in found.scores if name != NO_ANIMAL), "")
    if best != answer.name:
        others = [(name, score) for name, score in others if answer.name in source.coarser.get(name, ())]
        if best not in dict(others):
            return []
    return [(name, score) for name, score in others if score < answer.confidence][:MAX_ALTERNATIVES]


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
