"""Known animals: who was seen, and when and where last. Kept as events come: adding up a million takes too long."""

from __future__ import annotations

import sqlite3

from edge_runtime.station.values import KnownAnimal, StoredEvent

_ANIMALS = (
    "SELECT label, name, events, last_s, start_s IS last_s AS timed, camera, device "
    "FROM animal JOIN event ON event.id = animal.last_event "
)


def note(connection: sqlite3.Connection, event: StoredEvent) -> None:
    """Add a new event to those of each known animal that it names. In the transaction that stores it."""
    for label, name in {(count.label, count.individual) for count in event.counts if count.individual is not None}:
        seen = {"label": label, "name": name, "event": event.id, "at": event.happened_s}
        # Cards are read late and in any order: the last event is the one that happened last.
        connection.execute(
            "INSERT INTO animal (label, name, events, last_event, last_s) VALUES (:label, :name, 1, :event, :at) "
            "ON CONFLICT (label, name) DO UPDATE SET events = events + 1, "
            "last_event = CASE WHEN :at >= last_s THEN :event ELSE last_event END, last_s = max(last_s, :at)",
            seen,
        )
        connection.execute(
            "INSERT INTO sighting (animal_id, event_id) "
            "SELECT id, :event FROM animal WHERE label = :label AND name = :name",
            seen,
        )


def latest(connection: sqlite3.Connection, limit: int) -> list[KnownAnimal]:
    """The `limit` known animals that were seen last, the last one first."""
    rows = connection.execute(f"{_ANIMALS} ORDER BY last_s DESC, animal.id DESC LIMIT ?", (limit,))
    return [KnownAnimal(**{**dict(row), "timed": bool(row["timed"])}) for row in rows]
