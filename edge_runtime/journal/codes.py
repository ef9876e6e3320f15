"""Numbers for the names that travel: append-only, so that a number never changes its meaning."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from typing import Literal

Kind = Literal["camera", "label", "individual"]


class Codes:
    """The code tables of one journal."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def names(self, kind: Kind) -> tuple[str, ...]:
        """All names of a kind; a name's place is its code."""
        rows = self._connection.execute("SELECT name FROM code WHERE kind = ? ORDER BY code", (kind,))
        return tuple(row[0] for row in rows)

    def add(self, kind: Kind, names: Iterable[str]) -> None:
        """Give the next free codes to the names that have none yet."""
        self._connection.executemany(
            "INSERT OR IGNORE INTO code (kind, name, code) "
            "VALUES (:kind, :name, (SELECT COALESCE(MAX(code) + 1, 0) FROM code WHERE kind = :kind))",
            [{"kind": kind, "name": name} for name in names],
        )
