"""Our own plain tables: a row for every detection, or for what each event showed.

CSV as RFC 4180 has it, UTF-8, times in ISO 8601 with their offset. Nothing is left out: files that failed and photos
without anything have a row too, and `counts` says which detections count.

Tables are opened with spreadsheets, which run a cell that begins with `=`, `+`, `-` or `@`. Names come from cards and
people, so in such a cell an apostrophe stands in front, which spreadsheets do not show.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from edge_runtime.bundles.tables import RANKS
from edge_runtime.journal.results import Result
from edge_runtime.reports import observations, output
from edge_runtime.reports.observations import Sum, Tally
from edge_runtime.reports.source import Source, iso
from edge_runtime.values import Detection

_FILE = (
    *("file", "camera", "time", "time_source", "event", "medium", "outcome", "problem", "duplicate", "passed_over"),
    *("width", "height", "review", "answer", "detector", "classifier"),
)
_NAMES = ("label", "category", *RANKS, "confidence")
DETECTIONS = (
    *_FILE,
    *_NAMES,
    *("by", "counts", "held", "detector_confidence", "x1", "y1", "x2", "y2", "frame", "individual", "individual_score"),
)
EVENTS = (
    *("event", "camera", "start", "end", "files", "videos"),
    *_NAMES,
    *("count", "by", "individual", "individual_score", "review"),
)
_ACTIVE = ("=", "+", "-", "@", "\t", "\r")


def write_detections(source: Source, file: Path) -> None:
    """A row for every detection, and one for every file without any; ordered by path.

    Raises:
        CamtrapEdgeError: the file cannot be written.
    """
    with output.table(file, DETECTIONS) as row:
        for result in source.files():
            shared = _file(result, source)
            spoken = [each for each in observations.of(result) if each.box is observations.WHOLE]
            for found in (*result.detections, *spoken):
                row(_cells(DETECTIONS, {**shared, **_detection(found, result, source)}))
            if not result.detections and not spoken:
                row(_cells(DETECTIONS, shared))


def write_events(source: Source, file: Path) -> None:
    """A row for every label of an event, one for every event that showed nothing.

    Raises:
        CamtrapEdgeError: the file cannot be written.
    """
    with output.table(file, EVENTS) as row:
        for photos in source.events():
            tally, review, videos = Tally(source.coarser), False, 0
            for number, result in enumerate(photos, start=1):
                tally.add(result)
                review, videos, files, last = review or bool(result.review), videos + result.video, number, result
            shared = {
                "event": last.event_id,
                "camera": last.camera,
                "start": _time(last.event_start_s, last, source),
                "end": _time(last.event_end_s, last, source),
                "files": files,
                "videos": videos,
                "review": _word(review),
            }
            sums = tally.sums()
            for each in sums:
                row(_cells(EVENTS, {**shared, **_sum(each, source)}))
            if not sums:
                row(_cells(EVENTS, {**shared, "label": "empty"}))


def safe(value: object) -> object:
    """A cell that no spreadsheet takes for a formula."""
    return f"'{value}" if isinstance(value, str) and value.startswith(_ACTIVE) else value


def _cells(columns: Iterable[str], values: Mapping[str, object]) -> list[object]:
    return [safe(values.get(column, "")) for column in columns]


def _file(result: Result, source: Source) -> dict[str, object]:
    outcome = "failed" if result.failure else "found" if observations.of(result) else "empty"
    return {
        "file": output.text(result.path),
        "camera": result.camera,
        "time": _time(result.captured_s, result, source),
        "time_source": "" if result.failure else result.time_source,
        "event": result.event_id,
        "medium": "video" if result.video else "photo",
        "outcome": outcome,
        "problem": result.problem,
        "duplicate": _word(result.duplicate),
        "passed_over": _word(result.passed_over),
        "width": result.width or "",
        "height": result.height or "",
        "review": result.review,
        "answer": result.answer,
        "detector": result.run.detector if result.run else "",
        "classifier": result.run.classifier if result.run else "",
    }


def _detection(found: Detection, result: Result, source: Source) -> dict[str, object]:
    least = result.run.confident if result.run else 0.0
    made: dict[str, object] = {
        "label": found.label,
        "category": found.category,
        **source.ranks(found.label if found.species else ""),
        "confidence": f"{observations.confidence(found):.4f}",
        "by": "human" if observations.by_a_person(found, result) else "machine",
        "counts": _word(found.confidence >= least and not found.held),
        "held": found.held,
        "frame": found.frame,
    }
    if found.box is not observations.WHOLE:
        corners = {"x1": found.box.x1, "y1": found.box.y1, "x2": found.box.x2, "y2": found.box.y2}
        made |= {key: f"{value:.4f}" for key, value in corners.items()}
        made["detector_confidence"] = f"{found.confidence:.4f}"
    if found.individual is not None:
        # Somebody that the gallery does not know has a score and no name.
        made |= {"individual": found.individual.name, "individual_score": f"{found.individual.score:.4f}"}
    return made


def _sum(each: Sum, source: Source) -> dict[str, object]:
    known = each.individual
    return {
        "label": each.label,
        "category": each.category,
        **source.ranks(each.label if each.species else ""),
        "confidence": f"{each.confidence:.4f}",
        "count": each.count,
        "by": "human" if each.human else "machine",
        "individual": known.name if known else "",
        "individual_score": f"{known.score:.4f}" if known else "",
    }


def _time(moment_s: int | None, result: Result, source: Source) -> str:
    return "" if moment_s is None else iso(source.local(moment_s, result.run))


def _word(value: bool) -> str:
    return "yes" if value else "no"
