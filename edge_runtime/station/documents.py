"""Stored values as JSON documents: for the API and for `--json`. Times in UTC, as seconds since 1970 and ISO 8601."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from edge_runtime.station import wording
from edge_runtime.station.values import DeviceView, KnownAnimal, StoredEvent
from edge_runtime.uplink import codec
from edge_runtime.uplink.codebook import Codebook
from edge_runtime.uplink.payload import EventRecord, Record
from edge_runtime.values import Count


def event(stored: StoredEvent) -> dict[str, Any]:
    return {
        **asdict(stored),
        "counts": [_count(count) for count in stored.counts],
        "clock": stored.clock.name.lower(),
        "start": None if stored.start_s is None else wording.iso(stored.start_s),
        "received": wording.iso(stored.received_s),
    }


def animal(known: KnownAnimal) -> dict[str, Any]:
    return {**asdict(known), "last": wording.iso(known.last_s)}


def device(view: DeviceView, state: str) -> dict[str, Any]:
    return {**asdict(view), "state": state}


def message(payload: bytes, codebook: Codebook | None, received_s: int) -> dict[str, Any]:
    """A payload's content; with names beside the codes where the codebook is the one that it names.

    Raises:
        PayloadError: it is none.
    """
    read = codec.decode(payload, received_s=received_s)
    names = codebook if codebook is not None and codebook.matches(read) else None
    return {
        "envelope": read.envelope.value,
        "type": read.type.name.lower(),
        "codebook": read.codebook,
        "sequence": read.sequence,
        "clock": read.clock.name.lower(),
        "bytes": len(payload),
        "records": [_record(record, names) for record in read.records],
    }


def _record(record: Record, codebook: Codebook | None) -> dict[str, Any]:
    document = {**asdict(record), "time": wording.iso(record.time_s)}
    if codebook is not None and isinstance(record, EventRecord):
        document["camera_name"] = codebook.camera_name(record.camera)
        for species in document["species"]:
            species["label"] = codebook.label_name(species["code"])
            if species["identity"] is not None:
                species["identity"]["name"] = codebook.individual_name(species["identity"]["individual"])
    return document


def _count(count: Count) -> dict[str, Any]:
    document = asdict(count)
    score = document.pop("score")
    return {**document, "individual_score": None if count.individual is None else score}
