"""A journal to look at, wherever its file is: on the device beside its daemon, or a copy at the station."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from edge_runtime import database
from edge_runtime.errors import JournalError
from edge_runtime.journal import ledger, results
from edge_runtime.journal.ledger import Totals
from edge_runtime.journal.results import Result
from edge_runtime.journal.runs import Run, Runs
from edge_runtime.journal.schema import MIGRATIONS


class JournalReader:
    """All of one moment of a journal. Nothing is written to it.

    Raises:
        JournalError: it does not exist, is no journal, or one of an older or a newer program.
    """

    def __init__(self, file: Path, connection: sqlite3.Connection) -> None:
        self.file, self._connection = file, connection
        version = int(connection.execute("PRAGMA user_version").fetchone()[0])
        if version != len(MIGRATIONS):
            older = version < len(MIGRATIONS)
            raise JournalError(
                file,
                f"has schema version {version}, this program reads {len(MIGRATIONS)}",
                hint="run edge-runtime with it once, which brings it up to date" if older else "update the program",
            )

    @property
    def device(self) -> str:
        return str(self._connection.execute("SELECT value FROM meta WHERE key = 'device'").fetchone()[0])

    def results(self, *, by_event: bool = False) -> Iterator[Result]:
        """Every file with its outcome, as `results.stream`; in bounded memory, as often as one likes."""
        return results.stream(self._connection, by_event=by_event)

    def runs(self) -> tuple[Run, ...]:
        """With what its photos were read, oldest first."""
        return tuple(Runs(self._connection).all().values())

    def totals(self) -> Totals:
        return ledger.totals(self._connection)


@contextmanager
def reading(file: Path) -> Iterator[JournalReader]:
    """Open the journal `file` at its present moment, while its owner may go on writing.

    Raises:
        JournalError: as `JournalReader`, or it cannot be read.
    """
    connection = database.open_read_only(file)
    try:
        with database.snapshot(connection):
            yield JournalReader(file, connection)
    except sqlite3.Error as error:
        raise JournalError(file, f"cannot be read: {error}", hint="is it a journal of edge-runtime?") from error
    finally:
        connection.close()
