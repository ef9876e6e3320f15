"""What the page, the API and the commands ask of the store. Functions on a connection that only reads."""

from __future__ import annotations

import sqlite3

import msgspec

from edge_runtime.station import messages, streams
from edge_runtime.station.values import DeviceView, Gap, Standing, StoredCardReport, StoredEvent, Totals
from edge_runtime.uplink.payload import ClockQuality
from edge_runtime.uplink.status import DeviceStatus
from edge_runtime.values import Count


def recent_events(
    connection: sqlite3.Connection,
    limit: int,
    after_id: int | None,
    device: str | None,
    animal: tuple[str, str] | None,
) -> list[StoredEvent]:
    """The `limit` events that arrived last, newest first, of those with an id greater than `after_id`.

    Args:
        animal: label and name of a known animal: only events in which it was seen.
    """
    source, newest = "event", "event.id"
    label, name = animal or (None, None)
    if animal is not None:
        source = "animal CROSS JOIN sighting ON animal_id = animal.id CROSS JOIN event ON event.id = event_id"
        newest = "event_id"
    rows = connection.execute(
        f"SELECT event.*, summary.sequence FROM {source} CROSS JOIN summary ON summary.id = event.id "
        f"WHERE {newest} > :after AND (:device IS NULL OR event.device = :device) "
        + ("AND animal.label = :label AND animal.name = :name " if animal else "")
        + f"ORDER BY {newest} DESC LIMIT :limit",
        {"after": after_id or 0, "device": device, "label": label, "name": name, "limit": limit},
    )
    return [_event(row) for row in rows]


def recent_card_reports(connection: sqlite3.Connection, limit: int) -> list[StoredCardReport]:
    """The `limit` card reports that arrived last, newest first."""
    rows = connection.execute("SELECT * FROM card_report ORDER BY id DESC LIMIT ?", (limit,))
    return [StoredCardReport(**dict(row)) for row in rows]


def devices(connection: sqlite3.Connection) -> list[DeviceView]:
    """Every device that was ever heard of, by name."""
    rows = connection.execute("SELECT name, online, last_contact_s, status FROM device ORDER BY name").fetchall()
    return [_device(connection, row) for row in rows]


def gaps(connection: sqlite3.Connection, device: str) -> list[Gap]:
    """What is missing of the device's present epoch although later numbers are here."""
    stream = present_stream(connection, device)
    return [] if stream is None else streams.gaps(connection, stream)


def totals(connection: sqlite3.Connection, since_s: int) -> Totals:
    """Sums over everything; `events_since` counts what was received at or after `since_s`."""
    counter = dict(connection.execute("SELECT name, value FROM counter").fetchall())

    def number(query: str, *values: object) -> int:
        return int(connection.execute(query, values).fetchone()[0] or 0)

    return Totals(
        events=number("SELECT COUNT(*) FROM event"),
        events_since=number("SELECT COUNT(*) FROM event WHERE received_s >= ?", since_s),
        photos=number("SELECT SUM(photos) FROM card_report"),
        devices=number("SELECT COUNT(*) FROM device"),
        online=number("SELECT COUNT(*) FROM device WHERE online"),
        held=number("SELECT COUNT(*) FROM message WHERE state = 'held'"),
        bad=counter.get("bad", 0),
        conflicts=number("SELECT COUNT(*) FROM conflict"),
        duplicates=counter.get("duplicates", 0),
    )


def standing(connection: sqlite3.Connection, device: str) -> Standing | None:
    """What an acknowledgement to the device says now; None while its codebook or its status is not known."""
    codebook = messages.newest_codebook(connection, device)
    stream = streams.find(connection, device, codebook.epoch) if codebook else None
    if codebook is None or stream is None or stream.floor is None:
        return None
    return Standing(codebook.digest, stream.contiguous, streams.beyond(connection, stream))


def present_stream(connection: sqlite3.Connection, device: str) -> streams.Stream | None:
    """The stream of the epoch in which the device is now: that of its codebook, else of its status."""
    codebook = messages.newest_codebook(connection, device)
    if codebook is not None:
        return streams.find(connection, device, codebook.epoch)
    row = connection.execute("SELECT epoch FROM stream WHERE device = ? ORDER BY id DESC LIMIT 1", (device,)).fetchone()
    return None if row is None else streams.find(connection, device, row[0])


def _device(connection: sqlite3.Connection, row: sqlite3.Row) -> DeviceView:
    name = row["name"]
    codebook = messages.newest_codebook(connection, name)
    stream = present_stream(connection, name)
    received = dropped = 0
    if stream is not None:
        received, dropped = connection.execute(
            "SELECT (SELECT COUNT(*) FROM summary WHERE stream_id = :id), "
            "(SELECT COALESCE(SUM(count), 0) FROM loss WHERE stream_id = :id)",
            {"id": stream.id},
        ).fetchone()
    held = connection.execute("SELECT COUNT(*) FROM message WHERE state = 'held' AND device = ?", (name,)).fetchone()
    return DeviceView(
        name=name,
        online=None if row["online"] is None else bool(row["online"]),
        last_contact_s=row["last_contact_s"],
        status=None if row["status"] is None else DeviceStatus.from_bytes(row["status"]),
        received=received,
        dropped=dropped,
        outstanding=0 if stream is None else streams.outstanding(connection, stream),
        gaps=() if stream is None else tuple(streams.gaps(connection, stream)),
        held=held[0],
        models=dict(codebook.models) if codebook else {},
    )


def _event(row: sqlite3.Row) -> StoredEvent:
    fields = dict(row)
    fields["counts"] = msgspec.json.decode(fields["counts"], type=tuple[Count, ...])
    fields["clock"] = ClockQuality(fields["clock"])
    fields["thumbnail"], fields["review"] = bool(fields["thumbnail"]), bool(fields["review"])
    return StoredEvent(**fields)
