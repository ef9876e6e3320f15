"""With which models and thresholds photos were read, so that a report can say so years later."""

from __future__ import annotations

import sqlite3

import msgspec


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """What a run reads photos with."""

    detector: str
    """Name and version of its bundle, as `Bundle.title`."""
    classifier: str | None = None
    embedder: str | None = None
    confident: float
    """Least confidence of a detection that counts."""
    keep: float
    """Least confidence of a detection that is recorded at all."""
    time_zone: str
    """Of the cameras' clocks."""
    lineages: dict[str, tuple[str, ...]] = {}
    """Every name that the classifier can say, with its scientific names, class first (`Taxonomy.lineages`)."""


class Runs:
    """The runs of one journal. Writes belong into the journal's transaction."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def add(self, run: Run) -> int:
        """The number of `run`, a new one where there was none like it."""
        body = msgspec.json.encode(run, order="sorted").decode()
        self._connection.execute("INSERT OR IGNORE INTO run (body) VALUES (?)", (body,))
        return int(self._connection.execute("SELECT id FROM run WHERE body = ?", (body,)).fetchone()[0])

    def all(self) -> dict[int, Run]:
        """Every run, oldest first, by its number."""
        rows = self._connection.execute("SELECT id, body FROM run ORDER BY id")
        return {row[0]: msgspec.json.decode(row[1], type=Run) for row in rows}
