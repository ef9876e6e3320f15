"""The journal as a whole: one file, one connection per thread, one transaction per step of the way."""

from __future__ import annotations

import secrets
import sqlite3
import threading
from contextlib import AbstractContextManager
from pathlib import Path

from edge_runtime import database
from edge_runtime.errors import JournalError
from edge_runtime.journal.answers import Answers
from edge_runtime.journal.card_reports import CardReports
from edge_runtime.journal.codes import Codes
from edge_runtime.journal.embeddings import Embeddings
from edge_runtime.journal.event_log import EventLog
from edge_runtime.journal.ledger import Ledger
from edge_runtime.journal.outbox import Outbox
from edge_runtime.journal.repeats import Repeats
from edge_runtime.journal.runs import Runs
from edge_runtime.journal.schema import MIGRATIONS

FILE_NAME = "journal.sqlite"


class Journal:
    """The open journal. Each thread opens its own; SQLite keeps them apart.

    Raises:
        JournalError: the file cannot be opened, or it belongs to another device.
    """

    def __init__(self, file: Path, *, device: str) -> None:
        self.file = file
        self._connection = database.open_database(file, MIGRATIONS)
        self._lookup, self._lookup_lock = database.open_read_only(file), threading.Lock()
        self.ledger = Ledger(self._connection)
        self.events = EventLog(self._connection)
        self.outbox = Outbox(self._connection)
        self.codes = Codes(self._connection)
        self.reports = CardReports(self._connection)
        self.runs = Runs(self._connection)
        self.embeddings = Embeddings(self._connection)
        self.repeats = Repeats(self._connection)
        self.answers = Answers(self._connection)
        try:
            self._name_once(device)
        except sqlite3.Error as error:
            raise JournalError(file, f"cannot be written: {error}", hint="is the disk full or read-only?") from error
        owner = self.get("device")
        if owner != device:
            raise JournalError(
                file,
                f"belongs to the device '{owner}', not '{device}'",
                hint="give each device a data folder of its own",
            )

    @property
    def epoch(self) -> str:
        """16 hex digits that name this journal: sequence numbers count from 1 in each epoch."""
        return self.get("epoch") or ""

    def transaction(self) -> AbstractContextManager[None]:
        """All writes inside commit as one, or none does."""
        return database.transaction(self._connection)

    def snapshot(self) -> AbstractContextManager[None]:
        """All reads inside are of one moment."""
        return database.snapshot(self._connection)

    def knows(self, sha256: bytes) -> bool:
        """Whether a photo with this picture is committed. For any thread."""
        with self._lookup_lock:
            row = self._lookup.execute("SELECT 1 FROM photo WHERE sha256 = ?", (sha256,)).fetchone()
        return row is not None

    def get(self, key: str) -> str | None:
        """A remembered value, None where there is none."""
        row = self._connection.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
        return None if row is None else str(row[0])

    def put(self, key: str, value: str) -> None:
        """Remember a value."""
        self._connection.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, value))

    def close(self) -> None:
        self._lookup.close()
        self._connection.close()

    def _name_once(self, device: str) -> None:
        self._connection.execute(
            "INSERT OR IGNORE INTO meta VALUES ('device', ?), ('epoch', ?)", (device, secrets.token_hex(8))
        )
