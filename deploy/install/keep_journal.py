"""A copy of the data from before an upgrade, because a database that the new program has changed is refused by the old.

    python keep_journal.py keep     device|station SETTINGS FILE
    python keep_journal.py put-back device|station SETTINGS FILE

Run with the *new* environment's Python, with the service stopped. `keep` copies only where the new program would change
the schema. `put-back` restores the copy only where nothing got a number since: what a station may have seen under a
number must never come a second time with another content.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sqlite3
import sys
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from edge_runtime import settings
from edge_runtime.errors import CamtrapEdgeError

MARGIN = 64 * 1024 * 1024
"""Bytes that stay free on the disk: a copy must not be what stops the program."""


class KeepError(Exception):
    """Nothing was copied, or nothing was put back; says why."""


def keep(database: Path, migrations: Sequence[str], copy: Path) -> str:
    """Copy `database` where this program's `migrations` would change it; returns what was done."""
    copy.unlink(missing_ok=True)
    if not database.exists():
        return "there is no data yet"
    with closing(sqlite3.connect(database)) as old:
        version = int(old.execute("PRAGMA user_version").fetchone()[0])
        if version == len(migrations):
            return f"the schema stays {version}: no copy is needed"
        needed = sum(file.stat().st_size for file in _files(database)) + MARGIN
        if shutil.disk_usage(database.parent).free < needed:
            raise KeepError(f"{database} cannot be copied: {needed >> 20} MB are not free; free some and try again")
        part = copy.with_name(copy.name + ".part")
        part.unlink(missing_ok=True)
        with closing(sqlite3.connect(part)) as new:
            old.backup(new)
    _sync(part)
    part.replace(copy)
    _sync(copy.parent)
    return f"schema {version} becomes {len(migrations)}: a copy is in {copy}"


def put_back(database: Path, copy: Path, numbers: str) -> str:
    """Restore `copy`, made by `keep`, unless `numbers` (a query for one number) has moved on; returns what was done."""
    if not copy.exists():
        return "the schema did not change: nothing to put back"
    if database.exists() and _ask(database, numbers) != _ask(copy, numbers):
        raise KeepError(
            f"{database} has gone on since the upgrade and stays; the copy from before is {copy}. "
            "Install the new program again, or ask for help before the copy is used"
        )
    for file in _files(database):
        file.unlink()
    copy.replace(database)
    _sync(database.parent)
    return f"{database} is again as it was before the upgrade"


def _ask(database: Path, query: str) -> object:
    with closing(sqlite3.connect(database)) as connection:
        row = connection.execute(query).fetchone()
    return None if row is None else row[0]


def _files(database: Path) -> list[Path]:
    """The database and what SQLite keeps beside it."""
    names = (database.name + suffix for suffix in ("", "-wal", "-shm"))
    return [database.with_name(name) for name in names if database.with_name(name).exists()]


def _sync(path: Path) -> None:
    number = os.open(path, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)


def _what(role: str, file: Path) -> tuple[Path, Sequence[str], str]:
    if role == "device":
        from edge_runtime.journal.journal import FILE_NAME
        from edge_runtime.journal.schema import MIGRATIONS

        numbers = "SELECT seq FROM sqlite_sequence WHERE name = 'outbox'"
        return Path(settings.read_device(file).data) / FILE_NAME, MIGRATIONS, numbers
    from edge_runtime.station import schema, store

    return (
        Path(settings.read_station(file).data) / store.FILE_NAME,
        schema.MIGRATIONS,
        "SELECT COALESCE(MAX(id), 0) FROM message",
    )


def main(arguments: list[str]) -> int:
    """Keep or put back; returns the exit code."""
    parser = argparse.ArgumentParser(description="A copy of the data from before an upgrade.")
    parser.add_argument("action", choices=("keep", "put-back"))
    parser.add_argument("role", choices=("device", "station"))
    parser.add_argument("settings", type=Path)
    parser.add_argument("copy", type=Path)
    given = parser.parse_args(arguments)
    try:
        database, migrations, numbers = _what(given.role, given.settings)
        if given.action == "keep":
            said = keep(database, migrations, given.copy)
        else:
            said = put_back(database, given.copy, numbers)
    except (CamtrapEdgeError, KeepError, OSError, sqlite3.Error) as error:
        sys.stderr.write(f"keep_journal: {error}\n")
        return 1
    sys.stdout.write(f"keep_journal: {said}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
