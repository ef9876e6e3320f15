"""From summaries in the outbox to the payload of one message."""

from __future__ import annotations

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
    Message,
    MessageType,
    SpeciesCount,
)
from edge_runtime.uplink.sequences import wrap
from edge_runtime.values import CardReport, Event

MAX_SPECIES = 19
"""As many labels as one event record holds; of more, the surest travel."""

_QUALITY = {"exif": ClockQuality.CAMERA, "file": ClockQuality.FILE, "unknown": ClockQuality.UNKNOWN}


def pack(waiting: Sequence[Waiting], codebook: Codebook, *, limit: int) -> tuple[bytes, int]:
    """Pack as many leading summaries as one message of at most `limit` bytes can hold.

    Args:
        waiting: at least one, sequence numbers ascending.

    Returns the payload and how many summaries it carries. A message holds consecutive sequence numbers and one
    clock quality; a card report travels alone.

    Raises:
        PayloadError: the first summary cannot be expressed or does not fit.
    """
    first = waiting[0]
    if isinstance(first.summary, CardReport):
        payload = codec.encode(_card_message(first, first.summary, codebook))
        if len(payload) > limit:
            raise PayloadError(f"a card report takes {len(payload)} bytes, the link carries {limit}")
        return payload, 1
    quality = _clock(first.summary)
    records = []
    for offset, entry in enumerate(waiting):
        event = entry.summary
        if entry.sequence != first.sequence + offset or not isinstance(event, Event) or _clock(event) != quality:
            break
        records.append(event_record(event, codebook))
    return codec.fill(
        records, codebook=codebook.wire_id, sequence=wrap(first.sequence, Envelope.STANDARD), clock=quality, limit=limit
    )


def event_record(event: Event, codebook: Codebook) -> EventRecord:
    """An event in the codes of `codebook`."""
    start_s, end_s = (event.start_s, event.end_s) if _clock(event) is not ClockQuality.UNKNOWN else (None, None)
    return EventRecord(
        camera=codebook.camera_code(event.camera),
        time_s=start_s or 0,
        duration_s=(end_s or 0) - (start_s or 0),
        images=event.photos,
        species=tuple(
            SpeciesCount(codebook.label_code(entry.label), entry.count, entry.confidence)
            for entry in event.counts[:MAX_SPECIES]
        ),
    )


def _clock(event: Event) -> ClockQuality:
    # A time that the wire cannot hold must not stop everything behind it.
    credible = event.start_s is not None and EARLIEST_S <= event.start_s <= LATEST_S
    return _QUALITY[event.time_source] if credible else ClockQuality.UNKNOWN


def _card_message(entry: Waiting, report: CardReport, codebook: Codebook) -> Message:
    record = CardRecord(
        time_s=report.time_s,
        photos=report.photos,
        empty=report.empty,
        events=report.events,
        failed=report.failed,
        duplicates=report.duplicates,
        videos=report.videos,
    )
    return Message(
        envelope=Envelope.STANDARD,
        type=MessageType.CARD,
        codebook=codebook.wire_id,
        sequence=wrap(entry.sequence, Envelope.STANDARD),
        clock=ClockQuality.CAMERA,  # Nobody has checked the device's own clock either.
        records=(record,),
    )
