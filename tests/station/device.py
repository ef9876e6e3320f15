"""A device as a station sees it: only its side of the wire, spoken with the real codec and a real MQTT client."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from edge_runtime.settings import Broker, StationSettings
from edge_runtime.station.ingest import Ingest
from edge_runtime.station.store import Reader, Store
from edge_runtime.station.values import Arrival
from edge_runtime.uplink import codec, topics
from edge_runtime.uplink.ack import Ack, acknowledged
from edge_runtime.uplink.codebook import Codebook
from edge_runtime.uplink.payload import (
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
from edge_runtime.uplink.status import DeviceStatus
from tests.broker import Mosquitto

NOW_S = 1_790_000_000
CAMERAS = ("cam7", "waterhole")
LABELS = ("animal", "leopard", "person", "vehicle")


def book(
    device: str = "ridge",
    epoch: str = "00000000000000a1",
    labels: tuple[str, ...] = LABELS,
    individuals: tuple[str, ...] = (),
) -> Codebook:
    return Codebook(device, epoch, CAMERAS, labels, {"detector": "test 1"}, "Africa/Nairobi", individuals)


def event(number: int = 0, *, label: int = 1, camera: int = 0, count: int = 1, at: int = NOW_S) -> EventRecord:
    """An event that `number` makes different from the others."""
    return EventRecord(camera, at + 60 * number, 4, 3, (SpeciesCount(label, count, 0.8),))


def seen(label: int, individual: int | None = None, *, count: int = 1, score: float = 6 / 7) -> SpeciesCount:
    """One entry of an event."""
    return SpeciesCount(label, count, 0.8, None if individual is None else Identity(individual, score))


def sighting(*entries: SpeciesCount, at: int = NOW_S, camera: int = 0, review: bool = False) -> EventRecord:
    """An event in which these were seen."""
    return EventRecord(camera, at, 4, 3, entries, review=review)


def card(photos: int = 1204, empty: int = 1100, failed: int = 3) -> CardRecord:
    return CardRecord(NOW_S, photos, empty, 12, failed, 5, 2)


def message(
    codebook: Codebook,
    sequence: int,
    records: Sequence[Record],
    *,
    clock: ClockQuality = ClockQuality.CAMERA,
    envelope: Envelope = Envelope.STANDARD,
) -> bytes:
    kinds = {EventRecord: MessageType.EVENTS, CardRecord: MessageType.CARD, LossRecord: MessageType.LOSS}
    tiny = envelope is Envelope.TINY
    return codec.encode(
        Message(
            envelope,
            kinds[type(records[0])],
            codebook.tiny_id if tiny else codebook.wire_id,
            sequence % (256 if tiny else 65536),
            clock,
            tuple(records),
        )
    )


def status(codebook: Codebook, first: int = 1, following: int = 1, **more: Any) -> bytes:
    fields = {"photos": 100, "failed": 0, "waiting": following - first, "version": "0.1.0", **more}
    return DeviceStatus(epoch=codebook.epoch, first=first, next=following, **fields).to_bytes()


def arrivals(*parts: tuple[str, bytes], at: int = NOW_S, retained: bool = False) -> list[Arrival]:
    return [Arrival(topic, payload, at, retained) for topic, payload in parts]


def introduction(codebook: Codebook, first: int = 1, following: int = 1) -> list[Arrival]:
    """What a station hears of a device before its first summary."""
    device = codebook.device
    return arrivals(
        (topics.codebook(device), codebook.to_bytes()), (topics.status(device), status(codebook, first, following))
    )


def eventually(claim: Callable[[], bool], what: str, *, seconds: float = 20.0) -> None:
    """Wait until the claim holds; fails with what it was about if it does not within a generous time."""
    deadline = time.monotonic() + seconds
    while not claim():
        assert time.monotonic() < deadline, f"did not come true: {what}"
        time.sleep(0.02)


class Device:
    """A connected device that records the acknowledgements that it gets."""

    def __init__(self, port: int, codebook: Codebook) -> None:
        self.codebook = codebook
        self.acks: list[Ack] = []
        self._subscribed = threading.Event()
        client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id=f"test-{codebook.device}")
        client.on_message = lambda _client, _data, incoming: self.acks.append(Ack.decode(bytes(incoming.payload)))
        client.on_connect = lambda *_: client.subscribe(topics.ack(codebook.device), qos=1)
        client.on_subscribe = lambda *_: self._subscribed.set()
        client.reconnect_delay_set(1, 1)
        client.connect("127.0.0.1", port)
        client.loop_start()
        self._client = client
        assert self._subscribed.wait(10)

    def introduce(self, first: int = 1, following: int = 1) -> None:
        device = self.codebook.device
        self.publish(topics.online(device), topics.ONLINE, retain=True)
        self.publish(topics.codebook(device), self.codebook.to_bytes(), retain=True)
        self.publish(topics.status(device), status(self.codebook, first, following), retain=True)

    def send(self, sequence: int, records: Sequence[Record], *, codebook: Codebook | None = None) -> None:
        self.publish(topics.events(self.codebook.device), message(codebook or self.codebook, sequence, records))

    def publish(self, topic: str, payload: bytes, *, retain: bool = False) -> None:
        self._client.publish(topic, payload, qos=1, retain=retain).wait_for_publish(timeout=10)

    @property
    def acknowledged(self) -> set[int]:
        """Every sequence number that some acknowledgement named."""
        named: set[int] = set()
        for ack in self.acks:
            if ack.codebook == self.codebook.digest[:4]:
                up_to, further = acknowledged(ack, expected=1)
                named |= {*range(1, up_to + 1), *further}
        return named

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


@contextmanager
def ingesting(store: Store, broker: Broker, **hooks: Callable[..., None]) -> Iterator[Ingest]:
    """The station's receiving side at work."""
    ingest = Ingest(StationSettings(data=str(store.file.parent), broker=broker), store, **hooks)
    ingest.start()
    try:
        yield ingest
    finally:
        ingest.stop()


@contextmanager
def device_at(broker: Mosquitto) -> Iterator[Device]:
    """A device with the usual codebook on that broker."""
    device = Device(broker.port, book())
    try:
        yield device
    finally:
        device.close()


def connected(ingest: Ingest) -> None:
    eventually(lambda: ingest.health().connected, "the station is connected")


def sequences(store: Reader) -> list[int]:
    return sorted(each.sequence for each in store.recent_events(10_000))
