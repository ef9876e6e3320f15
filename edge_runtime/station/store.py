"""The station's store: one SQLite file that one process writes and anybody may read."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from pathlib import Path
from typing import TypeVar

from edge_runtime import database
from edge_runtime.errors import JournalError, PayloadError
from edge_runtime.station import animals, queries
from edge_runtime.station.receive import Receiver
from edge_runtime.station.schema import MIGRATIONS
from edge_runtime.station.values import (
    Arrival,
    Committed,
    DeviceView,
    Gap,
    KnownAnimal,
    Standing,
    StoredCardReport,
    StoredEvent,
    Totals,
)

__all__ = ["FILE_NAME", "Reader", "Store", "StoredCardReport", "StoredEvent"]

FILE_NAME = "station.sqlite"

T = TypeVar("T")


class Reader:
    """Looks at a store that another process or thread may be writing. Any thread may ask.

    Every method raises JournalError where the file is missing or cannot be read.
    """

    def __init__(self, file: Path) -> None:
        self.file = file

    def recent_events(
        self,
        limit: int,
        after_id: int | None = None,
        device: str | None = None,
        animal: tuple[str, str] | None = None,
    ) -> list[StoredEvent]:
        """The `limit` events that arrived last, newest first; of one device or one known animal (label and name)."""
        return self._ask(lambda connection: queries.recent_events(connection, limit, after_id, device, animal))

    def known_animals(self, limit: int) -> list[KnownAnimal]:
        """The `limit` known animals that were seen last, the last one first."""
        return self._ask(lambda connection: animals.latest(connection, limit))

    def recent_card_reports(self, limit: int) -> list[StoredCardReport]:
        """The `limit` card reports that arrived last, newest first."""
        return self._ask(lambda connection: queries.recent_card_reports(connection, limit))

    def devices(self) -> list[DeviceView]:
        """Every device that was ever heard of, by name."""
        return self._ask(queries.devices)

    def gaps(self, device: str) -> list[Gap]:
        """What is missing of a device although later summaries are here."""
        return self._ask(lambda connection: queries.gaps(connection, device))

    def totals(self, since_s: int = 0) -> Totals:
        """Sums over everything; `events_since` counts from `since_s` on."""
        return self._ask(lambda connection: queries.totals(connection, since_s))

    def standings(self, devices: Iterable[str] | None = None) -> dict[str, Standing]:
        """What acknowledgements say now, for these devices or for all of them."""

        def read(connection: sqlite3.Connection) -> dict[str, Standing]:
            names = [row[0] for row in connection.execute("SELECT DISTINCT device FROM codebook")]
            wanted = names if devices is None else sorted(set(devices))
            found = {name: queries.standing(connection, name) for name in wanted}
            return {name: standing for name, standing in found.items() if standing is not None}

        return self._ask(read)

    def _ask(self, question: Callable[[sqlite3.Connection], T]) -> T:
        # A connection per question: sqlite3 ties one to its thread, and opening takes a fraction of a millisecond.
        with closing(database.open_read_only(self.file)) as connection:
            try:
                connection.execute("BEGIN")  # One moment for all that is read.
                return question(connection)
            except sqlite3.Error as error:
                raise JournalError(self.file, f"cannot be read: {error}") from error


class Store(Reader):
    """The store that belongs to this process.

    Raises:
        JournalError: it cannot be opened, or a newer program made it.
    """

    def __init__(self, file: Path) -> None:
        super().__init__(file)
        self._connection = database.open_database(file, MIGRATIONS)
        self._lock = threading.Lock()

    def commit(self, arrivals: Sequence[Arrival]) -> Committed:
        """Store all of these in one transaction; on return they survive a power cut.

        Raises:
            JournalError: nothing of it is stored, as on a full disk; try the same again later.
        """
        return self._transact(lambda: _merge([self._take(arrival) for arrival in arrivals]))

    def release_held(self) -> Committed:
        """Look again at everything that is held: this program may know more than the one that held it.

        Raises:
            JournalError: the file cannot be written.
        """

        def release() -> Committed:
            receiver = Receiver(self._connection)
            receiver.release_held()
            return receiver.committed()

        return self._transact(release)

    def close(self) -> None:
        self._connection.close()

    def _transact(self, work: Callable[[], Committed]) -> Committed:
        try:
            with self._lock, database.transaction(self._connection):
                return work()
        except sqlite3.Error as error:
            hint = "free some space on the disk; nothing is lost, devices keep what is not acknowledged"
            raise JournalError(self.file, f"cannot be written: {error}", hint=hint) from error

    def _take(self, arrival: Arrival) -> Committed:
        """One arrival on its own: whatever it is, the others of the transaction are not touched."""
        self._connection.execute("SAVEPOINT arrival")
        receiver = Receiver(self._connection)
        try:
            receiver.take(arrival)
        except (PayloadError, ValueError, OverflowError, sqlite3.IntegrityError, sqlite3.DataError) as error:
            # The message's fault. Every other error of SQLite is the disk's: it ends the transaction.
            self._connection.execute("ROLLBACK TO arrival")
            receiver = Receiver(self._connection)
            receiver.keep_bad(arrival, str(error))
        self._connection.execute("RELEASE arrival")
        return receiver.committed()


def _merge(parts: Sequence[Committed]) -> Committed:
    return Committed(
        events=tuple(event for part in parts for event in part.events),
        card_reports=tuple(report for part in parts for report in part.card_reports),
        acknowledge=frozenset().union(*(part.acknowledge for part in parts)),
        ask=frozenset().union(*(part.ask for part in parts)),
    )
