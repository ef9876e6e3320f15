"""Opening an SQLite file so that what is committed survives a power cut, and bringing its schema up to date."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from edge_runtime.errors import JournalError

BUSY_SECONDS = 30.0
CHECKPOINT_PAGES = 4000
"""Of 4 KiB: the write-ahead log grows to 16 MB."""


def open_database(file: Path, migrations: Sequence[str]) -> sqlite3.Connection:
    """Open (or make) `file` in WAL mode with `synchronous=FULL` and run the migrations that it lacks.

    Migration `i` takes the schema from version `i` to `i + 1`; the version is SQLite's own `user_version`.
    The connection is in autocommit mode: writes belong into `transaction`.

    Raises:
        JournalError: the file is no database, cannot be written, or was made by a newer program.
    """
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        connection = sqlite3.connect(file, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("PRAGMA foreign_keys=ON")
        # Hashes lie anywhere in their index: the more photos share a checkpoint, the fewer pages are written per photo.
        connection.execute(f"PRAGMA wal_autocheckpoint={CHECKPOINT_PAGES}")
        connection.row_factory = sqlite3.Row
        _migrate(connection, file, migrations)
    except (sqlite3.Error, OSError) as error:
        raise JournalError(file, f"cannot be opened: {error}", hint="check the disk and the permissions") from error
    return connection


def open_read_only(file: Path) -> sqlite3.Connection:
    """Open an existing database to look at it while its owner may be writing.

    Raises:
        JournalError: it does not exist or is no database.
    """
    if not file.exists():
        raise JournalError(file, "does not exist", hint="has the program run with this configuration yet?")
    try:
        connection = sqlite3.connect(
            f"{file.resolve().as_uri()}?mode=ro", uri=True, timeout=BUSY_SECONDS, check_same_thread=False
        )
        connection.execute("PRAGMA user_version").fetchone()
    except sqlite3.Error as error:
        raise JournalError(file, f"cannot be read: {error}") from error
    connection.row_factory = sqlite3.Row
    return connection


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """Everything inside commits as one, or nothing does."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        # After some failures (a full disk) SQLite has rolled back by itself already.
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


@contextmanager
def snapshot(connection: sqlite3.Connection) -> Iterator[None]:
    """Everything read inside is of one moment, whatever others commit meanwhile; nobody is held up. For reads only."""
    connection.execute("BEGIN")
    try:
        yield
    finally:
        connection.execute("ROLLBACK")


def _migrate(connection: sqlite3.Connection, file: Path, migrations: Sequence[str]) -> None:
    with transaction(connection):
        version = int(connection.execute("PRAGMA user_version").fetchone()[0])
        if version > len(migrations):
            raise JournalError(
                file, f"has schema version {version}, this program knows {len(migrations)}", hint="update the program"
            )
        for number in range(version, len(migrations)):
            for statement in migrations[number].split(";\n"):
                if statement.strip():
                    connection.execute(statement)
            connection.execute(f"PRAGMA user_version={number + 1}")
