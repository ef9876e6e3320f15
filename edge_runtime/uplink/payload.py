"""The values that a payload carries, as PAYLOAD.md specifies them.

Codes are numbers of the device's codebook. Times are UTC seconds since 1970, as everywhere in the program; on the
wire they count from 2020.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, IntEnum
from typing import TypeAlias

MAX_PAYLOAD = 8192
"""Bytes of the longest message."""

WIRE_EPOCH_S = 1_577_836_800
"""2020-01-01T00:00:00Z, from which times on the wire count."""
EARLIEST_S, LATEST_S = WIRE_EPOCH_S - 2**31, WIRE_EPOCH_S + 2**31 - 1
"""The times that the wire can hold: 1951 to 2088."""


class ClockQuality(IntEnum):
    """How far the times of a message can be believed."""

    UNKNOWN = 0
    """The times mean nothing: never show them."""
    FILE = 1
    """The files' modification times."""
    CAMERA = 2
    """The camera's own clock (EXIF)."""
    CHECKED = 3
    """Checked against a reference such as GNSS or a network's time."""


class MessageType(IntEnum):
    """What the records of a message are."""

    EVENTS = 0
    CARD = 1
    LOSS = 2


class Envelope(str, Enum):
    """How much stands around the records."""

    STANDARD = "standard"
    TINY = "tiny"


class LossReason(IntEnum):
    """Why a device had to drop records. Other numbers may come from newer devices."""

    UNSPECIFIED = 0
    OUTBOX_FULL = 1
    DAMAGED = 2
    """The journal could no longer read them."""
    UNENCODABLE = 3
    """They say something for which the payload has no place."""


@dataclass(frozen=True, slots=True)
class Identity:
    """A known animal, one of the label beside which it stands."""

    individual: int
    """0..1023, an individual of the codebook."""
    score: float
    """0..1, as `values.Individual.score`."""


@dataclass(frozen=True, slots=True)
class SpeciesCount:
    """How many of one label an event showed."""

    code: int
    """0..65790, a label of the codebook."""
    count: int
    """At least 1; 270 stands for 270 or more."""
    confidence: float
    """0..1."""
    identity: Identity | None = None


@dataclass(frozen=True, slots=True)
class EventRecord:
    """One event."""

    camera: int
    """0..4110, a camera of the codebook."""
    time_s: int
    """UTC seconds since 1970 of the first photo, 1951-12-13 to 2088-01-19."""
    duration_s: int
    """Seconds from the first to the last photo; 86,400 stands for a day or more."""
    images: int
    """Photos, at least 1; 6,144 stands for that many or more."""
    species: tuple[SpeciesCount, ...]
    """1 to 19, highest confidence first. Labels may repeat: a known animal has an entry of its own."""
    thumbnail: bool = False
    """The device holds a small picture that can be asked for."""
    review: bool = False
    """A person should look at it."""


@dataclass(frozen=True, slots=True)
class CardRecord:
    """What became of the photos since the last report; all counts below 2**32."""

    time_s: int
    """UTC seconds since 1970 at which the report was made."""
    photos: int
    empty: int
    events: int
    failed: int
    duplicates: int
    videos: int


@dataclass(frozen=True, slots=True)
class LossRecord:
    """Records that never come: this one stands for `count` sequence numbers, its own the first of them."""

    time_s: int
    """UTC seconds since 1970 at which the device noted the loss."""
    count: int
    """1..32767."""
    reason: int
    """0..15, a `LossReason` where it is known."""


Record: TypeAlias = EventRecord | CardRecord | LossRecord


@dataclass(frozen=True, slots=True)
class Message:
    """An envelope and its records. Record i has the sequence number `sequence + i`."""

    envelope: Envelope
    type: MessageType
    codebook: int
    """The codebook's wire id: 14 bits standard, 9 bits tiny."""
    sequence: int
    """Of the first record, as on the wire: 16 bits standard, 8 bits tiny."""
    clock: ClockQuality
    records: tuple[Record, ...]
    """One or more events, or exactly one of another kind."""
