"""Numbers for the names that travel: append-only, so that a number never changes its meaning."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from typing import Literal

from edge_runtime.values import Event

Kind = Literal["camera", "label", "individual"]
MOST: dict[Kind, int] = {"camera": 4111, "label": 65_791, "individual": 1024}
"""As many names as the payload has numbers for (PAYLOAD.md, section Records)."""


class Codes:
    """The code tables of one journal."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def names(self, kind: Kind) -> tuple[str, ...]:
        """All names of a kind; a name's place is its code."""
        rows = self._connection.execute("SELECT name FROM code WHERE kind = ? ORDER BY code", (kind,))
        return tuple(row[0] for row in rows)

    def add(self, kind: Kind, names: Iterable[str]) -> None:
        """Give the next free codes to the names that have none yet, as long as there are any."""
        self._connection.executemany(
            "INSERT OR IGNORE INTO code (kind, name, code) SELECT :kind, :name, free "
            "FROM (SELECT COALESCE(MAX(code) + 1, 0) AS free FROM code WHERE kind = :kind) WHERE free < :most",
            [{"kind": kind, "name": name, "most": MOST[kind]} for name in names],
        )

    def add_of(self, event: Event) -> None:
        """Give codes to all names that an event travels with. Call in the transaction that puts it into the outbox:
        what is sent under one number must never change."""
        self.add("camera", [event.camera])
        self.add("label", (count.label for count in event.counts))
        self.add("individual", (count.individual for count in event.counts if count.individual is not None))
