"""Events in the journal: open while photos may still join, then sent or found empty."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass

from edge_runtime.events.closing import Animal
from edge_runtime.values import TimeSource


@dataclass(frozen=True, slots=True)
class OpenEvent:
    """An event that may still grow. Times are UTC seconds since 1970, None where unknown."""

    id: int
    camera: str
    start_s: int | None
    end_s: int | None
    time_source: TimeSource


@dataclass(frozen=True, slots=True)
class Shot:
    """One photo or video of an event."""

    id: int
    captured_s: int | None
    """UTC seconds since 1970."""
    frame_rate: float | None
    """Of a video, frames a second."""
    answer: str | None
    """What a person said of it."""


class EventLog:
    """The events of one journal. Writes belong into the journal's transaction."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def open(self, camera: str | None = None) -> list[OpenEvent]:
        """The open events, of one camera or of all, oldest first."""
        where, values = ("", ()) if camera is None else (" AND camera = ?", (camera,))
        rows = self._connection.execute(
            "SELECT id, camera, start_s, end_s, time_source FROM event INDEXED BY event_open WHERE state = 'open'"
            + where
            + " ORDER BY id",
            values,
        )
        return [OpenEvent(*row) for row in rows]

    def sizes(self) -> dict[int, int]:
        """How many photos each open event has."""
        rows = self._connection.execute(
            "SELECT event.id, COUNT(*) FROM event INDEXED BY event_open CROSS JOIN photo ON event_id = event.id "
            "WHERE state = 'open' GROUP BY event.id"
        )
        return dict(tuple(row) for row in rows)

    def begin(self, camera: str, time_s: int | None, source: TimeSource) -> int:
        """Open an event with its first photo's time; returns its id."""
        cursor = self._connection.execute(
            "INSERT INTO event (camera, start_s, end_s, time_source, state) VALUES (?, ?, ?, ?, 'open')",
            (camera, time_s, time_s, source),
        )
        return int(cursor.lastrowid or 0)

    def extend(self, event_id: int, time_s: int | None) -> None:
        """Let an open event reach to `time_s`, earlier or later."""
        if time_s is not None:
            self._connection.execute(
                "UPDATE event SET start_s = min(start_s, :time), end_s = max(end_s, :time) WHERE id = :id",
                {"time": time_s, "id": event_id},
            )

    def shots(self, event_id: int) -> list[Shot]:
        """The photos and videos of an event, in the order in which they were taken."""
        rows = self._connection.execute(
            "SELECT photo.id, captured_s, frame_rate, answer.species FROM photo "
            "LEFT JOIN answer ON answer.sha256 = photo.sha256 WHERE event_id = ? ORDER BY captured_s, photo.id",
            (event_id,),
        )
        return [Shot(*row) for row in rows]

    def add_animals(self, event_id: int, photo_ids: Sequence[int], animals: Sequence[Animal]) -> None:
        """Record the animals of an event, and which detections show each.

        Args:
            photo_ids: of the event's photos and videos, by their places in it.
        """
        tracks, detections = [], []
        for number, animal in enumerate(animals):
            said, who = animal.verdict, animal.individual
            tracks.append(
                (
                    event_id, number, said.species.name if said.species else None,
                    said.species.confidence if said.species else None, said.rule, said.support, said.frames,
                    who.name if who else None, who.score if who else None,
                )
            )  # fmt: skip
            detections += [(number, photo_ids[one.medium], one.rank) for one in animal.track]
        self._connection.executemany(
            "INSERT INTO track (event_id, track, species, confidence, rule, support, frames, individual, "
            "individual_score) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            tracks,
        )
        self._connection.executemany("UPDATE detection SET track = ? WHERE photo_id = ? AND rank = ?", detections)

    def ask(self, reasons: Sequence[tuple[int, str]]) -> None:
        """Put photos on the review list: their ids, and why."""
        self._connection.executemany("UPDATE photo SET review = ? WHERE id = ?", [(why, id_) for id_, why in reasons])

    def close(self, event_id: int, *, sequence: int | None) -> None:
        """Close an event: with the sequence number of its summary, or None where it showed nothing."""
        self._connection.execute(
            "UPDATE event SET state = ?, sequence = ? WHERE id = ?",
            ("empty" if sequence is None else "sent", sequence, event_id),
        )
