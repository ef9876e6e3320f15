"""The values that flow through the station. Times are UTC seconds since 1970."""

from __future__ import annotations

from dataclasses import dataclass

from edge_runtime.uplink.payload import ClockQuality
from edge_runtime.uplink.status import DeviceStatus
from edge_runtime.values import Count

AHEAD_SECONDS = 600
"""A camera whose clock is more than this ahead of the station's is set wrongly."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """One MQTT message as it came."""

    topic: str
    payload: bytes
    received_s: int
    """By the station's clock."""
    retained: bool = False
    """The broker kept it from earlier: it says nothing of whether the device is there now."""


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """One event, committed."""

    id: int
    """Grows with arrival."""
    device: str
    sequence: int
    camera: str
    start_s: int | None
    """None where the device has no credible time for it."""
    duration_s: int
    images: int
    counts: tuple[Count, ...]
    clock: ClockQuality
    thumbnail: bool
    review: bool
    payload_bytes: float
    """Its share of the message's payload, bytes."""
    message_bytes: int
    """Payload bytes of the whole message."""
    received_s: int

    @property
    def happened_s(self) -> int:
        """When it happened, as far as that is known: without a credible time, when it arrived."""
        credible = self.start_s is not None and self.start_s <= self.received_s + AHEAD_SECONDS
        return self.start_s if credible and self.start_s is not None else self.received_s


@dataclass(frozen=True, slots=True)
class KnownAnimal:
    """One animal that a device's gallery knows by name, and its last event."""

    label: str
    name: str
    """Unambiguous together with `label`."""
    events: int
    last_s: int
    """As `StoredEvent.happened_s`."""
    timed: bool
    """False where nobody knows when that was: `last_s` is when it arrived."""
    camera: str
    device: str


@dataclass(frozen=True, slots=True)
class StoredCardReport:
    """One card report, committed."""

    id: int
    device: str
    time_s: int
    """By the device's clock."""
    photos: int
    empty: int
    events: int
    failed: int
    duplicates: int
    videos: int
    received_s: int


@dataclass(frozen=True, slots=True)
class Committed:
    """What one transaction brought."""

    events: tuple[StoredEvent, ...] = ()
    card_reports: tuple[StoredCardReport, ...] = ()
    acknowledge: frozenset[str] = frozenset()
    """Devices that should hear what the station now holds."""
    ask: frozenset[tuple[str, int]] = frozenset()
    """Devices whose codebook is lacking, each with the 14-bit id of that codebook."""


@dataclass(frozen=True, slots=True)
class Standing:
    """How far the station has come with a device, as an acknowledgement tells it."""

    digest: bytes
    """Of the newest codebook of the device's present epoch."""
    contiguous: int
    beyond: tuple[int, ...]
    """Committed numbers after the first missing one."""


@dataclass(frozen=True, slots=True)
class Gap:
    """Summaries that are not here although later ones are: `first` to `last`, both included."""

    first: int
    last: int
    awaited: bool
    """The device still holds them and will send them; False where it has let go of them."""


@dataclass(frozen=True, slots=True)
class DeviceView:
    """What the station knows of one device."""

    name: str
    online: bool | None
    """None where it never said."""
    last_contact_s: int | None
    status: DeviceStatus | None
    received: int
    """Summaries of the present epoch that are here."""
    dropped: int
    """Summaries that the device had to drop and told of."""
    outstanding: int
    """Summaries that the device has made and that are not here yet, gaps included."""
    gaps: tuple[Gap, ...]
    held: int
    """Messages kept until their codebook, the status or a newer program can read them."""
    models: dict[str, str]


@dataclass(frozen=True, slots=True)
class Totals:
    """Sums over all devices."""

    events: int
    events_since: int
    """Of these, received since the moment that was asked for."""
    photos: int
    """Photos read, as the devices' card reports add up."""
    devices: int
    online: int
    held: int
    bad: int
    conflicts: int
    duplicates: int
    """Repetitions that were recognised and not stored."""
