"""What people said of pictures: it wins over the machine's word (`events.answers`)."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Given:
    """What a set of answers changed."""

    new: int
    changed: dict[bytes, str]
    """Pictures of which something else was said before, and what."""
    unchanged: int
    """Said before."""
    open: int
    """Of those new or changed, the ones whose event is still open: it will be sent with them."""
    late: int
    """The ones whose event is closed. What it sent stays as it is."""
    unread: int
    """The ones of pictures that this journal has not read yet."""


class Answers:
    """The answers of one journal, one for each picture. Writes belong into the journal's transaction."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def of(self, sha256: bytes) -> str | None:
        """What was said of the picture last; None for nothing."""
        row = self._connection.execute("SELECT species FROM answer WHERE sha256 = ?", (sha256,)).fetchone()
        return None if row is None else str(row[0])

    def names(self) -> tuple[str, ...]:
        """Everything that was ever said of a picture, and holds."""
        return tuple(row[0] for row in self._connection.execute("SELECT DISTINCT species FROM answer ORDER BY species"))

    def give(self, answers: Mapping[bytes, str], *, source: str, now_s: int) -> Given:
        """Let these answers stand. One that is there already stays as it is; another one takes its place.

        Args:
            answers: by the picture's SHA-256; of pictures that may be read later too.
            source: where they come from.
            now_s: UTC seconds since 1970.
        """
        new = unchanged = 0
        changed: dict[bytes, str] = {}
        where = {"open": 0, "late": 0, "unread": 0}
        for sha256, species in answers.items():
            before = self.of(sha256)
            if before == species:
                unchanged += 1
                continue
            if before is None:
                new += 1
            else:
                changed[sha256] = before
            where[self._event_of(sha256)] += 1
            self._connection.execute(
                "INSERT INTO answer (sha256, species, given_s, source) VALUES (?, ?, ?, ?) ON CONFLICT (sha256) "
                "DO UPDATE SET species = excluded.species, given_s = excluded.given_s, source = excluded.source",
                (sha256, species, now_s, source),
            )
        return Given(new, changed, unchanged, **where)

    def _event_of(self, sha256: bytes) -> str:
        row = self._connection.execute(
            "SELECT state FROM photo JOIN event ON event.id = event_id WHERE sha256 = ?", (sha256,)
        ).fetchone()
        if row is None:
            return "unread"
        return "open" if row[0] == "open" else "late"
