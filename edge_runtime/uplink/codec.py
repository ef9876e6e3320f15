"""Messages to bytes and back, as PAYLOAD.md specifies.

Pure functions. Whatever the bytes, `decode` gives a message or raises a PayloadError, in time and memory linear in
their number.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

from edge_runtime.errors import PayloadError, UnknownPayloadError
from edge_runtime.uplink import records as wire
from edge_runtime.uplink.bits import BitReader, BitWriter
from edge_runtime.uplink.payload import (
    MAX_PAYLOAD,
    WIRE_EPOCH_S,
    CardRecord,
    ClockQuality,
    Envelope,
    EventRecord,
    Identity,
    LossRecord,
    Message,
    MessageType,
    Record,
    SpeciesCount,
)
from edge_runtime.uplink.scales import DURATIONS_S, IMAGES, MOST_COUNTED, fraction_to_code, nearest

_MINUTES = 65536  # after which the tiny envelope's time begins again
_MINUTES_AHEAD = 1440  # a device's clock may run this far ahead of the station's
_TINY_CLOCK = ClockQuality.CAMERA
_RECORD_TYPES: dict[MessageType, type[Record]] = {
    MessageType.EVENTS: EventRecord,
    MessageType.CARD: CardRecord,
    MessageType.LOSS: LossRecord,
}


def encode(message: Message) -> bytes:
    """The bytes of a message; what `quantized` says is what they can tell.

    Raises:
        PayloadError: a field has no place on the wire; the message names it.
    """
    _check_records(message)
    writer = BitWriter()
    _write_envelope(writer, message, message.records[0].time_s)
    previous: Record | None = None
    for record in message.records:
        _write_record(writer, record, previous)
        previous = record
    if writer.size > MAX_PAYLOAD:
        raise PayloadError(f"{writer.size} bytes are more than {MAX_PAYLOAD}: send fewer records at once")
    return writer.to_bytes()


def fill(
    records: Sequence[EventRecord], *, codebook: int, sequence: int, clock: ClockQuality, limit: int
) -> tuple[bytes, int]:
    """Pack as many leading events as fit into one standard message of at most `limit` bytes.

    `sequence` is the first event's full number (only its lower 16 bits travel), `codebook` the 14-bit wire id.
    Packing stops before an event that cannot be encoded, so an error is always about `records[0]`.

    Returns:
        The message, and how many events it holds: at least one.

    Raises:
        PayloadError: the first event cannot be encoded or does not fit, or there is none.
    """
    if not records:
        raise PayloadError("no event to pack")
    limit = min(limit, MAX_PAYLOAD)
    first = records[0]
    writer = BitWriter()
    head = Message(Envelope.STANDARD, MessageType.EVENTS, codebook, sequence % 2**16, clock, (first,))
    _write_envelope(writer, head, first.time_s)
    _write_record(writer, first, None)
    if writer.size > limit:
        raise PayloadError(f"one event needs {writer.size} bytes and {limit} are allowed")
    packed = 1
    for previous, record in pairwise(records):
        mark = writer.mark()
        try:
            _write_record(writer, record, previous)
        except PayloadError:
            writer.roll_back(mark)
            break
        if writer.size > limit:
            writer.roll_back(mark)
            break
        packed += 1
    return writer.to_bytes(), packed


def decode(payload: bytes, *, received_s: int) -> Message:
    """The message that `payload` carries.

    Args:
        payload: any bytes.
        received_s: UTC seconds since 1970 at which they came; the tiny envelope's time is told from it.

    Raises:
        UnknownPayloadError: a later version or a type that this program does not know: hold the bytes.
        PayloadError: no payload of this specification.
    """
    return read_message(BitReader(payload), received_s=received_s)


def read_message(reader: BitReader, *, received_s: int) -> Message:
    """As `decode`, from a reader at its begin (which may keep a trace of the fields)."""
    if not reader.length:
        raise PayloadError("an empty payload")
    if reader.length > MAX_PAYLOAD * 8:
        raise PayloadError(f"{reader.length // 8} bytes are more than {MAX_PAYLOAD}")
    envelope = _read_version(reader)
    kind = reader.read(3, "type")
    if kind not in _RECORD_TYPES:
        raise UnknownPayloadError(f"message type {kind} is not known to this program", bit=reader.position - 3)
    message_type = MessageType(kind)
    if envelope is Envelope.TINY:
        clock = _TINY_CLOCK
        codebook = reader.read(9, "codebook")
        sequence = reader.read(8, "sequence")
        time_s = resolve_minutes(reader.read(16, "minutes"), received_s)
    else:
        clock = ClockQuality(reader.read(2, "clock"))
        codebook = reader.read(14, "codebook")
        sequence = reader.read(16, "sequence")
        time_s = wire.read_time(reader)
    records = _read_records(reader, message_type, envelope, time_s)
    return Message(envelope, message_type, codebook, sequence, clock, records)


def resolve_minutes(minutes: int, received_s: int) -> int:
    """The time that a tiny envelope's `minutes` mean: the latest one not later than a day after `received_s`.

    Both are UTC seconds since 1970.
    """
    latest = (received_s - WIRE_EPOCH_S) // 60 + _MINUTES_AHEAD
    return WIRE_EPOCH_S + 60 * (latest - (latest - minutes) % _MINUTES)


def quantized(record: Record, envelope: Envelope = Envelope.STANDARD) -> Record:
    """What is left of a record after its way over the wire.

    Raises:
        PayloadError: a fraction is not in 0..1.
    """
    time_s = record.time_s // 60 * 60 if envelope is Envelope.TINY else record.time_s
    if not isinstance(record, EventRecord):
        return replace(record, time_s=time_s)
    return replace(
        record,
        time_s=time_s,
        duration_s=DURATIONS_S[nearest(DURATIONS_S, record.duration_s)],
        images=IMAGES[nearest(IMAGES, record.images)],
        species=tuple(_quantized_species(species) for species in record.species),
    )


def _quantized_species(species: SpeciesCount) -> SpeciesCount:
    identity = species.identity
    return SpeciesCount(
        species.code,
        min(species.count, MOST_COUNTED),
        fraction_to_code("confidence", species.confidence, 15) / 15,
        identity and Identity(identity.individual, fraction_to_code("score", identity.score, 7) / 7),
    )


def _check_records(message: Message) -> None:
    wanted = _RECORD_TYPES[message.type]
    if not message.records or not all(isinstance(record, wanted) for record in message.records):
        raise PayloadError(f"records: a {message.type.name} message takes {wanted.__name__}s and at least one")
    single = message.envelope is Envelope.TINY or message.type is not MessageType.EVENTS
    if single and len(message.records) > 1:
        raise PayloadError(f"records: {len(message.records)} where this message takes exactly one")


def _write_envelope(writer: BitWriter, message: Message, time_s: int) -> None:
    if message.envelope is Envelope.TINY:
        if message.clock < _TINY_CLOCK:
            raise PayloadError("clock: a tiny message needs times that the camera's clock or better has told")
        writer.write(0b01, 2, "version")
        writer.write(message.type, 3, "type")
        writer.write(message.codebook, 9, "codebook")
        writer.write(message.sequence, 8, "sequence")
        writer.write((time_s - WIRE_EPOCH_S) // 60 % _MINUTES, 16, "minutes")
        return
    writer.write(0b001, 3, "version")
    writer.write(message.type, 3, "type")
    writer.write(message.clock, 2, "clock")
    writer.write(message.codebook, 14, "codebook")
    writer.write(message.sequence, 16, "sequence")
    wire.write_time(writer, time_s)


def _write_record(writer: BitWriter, record: Record, previous: Record | None) -> None:
    if previous is not None:
        wire.write_step(writer, record.time_s, previous.time_s)
    if isinstance(record, EventRecord):
        wire.write_event(writer, record)
    elif isinstance(record, CardRecord):
        wire.write_card(writer, record)
    else:
        wire.write_loss(writer, record)


def _read_version(reader: BitReader) -> Envelope:
    # The version is a run of zeros that ends with a one, so a reader meets it before anything that it may change.
    if reader.read(1, "version"):
        raise UnknownPayloadError("a payload version that this program does not know", bit=0)
    if reader.read(1, "version"):
        return Envelope.TINY
    if reader.read(1, "version"):
        return Envelope.STANDARD
    raise PayloadError("three zero bits are no version", bit=0)


def _read_records(reader: BitReader, kind: MessageType, envelope: Envelope, time_s: int) -> tuple[Record, ...]:
    reader.section = "record 1"
    if kind is MessageType.CARD:
        records: list[Record] = [wire.read_card(reader, time_s)]
    elif kind is MessageType.LOSS:
        records = [wire.read_loss(reader, time_s)]
    else:
        records = [wire.read_event(reader, time_s)]
        # No record is shorter than a byte, and padding always is: what is left tells which it is.
        while reader.remaining >= 8 and envelope is Envelope.STANDARD:
            reader.section = f"record {len(records) + 1}"
            time_s = wire.read_step(reader, time_s)
            records.append(wire.read_event(reader, time_s))
    reader.finish()
    return tuple(records)
