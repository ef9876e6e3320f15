"""What waits for a station's acknowledgement. A row goes only when a station has committed it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass

import msgspec

from edge_runtime.values import CardReport, Event

_KINDS = {"event": Event, "card": CardReport}


@dataclass(frozen=True, slots=True)
class Waiting:
    """One summary in the outbox."""

    sequence: int
    """From 1, without holes, in the order in which they were written."""
    summary: Event | CardReport | None
    """None where the row can no longer be read: it must not stop what is behind it."""
    created_s: int
    """UTC seconds since 1970, by the device's clock."""


class Outbox:
    """The outbox of one journal."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def put(self, summary: Event | CardReport, *, now_s: int) -> int:
        """Add a summary and return its sequence number. Call inside the transaction that made it."""
        kind = "event" if isinstance(summary, Event) else "card"
        cursor = self._connection.execute(
            "INSERT INTO outbox (kind, body, created_s) VALUES (?, ?, ?)",
            (kind, msgspec.json.encode(summary), now_s),
        )
        return int(cursor.lastrowid or 0)

    def after(self, sequence: int, *, limit: int) -> list[Waiting]:
        """The oldest `limit` summaries whose sequence is greater than `sequence`, in order."""
        rows = self._connection.execute(
            "SELECT sequence, kind, body, created_s FROM outbox WHERE sequence > ? ORDER BY sequence LIMIT ?",
            (sequence, limit),
        )
        return [Waiting(row["sequence"], _summary(row["kind"], row["body"]), row["created_s"]) for row in rows]

    def acknowledge(self, up_to: int, further: Iterable[int]) -> int:
        """Remove everything up to and including `up_to`, and the single numbers in `further`.

        Returns how many rows went.
        """
        gone = self._connection.execute("DELETE FROM outbox WHERE sequence <= ?", (up_to,)).rowcount
        for sequence in further:
            gone += self._connection.execute("DELETE FROM outbox WHERE sequence = ?", (sequence,)).rowcount
        return gone

    def waiting(self) -> int:
        return int(self._connection.execute("SELECT COUNT(*) FROM outbox").fetchone()[0])

    def empty(self) -> bool:
        """Whether nothing waits; as quick with a million summaries as with one."""
        return self._connection.execute("SELECT 1 FROM outbox LIMIT 1").fetchone() is None

    def span(self) -> tuple[int, int]:
        """(first, next): the lowest sequence that still waits, and the one that will be given next.

        With nothing waiting both are the same.
        """
        row = self._connection.execute("SELECT seq FROM sqlite_sequence WHERE name = 'outbox'").fetchone()
        following = int(row[0]) + 1 if row else 1
        first = self._connection.execute("SELECT MIN(sequence) FROM outbox").fetchone()[0]
        return (following if first is None else int(first)), following


def _summary(kind: str, body: bytes) -> Event | CardReport | None:
    try:
        summary: Event | CardReport = msgspec.json.decode(body, type=_KINDS[kind])
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None
    return summary
