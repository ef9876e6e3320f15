"""Which files were seen, which photos were read, and what was found in them."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from edge_runtime.journal import results
from edge_runtime.journal.results import Result
from edge_runtime.values import Detection, FailureKind, FileStamp, Photo

_FILE_COLUMNS = (
    "size", "mtime_ns", "photo_id", "duplicate", "video", "failure", "problem", "attempts", "final", "reported"
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Entry:
    """What is known of one file."""

    path: PurePosixPath
    size: int
    mtime_ns: int
    sha256: bytes | None
    """None for a failure."""
    failure: FailureKind | None
    problem: str
    attempts: int
    """Failed attempts so far."""
    final: bool
    """False where a failure is to be tried again."""

    def describes(self, stamp: FileStamp) -> bool:
        """Whether the file still looks as it did."""
        return self.size == stamp.size and self.mtime_ns == stamp.mtime_ns


@dataclass(frozen=True, slots=True)
class Totals:
    """Counts over everything that the journal knows."""

    photos: int
    """Distinct photos and videos read and inferred."""
    empty: int
    failed: int
    """Files that should be photos and could not be read or inferred, those to be tried again included."""
    duplicates: int
    videos: int
    """Files that should be videos, likewise."""
    events: int
    """Events with something in them, closed and put into the outbox."""
    passed_over: int
    """Of the empty photos, those that the detector was not shown: nothing changed since an empty frame."""


class Ledger:
    """The ledger of one journal. Writes belong into the journal's transaction."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def entry(self, path: PurePosixPath) -> Entry | None:
        """What is known of the file at `path`, whatever it looked like then."""
        row = self._connection.execute(
            "SELECT file.*, photo.sha256 FROM file LEFT JOIN photo ON photo.id = photo_id WHERE path = ?", (_key(path),)
        ).fetchone()
        return None if row is None else _entry(row)

    def finished(
        self, folder: PurePosixPath, names: Collection[str], *, given_up_after: int | None = None
    ) -> dict[tuple[str, int, int], bool]:
        """Those of a folder's files that are through, as (name, size, mtime_ns), and whether each showed a photo.

        Of the ones directly in `folder` it tells of all those in `names`, and may tell of others.

        Args:
            given_up_after: a file that the card did not give in so many attempts, or more, is not through.
        """
        if not names:
            return {}
        prefix = b"" if folder == PurePosixPath() else _key(folder) + b"/"
        # No name has a slash in it, so all of them are turned into bytes, and back, at once.
        keys = os.fsencode("/".join(names)).split(b"/")
        cursor = self._connection.cursor()
        cursor.row_factory = None
        rows = cursor.execute(
            "SELECT substr(path, length(:prefix) + 1), size, mtime_ns, photo_id IS NOT NULL FROM file "
            "WHERE path BETWEEN :first AND :last AND instr(substr(path, length(:prefix) + 1), X'2F') = 0 AND final "
            "AND (:most IS NULL OR failure IS NOT :access OR attempts < :most)",
            {
                "prefix": prefix,
                "first": prefix + min(keys),
                "last": prefix + max(keys),
                "most": given_up_after,
                "access": FailureKind.ACCESS.value,
            },
        ).fetchall()
        if not rows:
            return {}
        found, sizes, times, photos = zip(*rows, strict=True)
        return dict(zip(zip(os.fsdecode(b"/".join(found)).split("/"), sizes, times, strict=True), photos, strict=True))

    def forget(self, path: PurePosixPath) -> None:
        """Look at the file at `path` again as if it were new. Photos stay known by their hash."""
        self._connection.execute("DELETE FROM file WHERE path = ?", (_key(path),))

    def photo_id(self, sha256: bytes) -> int | None:
        """The photo with this picture, if it was read before."""
        row = self._connection.execute("SELECT id FROM photo WHERE sha256 = ?", (sha256,)).fetchone()
        return None if row is None else int(row[0])

    def add_photo(
        self,
        photo: Photo,
        detections: Sequence[Detection],
        *,
        empty: bool,
        event_id: int,
        now_s: int,
        passed_over: bool = False,
        run_id: int | None = None,
    ) -> int:
        """Record a photo or video, what was found in it, and the file that it came from; returns its id."""
        capture, footage = photo.capture, photo.footage
        row: dict[str, object] = {
            "sha256": photo.sha256,
            "camera": photo.camera,
            "captured_s": capture.time_s,
            "time_source": capture.time_source,
            "make": capture.make,
            "model": capture.model,
            "serial": capture.serial,
            "width": capture.width,
            "height": capture.height,
            "empty": empty,
            "processed_s": now_s,
            "event_id": event_id,
            "passed_over": passed_over,
            "run_id": run_id,
        }
        if footage is not None:
            row |= {
                "frame_rate": footage.frame_rate,
                "duration_s": footage.duration_s,
                "frames": json.dumps(footage.frames),
                "problem": footage.problem,
            }
        names, marks = ", ".join(row), ", ".join("?" * len(row))
        cursor = self._connection.execute(f"INSERT INTO photo ({names}) VALUES ({marks})", tuple(row.values()))
        photo_id = int(cursor.lastrowid or 0)
        self._connection.executemany(
            "INSERT INTO detection (photo_id, rank, category, confidence, x1, y1, x2, y2, species, species_confidence, "
            "frame, scores) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [
                (
                    photo_id, rank, found.category, found.confidence,
                    found.box.x1, found.box.y1, found.box.x2, found.box.y2,
                    found.species.name if found.species else None,
                    found.species.confidence if found.species else None,
                    found.frame, json.dumps(found.scores) if found.scores else None,
                )
                for rank, found in enumerate(detections)
            ],
        )  # fmt: skip
        self._set_file(photo.file, photo_id=photo_id, video=int(footage is not None))
        return photo_id

    def add_duplicate(self, stamp: FileStamp, photo_id: int) -> None:
        """Record that a file shows a photo that is known already."""
        earlier = self._connection.execute(
            "SELECT duplicate FROM file WHERE path = ? AND photo_id = ?", (_key(stamp.path), photo_id)
        ).fetchone()
        if earlier is not None:
            # The same file with another time stamp (a card copied back, a clock set): nothing new to count.
            self._connection.execute(
                "UPDATE file SET size = ?, mtime_ns = ? WHERE path = ?", (stamp.size, stamp.mtime_ns, _key(stamp.path))
            )
            return
        footage = self._connection.execute("SELECT frame_rate IS NOT NULL FROM photo WHERE id = ?", (photo_id,))
        self._set_file(stamp, photo_id=photo_id, duplicate=1, video=footage.fetchone()[0])

    def add_failure(
        self, stamp: FileStamp, kind: FailureKind, problem: str, *, attempts: int, final: bool, video: bool = False
    ) -> None:
        """Record that a file could not be read or inferred; `final` ends its retries."""
        row = {"failure": kind.value, "problem": problem, "attempts": attempts, "final": int(final)}
        self._set_file(stamp, **row, video=int(video))

    def try_again(self, problem: str) -> None:
        """Have the files that failed for `problem`, which is no more, read again."""
        self._connection.execute(
            "UPDATE file SET final = 0, attempts = 0 WHERE failure IS NOT NULL AND problem = ?", (problem,)
        )

    def results(self, *, by_event: bool = False) -> Iterator[Result]:
        """Every file with its outcome, as `results.stream`."""
        return results.stream(self._connection, by_event=by_event)

    def detections(self, photo_id: int) -> tuple[Detection, ...]:
        """What was found in a photo by itself, most confident first: without its event's word, nor a person's."""
        return results.detections(self._connection, photo_id)

    def totals(self) -> Totals:
        return totals(self._connection)

    def _set_file(self, stamp: FileStamp, **columns: object) -> None:
        row = {"path": _key(stamp.path), "size": stamp.size, "mtime_ns": stamp.mtime_ns, **columns}
        names, marks = ", ".join(row), ", ".join("?" * len(row))
        again = ", ".join(f"{name} = excluded.{name}" for name in _FILE_COLUMNS)
        # Not REPLACE, for which SQLite runs no trigger of the row that goes: the totals would drift.
        self._connection.execute(
            f"INSERT INTO file ({names}) VALUES ({marks}) ON CONFLICT (path) DO UPDATE SET {again}",
            tuple(row.values()),
        )


def totals(connection: sqlite3.Connection) -> Totals:
    """As `Ledger.totals`, over any connection to a journal."""
    row = connection.execute("SELECT photos, empty, failed, duplicates, videos, events, passed_over FROM total")
    return Totals(*row.fetchone())


def _key(path: PurePosixPath) -> bytes:
    return os.fsencode(str(path))


def _entry(row: sqlite3.Row) -> Entry:
    return Entry(
        path=results.path(row["path"]),
        size=row["size"],
        mtime_ns=row["mtime_ns"],
        sha256=row["sha256"],
        failure=FailureKind(row["failure"]) if row["failure"] is not None else None,
        problem=row["problem"] or "",
        attempts=row["attempts"],
        final=bool(row["final"]),
    )
