"""Whether the journal is whole, and what waits in it. It is only read."""

from __future__ import annotations

import shlex
import sqlite3
from contextlib import closing
from pathlib import Path

from edge_runtime import database
from edge_runtime.checkup.step import Finding, Step, bad, good, skipped, warn
from edge_runtime.checkup.visit import Visit
from edge_runtime.errors import JournalError
from edge_runtime.journal.journal import FILE_NAME
from edge_runtime.journal.schema import MIGRATIONS

MANY_WAITING = 32_767
"""A station can tell apart no more sequence numbers than this (PAYLOAD.md)."""


def journal(visit: Visit) -> Finding:
    """Open it, have SQLite check it, and count its outbox."""
    file = Path(visit.settings.data) / FILE_NAME
    if not file.exists():
        return skipped(
            f"there is no {file} yet",
            f"edge-runtime run -c {shlex.quote(str(visit.config))} --until-idle, which makes it",
        )
    try:
        with closing(database.open_read_only(file)) as connection:
            return _read(visit, connection, file)
    except (JournalError, sqlite3.Error) as error:
        return _damaged(file, str(error))


def _read(visit: Visit, connection: sqlite3.Connection, file: Path) -> Finding:
    version = int(connection.execute("PRAGMA user_version").fetchone()[0])
    if version > len(MIGRATIONS):
        return bad(
            f"{file} has schema version {version}, this program knows {len(MIGRATIONS)}",
            "pip install --upgrade camtrap-edge",
        )
    # The indices are not compared with their tables: on a million photos that takes a small board minutes.
    faults = [str(row[0]) for row in connection.execute("PRAGMA quick_check(3)")]
    if faults != ["ok"]:
        return _damaged(file, f"{file}: {faults[0]}")
    owner = connection.execute("SELECT value FROM meta WHERE key = 'device'").fetchone()
    if owner is not None and owner[0] != visit.settings.device:
        return bad(
            f"{file} belongs to the device '{owner[0]}', not '{visit.settings.device}'",
            f"set `device: {owner[0]}` or another `data:` in {visit.config}",
        )
    waiting = int(connection.execute("SELECT COUNT(*) FROM outbox").fetchone()[0])
    last = connection.execute("SELECT processed_s FROM photo ORDER BY id DESC LIMIT 1").fetchone()
    visit.last_photo_s = None if last is None else int(last[0])
    photos = int(connection.execute("SELECT COUNT(*) FROM photo").fetchone()[0])
    old = "" if version == len(MIGRATIONS) else ", which `edge-runtime run` brings up to date"
    told = f"whole, schema version {version}{old}; {photos} photos, {waiting} summaries wait for a station"
    if waiting > MANY_WAITING:
        return warn(told, "see 'station' below: nothing was acknowledged for long")
    return good(told)


def _damaged(file: Path, problem: str) -> Finding:
    quoted = shlex.quote(str(file))
    return bad(
        f"damaged: {problem}",
        f"sudo systemctl stop edge-runtime; mkdir {quoted}.damaged && mv {quoted} {quoted}-* {quoted}.damaged/. The "
        "cards are read again into a new journal; what was not sent can be sought with: sqlite3 FILE .recover",
    )


STEPS = (Step("journal", ("configuration", "data folder"), journal),)
