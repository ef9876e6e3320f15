"""What a device knows of itself, read from its journal while the daemon may be running."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from pathlib import Path

from edge_runtime import database
from edge_runtime.errors import JournalError
from edge_runtime.journal import ledger
from edge_runtime.journal.journal import FILE_NAME
from edge_runtime.settings import DeviceSettings


@dataclass(frozen=True, slots=True)
class Status:
    device: str
    journal: str
    epoch: str
    photos: int
    empty: int
    failed: int
    duplicates: int
    videos: int
    events: int
    """Events with something in them, closed and put into the outbox."""
    open_events: int
    waiting: int
    """Summaries that no station has acknowledged yet."""
    last_photo_s: int | None
    """When the last photo was processed, UTC seconds since 1970."""
    passed_over: int
    """Of the empty photos, those that the prefilter kept from the detector."""
    failures: tuple[tuple[str, str], ...]
    """The last failed files and what is wrong with each."""


def read(settings: DeviceSettings, *, failures: int = 10) -> Status:
    """Read the status of the device that `settings` describes.

    Raises:
        JournalError: it has no journal yet, or the file is no journal.
    """
    file = Path(settings.data) / FILE_NAME
    connection = database.open_read_only(file)
    try:
        connection.execute("BEGIN")  # One moment for all that is read.
        return _read(connection, settings, file, failures)
    except (sqlite3.Error, LookupError) as error:
        # Also a journal that is only just being made: its tables come a moment after the file.
        raise JournalError(file, f"cannot be read: {error}", hint="try again in a moment") from error
    finally:
        connection.close()


def _read(connection: sqlite3.Connection, settings: DeviceSettings, file: Path, failures: int) -> Status:
    def one(query: str) -> int:
        return int(connection.execute(query).fetchone()[0])

    totals = ledger.totals(connection)
    epoch = connection.execute("SELECT value FROM meta WHERE key = 'epoch'").fetchone()
    if epoch is None:
        raise LookupError("it has no epoch yet")
    failed = connection.execute(
        "SELECT path, problem FROM file WHERE failure IS NOT NULL ORDER BY path LIMIT ?", (failures,)
    ).fetchall()
    last = connection.execute("SELECT processed_s FROM photo ORDER BY id DESC LIMIT 1").fetchone()
    return Status(
        device=settings.device,
        journal=str(file),
        epoch=epoch[0],
        photos=totals.photos,
        empty=totals.empty,
        failed=totals.failed,
        duplicates=totals.duplicates,
        videos=totals.videos,
        events=totals.events,
        open_events=one("SELECT COUNT(*) FROM event WHERE state = 'open'"),
        waiting=one("SELECT COUNT(*) FROM outbox"),
        last_photo_s=last["processed_s"] if last else None,
        passed_over=totals.passed_over,
        failures=tuple((row["path"].decode("utf-8", "replace"), row["problem"]) for row in failed),
    )
