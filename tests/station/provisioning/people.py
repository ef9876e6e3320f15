"""Clients of the broker: one that tries things, and a real device."""

from __future__ import annotations

import threading
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec

from edge_runtime import settings
from edge_runtime.journal.journal import Journal
from edge_runtime.settings import Broker
from edge_runtime.uplink.connection import make_client
from edge_runtime.uplink.link import Link
from edge_runtime.values import Count, Event

START_S = 1_790_000_000


class Visitor:
    """A client that subscribes and publishes whatever it likes; use it as a context manager.

    Args:
        client_id: that it claims to have.
        remembered: the broker keeps what it subscribed to, and what comes in between, until it is back.
    """

    def __init__(self, broker: Broker, client_id: str = "visitor", *, remembered: bool = False) -> None:
        self.connected, self.answer = False, ""
        self.received: list[tuple[str, bytes]] = []
        self._broker, self._answered, self._subscribed = broker, threading.Event(), threading.Event()
        self._client = client = make_client(broker, client_id, clean_session=not remembered)
        client.on_connect, client.on_disconnect = self._on_connect, self._on_disconnect
        client.on_message = lambda _client, _data, message: self.received.append((message.topic, message.payload))
        client.on_subscribe = lambda *_: self._subscribed.set()

    def __enter__(self) -> Visitor:
        self._client.connect(self._broker.host, self._broker.port)
        self._client.loop_start()
        assert self._answered.wait(10)
        return self

    def __exit__(self, *error: object) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def subscribe(self, *topics: str) -> None:
        for topic in topics:
            self._subscribed.clear()
            self._client.subscribe(topic, qos=1)
            assert self._subscribed.wait(10)

    def publish(self, topic: str, payload: bytes, *, retain: bool = False, seconds: float = 10) -> None:
        """Returns once the broker has taken it, or said that it has, or after so many seconds."""
        self._client.publish(topic, payload, qos=1, retain=retain).wait_for_publish(timeout=seconds)

    def _on_connect(self, _client: Any, _data: Any, _flags: Any, reason: Any, _properties: Any) -> None:
        self.connected, self.answer = not reason.is_failure, str(reason)
        self._answered.set()

    def _on_disconnect(self, *_: Any) -> None:
        self.connected = False
        self._answered.set()


class Device:
    """The device's own link over a real journal, with the settings that the station wrote for it.

    Args:
        folder: what was carried to it.
        journal: its journal's file.
        changes: of the uplink's settings.
    """

    def __init__(self, folder: Path, journal: Path, **changes: object) -> None:
        chosen = settings.read_device(folder / "device.yaml")
        quick = {"reconnect_min_seconds": 0.1, "reconnect_max_seconds": 0.3, "ack_timeout_seconds": 1.0}
        uplink = msgspec.structs.replace(chosen.uplink, **{**quick, **changes})
        self._open = lambda: Journal(journal, device=chosen.device)
        self._journal = self._open()
        self._journal.codes.add("camera", ["CAM01"])
        self._journal.codes.add("label", ["leopard"])
        self.link = Link(uplink, chosen.device, self._open, models={"detector": "test"}, time_zone=chosen.time_zone)

    def see(self, minute: int = 0) -> None:
        """Put one event into the outbox."""
        at = START_S + 60 * minute
        self._journal.outbox.put(Event("CAM01", at, at, "exif", 1, (Count("leopard", 1, 0.9),)), now_s=0)
        self.link.wake()

    @property
    def waiting(self) -> int:
        """Events that no station has acknowledged."""
        with closing(self._open()) as journal:
            return journal.outbox.waiting()

    def __enter__(self) -> Device:
        self.link.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.link.stop()
        self._journal.close()
