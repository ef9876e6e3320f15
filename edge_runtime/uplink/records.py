"""How each kind of record stands in the bits of a payload: PAYLOAD.md, section Records.

A record's time is not its own: the envelope carries the first one's, and each later event says how far it is from
the one before.
"""

from __future__ import annotations

from edge_runtime.errors import PayloadError
from edge_runtime.uplink.bits import BitReader, BitWriter, check_range
from edge_runtime.uplink.payload import (
    EARLIEST_S,
    LATEST_S,
    WIRE_EPOCH_S,
    CardRecord,
    EventRecord,
    Identity,
    LossRecord,
    SpeciesCount,
)
from edge_runtime.uplink.scales import DURATIONS_S, IMAGES, MOST_COUNTED, fraction_to_code, nearest

STEP_WIDTHS = (6, 12, 18)
"""Bits of the time step by its selector; selector 3 is a whole time instead."""
MOST_LOST = 32767
MOST_SPECIES = 19
CARD_FIELDS = ("photos", "empty", "events", "failed", "duplicates", "videos")


def write_time(writer: BitWriter, time_s: int) -> None:
    """A whole time: 32 bits, two's complement, seconds since 2020."""
    check_range("time", time_s, EARLIEST_S, LATEST_S)
    writer.write((time_s - WIRE_EPOCH_S) % 2**32, 32, "time")


def read_time(reader: BitReader) -> int:
    raw = reader.read(32, "time")
    return WIRE_EPOCH_S + (raw - 2**32 if raw >= 2**31 else raw)


def write_step(writer: BitWriter, time_s: int, previous_s: int) -> None:
    """The time of a later event, in as few bits as its distance from the previous one needs."""
    step = time_s - previous_s
    for selector, width in enumerate(STEP_WIDTHS):
        if 0 <= step < 1 << width:
            writer.write(selector, 2, "step size")
            writer.write(step, width, "step")
            return
    writer.write(len(STEP_WIDTHS), 2, "step size")
    write_time(writer, time_s)


def read_step(reader: BitReader, previous_s: int) -> int:
    selector = reader.read(2, "step size")
    if selector == len(STEP_WIDTHS):
        return read_time(reader)
    start = reader.position
    time_s = previous_s + reader.read(STEP_WIDTHS[selector], "step")
    if time_s > LATEST_S:
        raise PayloadError("the step leads past the last time", bit=start)
    return time_s


def write_event(writer: BitWriter, event: EventRecord) -> None:
    """One event without its time.

    Raises:
        PayloadError: a field has no place on the wire; the message names it.
    """
    if event.duration_s < 0 or event.images < 1:
        raise PayloadError(f"duration_s, images: {event.duration_s}, {event.images} are less than 0, 1")
    if not 1 <= len(event.species) <= MOST_SPECIES:
        raise PayloadError(f"species: {len(event.species)} is not in 1..{MOST_SPECIES}")
    writer.write_escaped(event.camera, 4, 12, "camera")
    writer.write(nearest(DURATIONS_S, event.duration_s), 5, "duration")
    writer.write(nearest(IMAGES, event.images), 4, "images")
    writer.write_escaped(len(event.species) - 1, 2, 4, "species")
    writer.write(bool(event.thumbnail), 1, "thumbnail")
    writer.write(bool(event.review), 1, "review")
    for species in event.species:
        _write_species(writer, species)


def read_event(reader: BitReader, time_s: int) -> EventRecord:
    section = reader.section
    camera = reader.read_escaped(4, 12, "camera")
    duration_s = DURATIONS_S[reader.read(5, "duration")]
    images = IMAGES[reader.read(4, "images")]
    number = 1 + reader.read_escaped(2, 4, "species")
    thumbnail = bool(reader.read(1, "thumbnail"))
    review = bool(reader.read(1, "review"))
    species = []
    for index in range(1, number + 1):
        reader.section = f"{section}, species {index}"
        species.append(_read_species(reader))
    return EventRecord(camera, time_s, duration_s, images, tuple(species), thumbnail, review)


def _write_species(writer: BitWriter, species: SpeciesCount) -> None:
    if species.count < 1:
        raise PayloadError(f"count: {species.count} is less than 1")
    writer.write_escaped(species.code, 8, 16, "code")
    writer.write_escaped(min(species.count, MOST_COUNTED), 4, 8, "count")
    writer.write(fraction_to_code("confidence", species.confidence, 15), 4, "confidence")
    writer.write(species.identity is not None, 1, "identity")
    if species.identity is not None:
        writer.write(species.identity.individual, 10, "individual")
        writer.write(fraction_to_code("score", species.identity.score, 7), 3, "score")


def _read_species(reader: BitReader) -> SpeciesCount:
    code = reader.read_escaped(8, 16, "code")
    start = reader.position
    count = reader.read_escaped(4, 8, "count")
    if count == 0:
        raise PayloadError("a count of 0", bit=start)
    confidence = reader.read(4, "confidence") / 15
    identity = None
    if reader.read(1, "identity"):
        identity = Identity(reader.read(10, "individual"), reader.read(3, "score") / 7)
    return SpeciesCount(code, count, confidence, identity)


def write_card(writer: BitWriter, card: CardRecord) -> None:
    """A card report without its time.

    Raises:
        PayloadError: a count is not in 0..2**32 - 1.
    """
    for name in CARD_FIELDS:
        writer.write_groups(getattr(card, name), name)


def read_card(reader: BitReader, time_s: int) -> CardRecord:
    return CardRecord(time_s, *(reader.read_groups(name) for name in CARD_FIELDS))


def write_loss(writer: BitWriter, loss: LossRecord) -> None:
    """A loss without its time.

    Raises:
        PayloadError: `count` is not in 1..32767 or `reason` not in 0..15.
    """
    check_range("count", loss.count, 1, MOST_LOST)
    writer.write(loss.reason, 4, "reason")
    writer.write_groups(loss.count, "count")


def read_loss(reader: BitReader, time_s: int) -> LossRecord:
    reason = reader.read(4, "reason")
    start = reader.position
    count = reader.read_groups("count")
    if not 1 <= count <= MOST_LOST:
        raise PayloadError(f"a loss of {count} is not in 1..{MOST_LOST}", bit=start)
    return LossRecord(time_s, count, reason)
