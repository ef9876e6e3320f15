"""What is known of each file in the end: what reports, review and selection read."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath

from edge_runtime.events import answers
from edge_runtime.journal.runs import Run, Runs
from edge_runtime.values import Box, Category, Detection, FailureKind, Footage, Individual, Species, TimeSource


@dataclass(frozen=True, slots=True)
class Result:
    """One file with its outcome. Times are UTC seconds since 1970, None where unknown."""

    path: PurePosixPath
    failure: FailureKind | None
    problem: str
    """Of a failure, or of a video that was read in part."""
    video: bool
    duplicate: bool
    """Another file shows the same picture, and came first."""
    sha256: bytes | None
    """32 bytes, of the picture; None for a failure, which leaves all that follows empty."""
    camera: str
    width: int
    height: int
    captured_s: int | None
    time_source: TimeSource
    processed_s: int | None
    passed_over: bool
    """Not shown to the detector: nothing changed since an empty frame of its burst."""
    footage: Footage | None
    """Of a video that was read."""
    event_id: int | None
    event_start_s: int | None
    event_end_s: int | None
    run: Run | None
    """What read it; None for photos of programs that did not note it."""
    detections: tuple[Detection, ...]
    """As they are believed in the end: a person's word wins over that of the event, and that over the single crop's."""
    review: str
    """Why a person should look at it; empty where none should, or has."""
    answer: str | None
    """What a person said, if one did."""


def stream(connection: sqlite3.Connection, *, by_event: bool = False) -> Iterator[Result]:
    """Every file with its outcome, ordered by path; in bounded memory.

    Args:
        by_event: failures first, then event after event, each by time; files that show the same picture stand together.
    """
    runs = Runs(connection).all()
    order = "photo.event_id, photo.captured_s, photo.id, file.duplicate, file.path" if by_event else "file.path"
    rows = connection.execute(
        "SELECT file.path, file.failure, file.video, file.duplicate, file.photo_id, file.problem AS file_problem, "
        "photo.*, event.start_s, event.end_s, answer.species AS answer "
        "FROM file LEFT JOIN photo ON photo.id = file.photo_id LEFT JOIN event ON event.id = photo.event_id "
        f"LEFT JOIN answer ON answer.sha256 = photo.sha256 ORDER BY {order}"
    )
    for row in rows:
        yield _failure(row) if row["failure"] is not None else _result(connection, row, runs)


def detections(connection: sqlite3.Connection, photo_id: int) -> tuple[Detection, ...]:
    """What was found in a photo by itself, most confident first."""
    rows = connection.execute(
        "SELECT detection.*, repeat.state AS place FROM detection LEFT JOIN repeat ON repeat.id = repeat_id "
        "WHERE photo_id = ? ORDER BY rank",
        (photo_id,),
    )
    return tuple(_detection(row) for row in rows)


def path(key: bytes) -> PurePosixPath:
    """Of a `file` row."""
    return PurePosixPath(os.fsdecode(key))


def _failure(row: sqlite3.Row) -> Result:
    return Result(
        path=path(row["path"]),
        failure=FailureKind(row["failure"]),
        problem=row["file_problem"] or "",
        video=bool(row["video"]),
        duplicate=False,
        sha256=None,
        camera="",
        width=0,
        height=0,
        captured_s=None,
        time_source="unknown",
        processed_s=None,
        passed_over=False,
        footage=None,
        event_id=None,
        event_start_s=None,
        event_end_s=None,
        run=None,
        detections=(),
        review="",
        answer=None,
    )


def _result(connection: sqlite3.Connection, row: sqlite3.Row, runs: dict[int, Run]) -> Result:
    run, answer = runs.get(row["run_id"]), row["answer"]
    found = _in_its_event(connection, row["photo_id"], row["event_id"])
    return Result(
        path=path(row["path"]),
        failure=None,
        problem=row["problem"],
        video=bool(row["video"]),
        duplicate=bool(row["duplicate"]),
        sha256=row["sha256"],
        camera=row["camera"],
        width=row["width"],
        height=row["height"],
        captured_s=row["captured_s"],
        time_source=row["time_source"],
        processed_s=row["processed_s"],
        passed_over=bool(row["passed_over"]),
        footage=_footage(row),
        event_id=row["event_id"],
        event_start_s=row["start_s"],
        event_end_s=row["end_s"],
        run=run,
        detections=answers.applied(found, answer, confident=run.confident if run else 0.0),
        review="" if answer else row["review"],
        answer=answer,
    )


def _footage(row: sqlite3.Row) -> Footage | None:
    if row["frame_rate"] is None:
        return None
    return Footage(row["frame_rate"], row["duration_s"], tuple(json.loads(row["frames"])), row["problem"])


def _in_its_event(connection: sqlite3.Connection, photo_id: int, event_id: int) -> tuple[Detection, ...]:
    """What was found in a photo, each animal as its event as a whole shows it."""
    rows = connection.execute(
        "SELECT detection.*, repeat.state AS place, track.track AS followed, track.species AS event_species, "
        "track.confidence AS event_confidence, track.individual, track.individual_score FROM detection "
        "LEFT JOIN repeat ON repeat.id = repeat_id "
        "LEFT JOIN track ON track.event_id = ? AND track.track = detection.track "
        "WHERE photo_id = ? ORDER BY rank",
        (event_id, photo_id),
    )
    return tuple(_detection(row) if row["followed"] is None else _followed(row) for row in rows)


def _followed(row: sqlite3.Row) -> Detection:
    found = _detection(row)
    species = None if row["event_species"] is None else Species(row["event_species"], row["event_confidence"])
    score = row["individual_score"]
    individual = None if score is None else Individual(row["individual"], score)
    return Detection(
        found.category, found.confidence, found.box, species, found.scores, found.frame, individual, found.held
    )


def _detection(row: sqlite3.Row) -> Detection:
    category: Category = row["category"]
    return Detection(
        category,
        row["confidence"],
        Box(row["x1"], row["y1"], row["x2"], row["y2"]),
        None if row["species"] is None else Species(row["species"], row["species_confidence"]),
        scores=tuple((name, score) for name, score in json.loads(row["scores"])) if row["scores"] else (),
        frame=row["frame"],
        held="repeat" if row["place"] == "repeat" else "",
    )
