"""From the bytes of one event message to rows: events, card reports and losses, each exactly once."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass, field

import msgspec

from edge_runtime.errors import PayloadError, UnknownPayloadError
from edge_runtime.station import animals, streams
from edge_runtime.station.values import StoredCardReport, StoredEvent
from edge_runtime.uplink import codec
from edge_runtime.uplink.codebook import Codebook
from edge_runtime.uplink.payload import (
    CardRecord,
    ClockQuality,
    Envelope,
    EventRecord,
    LossRecord,
    Message,
    Record,
    SpeciesCount,
)
from edge_runtime.uplink.sequences import BITS, unwrap
from edge_runtime.values import Count

NO_CODEBOOK, NO_STATUS, NEWER = "codebook", "status", "version"
"""Why a message is held: until its codebook comes, until the status tells where the numbers stand, or until the
program is updated."""


class Hold(Exception):
    """This message cannot be read yet; `ask_for` is the 14-bit id of the codebook that it lacks."""

    def __init__(self, reason: str, detail: str, *, ask_for: int | None = None) -> None:
        super().__init__(detail)
        self.reason, self.detail, self.ask_for = reason, detail, ask_for


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a message comes from."""

    device: str
    payload: bytes
    received_s: int
    message_id: int
    """Its row."""


@dataclass(slots=True)
class Stored:
    """What storing one message brought."""

    events: list[StoredEvent] = field(default_factory=list)
    card_reports: list[StoredCardReport] = field(default_factory=list)
    duplicates: int = 0
    fresh: bool = False
    """Whether anything was new: its raw bytes are worth keeping."""


@dataclass(frozen=True, slots=True)
class _Readable:
    message: Message
    codebook: Codebook
    stream: streams.Stream
    names: tuple[tuple[str, tuple[Count, ...]], ...]
    """Camera and counts of each record; empty for what is no event."""


def store(connection: sqlite3.Connection, origin: Origin) -> Stored:
    """Store what is new of a message. Inside the caller's transaction.

    Raises:
        Hold: it cannot be read yet; nothing was stored.
        PayloadError: it is no payload; nothing was stored.
    """
    readable = _read(connection, origin)
    message, stream = readable.message, readable.stream
    contents = [_canonical(message, record) for record in message.records]
    first = unwrap(message.sequence, stream.contiguous + 1, BITS[message.envelope])
    stored = Stored()
    for offset, (record, content) in enumerate(zip(message.records, contents, strict=True)):
        row = _claim(connection, stream.id, first + offset, record, content, origin.message_id)
        if row is None:
            stored.duplicates += 1
            continue
        stored.fresh = True
        if row and isinstance(record, EventRecord):
            event = _event(row, first + offset, record, readable, offset, origin)
            _add_event(connection, event)
            animals.note(connection, event)
            stored.events.append(event)
        elif row and isinstance(record, CardRecord):
            report = _card_report(row, record, origin)
            insert(connection, "card_report", {name: getattr(report, name) for name in StoredCardReport.__slots__})
            stored.card_reports.append(report)
    streams.advance(connection, stream.id)
    return stored


def newest_codebook(connection: sqlite3.Connection, device: str) -> Codebook | None:
    """The codebook that the device published last."""
    row = connection.execute(
        "SELECT body FROM codebook WHERE device = ? ORDER BY newest DESC LIMIT 1", (device,)
    ).fetchone()
    return None if row is None else Codebook.from_bytes(row[0])


def insert(connection: sqlite3.Connection, table: str, values: dict[str, object]) -> int:
    """Insert one row and return its id, 0 where a row of that key is there already."""
    names, places = ", ".join(values), ", ".join(f":{name}" for name in values)
    cursor = connection.execute(f"INSERT OR IGNORE INTO {table} ({names}) VALUES ({places})", values)
    return int(cursor.lastrowid or 0) if cursor.rowcount else 0


def _read(connection: sqlite3.Connection, origin: Origin) -> _Readable:
    try:
        message = codec.decode(origin.payload, received_s=origin.received_s)
    except UnknownPayloadError as error:
        raise Hold(NEWER, str(error)) from error
    tiny = message.envelope is Envelope.TINY
    wire_id = message.codebook << 5 if tiny else message.codebook
    row = connection.execute(
        f"SELECT body FROM codebook WHERE device = ? AND {'tiny_id' if tiny else 'wire_id'} = ? "
        "ORDER BY newest DESC LIMIT 1",
        (origin.device, message.codebook),
    ).fetchone()
    if row is None:
        raise Hold(NO_CODEBOOK, f"needs the codebook {message.codebook}", ask_for=wire_id)
    codebook = Codebook.from_bytes(row[0])
    try:
        names = tuple(_names(record, codebook) for record in message.records)
    except PayloadError as error:
        # Another codebook shares these few bits; the right one has yet to come.
        raise Hold(NO_CODEBOOK, str(error), ask_for=wire_id) from error
    stream = streams.open_stream(connection, origin.device, codebook.epoch)
    if stream.floor is None:
        # Only the lower bits of the numbers travel: without the status they could be off by 65536.
        raise Hold(NO_STATUS, "needs the device's status")
    return _Readable(message, codebook, stream, names)


def _names(record: Record, codebook: Codebook) -> tuple[str, tuple[Count, ...]]:
    if not isinstance(record, EventRecord):
        return "", ()
    return codebook.camera_name(record.camera), tuple(_count(species, codebook) for species in record.species)


def _count(species: SpeciesCount, codebook: Codebook) -> Count:
    label, identity = codebook.label_name(species.code), species.identity
    if identity is None:
        return Count(label, species.count, species.confidence)
    # A number without a name means somebody else on another device.
    name = codebook.individual_name(identity.individual) or f"{codebook.device} #{identity.individual}"
    return Count(label, species.count, species.confidence, name, identity.score)


def _canonical(message: Message, record: Record) -> bytes:
    """The record alone, so that a repetition packed differently gives the same bytes."""
    return codec.encode(Message(Envelope.STANDARD, message.type, 0, 0, message.clock, (record,)))


def _claim(
    connection: sqlite3.Connection, stream: int, sequence: int, record: Record, content: bytes, message: int
) -> int | None:
    """Take the sequence number for this content.

    Returns the new row's id; None where the same content holds it already; 0 where other content does, in which case
    this one is kept as a conflict.
    """
    key: dict[str, object] = {"stream_id": stream, "sequence": sequence}
    row: dict[str, object] = {**key, "record": content, "message_id": message}
    table = "summary"
    if isinstance(record, LossRecord):
        # A loss may span numbers that did arrive: it has keys of its own.
        table, row = "loss", {**row, "count": record.count, "reason": record.reason, "time_s": record.time_s}
    taken = connection.execute(
        f"SELECT record FROM {table} WHERE stream_id = :stream_id AND sequence = :sequence", key
    ).fetchone()
    if taken is None:
        return insert(connection, table, row)
    if taken[0] == content:
        return None
    return 0 if insert(connection, "conflict", {**key, "record": content, "message_id": message}) else None


def _event(
    row: int, sequence: int, record: EventRecord, readable: _Readable, offset: int, origin: Origin
) -> StoredEvent:
    camera, counts = readable.names[offset]
    clock = readable.message.clock
    return StoredEvent(
        id=row,
        device=origin.device,
        sequence=sequence,
        camera=camera,
        start_s=None if clock is ClockQuality.UNKNOWN else record.time_s,
        duration_s=record.duration_s,
        images=record.images,
        counts=counts,
        clock=clock,
        thumbnail=record.thumbnail,
        review=record.review,
        payload_bytes=len(origin.payload) / len(readable.message.records),
        message_bytes=len(origin.payload),
        received_s=origin.received_s,
    )


def _add_event(connection: sqlite3.Connection, event: StoredEvent) -> None:
    row = {name: getattr(event, name) for name in StoredEvent.__slots__ if name not in ("sequence", "counts", "clock")}
    counts = msgspec.json.encode(event.counts).decode()
    insert(connection, "event", {**row, "clock": int(event.clock), "counts": counts})


def _card_report(row: int, record: CardRecord, origin: Origin) -> StoredCardReport:
    return StoredCardReport(
        id=row,
        device=origin.device,
        time_s=record.time_s,
        photos=record.photos,
        empty=record.empty,
        events=record.events,
        failed=record.failed,
        duplicates=record.duplicates,
        videos=record.videos,
        received_s=origin.received_s,
    )
