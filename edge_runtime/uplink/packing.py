"""From summaries in the outbox to the payload of one message."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from edge_runtime.errors import PayloadError
from edge_runtime.journal.outbox import Waiting
from edge_runtime.uplink import codec
from edge_runtime.uplink.codebook import Codebook
from edge_runtime.uplink.payload import (
    EARLIEST_S,
    LATEST_S,
    CardRecord,
    ClockQuality,
    Envelope,
    EventRecord,
    Identity,
    LossReason,
    LossRecord,
    Message,
    MessageType,
    SpeciesCount,
)
from edge_runtime.uplink.sequences import wrap
from edge_runtime.values import CardReport, Count, Event

log = logging.getLogger(__name__)

MAX_SPECIES = 19
"""As many labels as one event record holds; of more, the surest travel."""

_QUALITY = {"exif": ClockQuality.CAMERA, "file": ClockQuality.FILE, "unknown": ClockQuality.UNKNOWN}


def pack(waiting: Sequence[Waiting], codebook: Codebook, *, limit: int) -> tuple[bytes, int]:
    """Pack as many leading summaries as one message of at most `limit` bytes can hold.

    Args:
        waiting: at least one, sequence numbers ascending.

    Returns the payload and how many summaries it carries. A message holds consecutive sequence numbers and one
    clock quality; a card report travels alone. A first summary that can no longer be read, or for which the payload
    has no place, costs itself only: a LOSS record takes its number, so that the station knows and the rest goes on.
    """
    first = waiting[0]
    if first.summary is None:
        return _loss(first, LossReason.DAMAGED, codebook), 1
    try:
        if isinstance(first.summary, CardReport):
            return codec.encode(_message(first, MessageType.CARD, _card_record(first.summary), codebook)), 1
        return _pack_events(waiting, first.summary, codebook, limit=limit)
    except PayloadError as error:
        log.error("summary %d cannot be sent, only that it is lost: %s", first.sequence, error)
        return _loss(first, LossReason.UNENCODABLE, codebook), 1


def _pack_events(waiting: Sequence[Waiting], first: Event, codebook: Codebook, *, limit: int) -> tuple[bytes, int]:
    quality, sequence = _clock(first), waiting[0].sequence
    records = [event_record(first, codebook)]
    for offset, entry in enumerate(waiting[1:], start=1):
        event = entry.summary
        if entry.sequence != sequence + offset or not isinstance(event, Event) or _clock(event) != quality:
            break
        try:
            records.append(event_record(event, codebook))
        except PayloadError:
            break  # It is the next message's first, and dealt with there.
    return codec.fill(
        records, codebook=codebook.wire_id, sequence=wrap(sequence, Envelope.STANDARD), clock=quality, limit=limit
    )


def event_record(event: Event, codebook: Codebook) -> EventRecord:
    """An event in the codes of `codebook`."""
    start_s, end_s = (event.start_s, event.end_s) if _clock(event) is not ClockQuality.UNKNOWN else (None, None)
    return EventRecord(
        camera=codebook.camera_code(event.camera),
        time_s=start_s or 0,
        duration_s=(end_s or 0) - (start_s or 0),
        images=event.photos,
        species=tuple(_species_count(entry, codebook) for entry in event.counts[:MAX_SPECIES]),
        review=event.review,
    )


def _species_count(entry: Count, codebook: Codebook) -> SpeciesCount:
    # Who comes after the last number that the payload has travels as one of its label.
    number = None if entry.individual is None else codebook.individual_number(entry.individual)
    identity = None if number is None else Identity(number, entry.score)
    return SpeciesCount(codebook.label_code(entry.label), entry.count, entry.confidence, identity)


def _clock(event: Event) -> ClockQuality:
    # A time that the wire cannot hold must not stop everything behind it.
    credible = event.start_s is not None and EARLIEST_S <= event.start_s <= LATEST_S
    return _QUALITY[event.time_source] if credible else ClockQuality.UNKNOWN


def _card_record(report: CardReport) -> CardRecord:
    return CardRecord(
        time_s=report.time_s,
        photos=report.photos,
        empty=report.empty,
        events=report.events,
        failed=report.failed,
        duplicates=report.duplicates,
        videos=report.videos,
    )


def _loss(entry: Waiting, reason: LossReason, codebook: Codebook) -> bytes:
    # The time comes from the row, so that a repetition is the same record.
    time_s = min(max(entry.created_s, EARLIEST_S), LATEST_S)
    return codec.encode(_message(entry, MessageType.LOSS, LossRecord(time_s, 1, reason), codebook))


def _message(entry: Waiting, kind: MessageType, record: CardRecord | LossRecord, codebook: Codebook) -> Message:
    return Message(
        envelope=Envelope.STANDARD,
        type=kind,
        codebook=codebook.wire_id,
        sequence=wrap(entry.sequence, Envelope.STANDARD),
        clock=ClockQuality.CAMERA,  # Nobody has checked the device's own clock either.
        records=(record,),
    )
