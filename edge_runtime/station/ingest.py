"""The station's ear: every device's topics into the store, and acknowledgements back.

One thread of its own writes the store and owns the connection; paho's network thread only hands it what came. The
order is the promise: commit, then PUBACK to the broker, then the acknowledgement to the device.
"""

from __future__ import annotations

import logging
import queue
import random
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import paho.mqtt.client as mqtt
from paho.mqtt.reasoncodes import ReasonCode

from edge_runtime.errors import CamtrapEdgeError, JournalError
from edge_runtime.settings import StationSettings
from edge_runtime.station.store import Store
from edge_runtime.station.values import Arrival, Committed, StoredCardReport, StoredEvent
from edge_runtime.uplink import codebook, topics
from edge_runtime.uplink.ack import Ack
from edge_runtime.uplink.link import make_client

log = logging.getLogger(__name__)

RECONNECT_MIN_SECONDS, RECONNECT_MAX_SECONDS = 1.0, 60.0
STORE_RETRY_SECONDS = 2.0
IDLE_SECONDS = 60.0
BATCH = 200
"""At most this many messages in one transaction."""
BACKLOG = 1000
"""More than this many uncommitted messages are not kept in memory; the broker keeps them."""
MAX_BYTES = codebook.MAX_COMPRESSED + 1
"""Nothing valid is longer; of what is, no more than this is looked at."""


@dataclass(frozen=True, slots=True)
class Health:
    """How the station's own parts do. Problems are empty where there is none."""

    connected: bool
    since_s: int
    """When the connection came or went, UTC seconds since 1970."""
    link_problem: str
    store_problem: str


@dataclass(frozen=True, slots=True)
class _Connected:
    client: mqtt.Client


@dataclass(frozen=True, slots=True)
class _Lost:
    client: mqtt.Client
    reason: str


@dataclass(frozen=True, slots=True)
class _Message:
    client: mqtt.Client
    mid: int
    qos: int
    arrival: Arrival


class _Wake:
    """Time to stop."""


class Ingest:
    """Keeps the store fed. `start` it once, `stop` it at the end.

    Args:
        clock: UTC seconds since 1970.
        on_event: called after each event's commit, on this object's thread.
        on_card_report: likewise for card reports.
    """

    def __init__(
        self,
        settings: StationSettings,
        store: Store,
        *,
        clock: Callable[[], float] = time.time,
        on_event: Callable[[StoredEvent], None] | None = None,
        on_card_report: Callable[[StoredCardReport], None] | None = None,
    ) -> None:
        self._broker, self._station, self._store, self._clock = settings.broker, settings.station, store, clock
        self._on_event, self._on_card_report = on_event, on_card_report
        self._inbox: queue.SimpleQueue[_Connected | _Lost | _Message | _Wake] = queue.SimpleQueue()
        self._pending: list[_Message] = []
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="ingest", daemon=True)
        self._client: mqtt.Client | None = None
        self._connected = False
        self._attempts = 0
        self._connect_at = self._commit_at = 0.0
        self._since_s = int(clock())
        self._link_problem = "not connected yet"
        self._store_problem = ""

    def start(self) -> None:
        """Connect in the background and go on until `stop`, whatever the broker does.

        Raises:
            ConfigError: the password or the TLS files cannot be read.
        """
        self._make_client()
        self._thread.start()

    def stop(self) -> None:
        """Leave the broker and end the thread. What was not committed, the broker and the devices still have."""
        self._stopping.set()
        self._inbox.put(_Wake())
        if self._thread.is_alive():
            self._thread.join(timeout=10)

    def health(self) -> Health:
        """How the link and the store do. Any thread may ask."""
        return Health(self._connected, self._since_s, self._link_problem, self._store_problem)

    def _run(self) -> None:
        try:
            self._attempt(self._store.release_held)
            while not self._stopping.is_set():
                self._step()
        finally:
            self._leave()

    def _step(self) -> None:
        if self._client is None and time.monotonic() >= self._connect_at:
            self._connect()
        for happened in self._wait():
            if isinstance(happened, _Message):
                self._pending.append(happened)
            elif isinstance(happened, _Wake) or happened.client is not self._client:
                continue
            elif isinstance(happened, _Connected):
                self._greet(happened.client)
            else:
                self._give_up(happened.reason)
        if self._pending and time.monotonic() >= self._commit_at:
            batch = self._pending[:BATCH]
            committed = self._attempt(lambda: self._store.commit([message.arrival for message in batch]))
            if committed is not None:
                del self._pending[: len(batch)]
                self._confirm(batch, committed)

    def _wait(self) -> list[_Connected | _Lost | _Message | _Wake]:
        moment = time.monotonic() + IDLE_SECONDS
        if self._client is None:
            moment = min(moment, self._connect_at)
        if self._pending:
            moment = min(moment, self._commit_at)
        found: list[_Connected | _Lost | _Message | _Wake] = []
        try:
            found.append(self._inbox.get(timeout=max(0.0, moment - time.monotonic())))
            while len(found) < BATCH:
                found.append(self._inbox.get_nowait())
        except queue.Empty:
            pass
        return found

    def _attempt(self, write: Callable[[], Committed]) -> Committed | None:
        try:
            committed = write()
        except JournalError as error:
            if not self._store_problem:
                log.error("%s", error)
            self._store_problem = str(error)
            self._commit_at = time.monotonic() + STORE_RETRY_SECONDS
            return None
        if self._store_problem:
            log.info("%s can be written again", self._store.file)
        self._store_problem = ""
        return committed

    def _confirm(self, batch: list[_Message], committed: Committed) -> None:
        for message in batch:
            # Message ids belong to a connection: of an earlier one they would name another message.
            if message.qos and message.client is self._client:
                message.client.ack(message.mid, message.qos)
        for device, wire_id in sorted(committed.ask):
            self._publish(device, Ack.asking(wire_id))
        if committed.acknowledge:
            self._acknowledge(committed.acknowledge)
        self._tell(self._on_event, committed.events)
        self._tell(self._on_card_report, committed.card_reports)

    def _tell(self, listener: Callable[[Any], None] | None, news: Iterable[object]) -> None:
        if listener is None:
            return
        for item in news:
            try:
                listener(item)
            except Exception:  # A listener's fault must not stop the station from receiving.
                log.exception("a listener failed")

    def _acknowledge(self, devices: Iterable[str] | None = None) -> None:
        try:
            standings = self._store.standings(devices)
        except JournalError as error:
            log.error("no acknowledgement: %s", error)
            return
        for device, standing in standings.items():
            self._publish(device, Ack.build(standing.digest, standing.contiguous, standing.beyond))

    def _publish(self, device: str, ack: Ack) -> None:
        if self._client is not None and self._connected:
            self._client.publish(topics.ack(device), ack.encode(), qos=1)

    def _make_client(self) -> mqtt.Client:
        # The broker keeps this client's subscriptions and messages while the station is away.
        return make_client(self._broker, f"edge-station-{self._station}", clean_session=False, manual_ack=True)

    def _connect(self) -> None:
        self._attempts += 1
        try:
            client = self._make_client()
            client.on_connect = self._on_connect
            client.on_disconnect = self._on_disconnect
            client.on_subscribe = self._on_subscribe
            client.on_message = self._on_message
            self._client = client
            client.connect(self._broker.host, self._broker.port, self._broker.keepalive_seconds)
        except (OSError, ValueError, CamtrapEdgeError) as error:
            self._give_up(str(error))
            return
        client.loop_start()

    def _greet(self, client: mqtt.Client) -> None:
        self._connected, self._attempts, self._link_problem = True, 0, ""
        self._since_s = int(self._clock())
        client.subscribe([(topics.subscription(kind), 1) for kind in topics.FROM_DEVICE])
        log.info("connected to %s:%d", self._broker.host, self._broker.port)
        # A device that waits behind a gap hears at once where to go on.
        self._acknowledge()

    def _give_up(self, reason: str) -> None:
        """Drop the connection and plan the next attempt: exponential, with jitter."""
        if self._connected:
            self._since_s = int(self._clock())
        self._link_problem = reason
        self._leave()
        wait = min(RECONNECT_MAX_SECONDS, RECONNECT_MIN_SECONDS * 2.0 ** min(self._attempts, 20))
        wait *= random.uniform(0.5, 1.0)
        self._connect_at = time.monotonic() + wait
        log.warning(
            "no connection to %s:%d (%s); next try in %.0f s", self._broker.host, self._broker.port, reason, wait
        )

    def _leave(self) -> None:
        client, self._client, self._connected = self._client, None, False
        if client is not None:
            client.disconnect()
            client.loop_stop()

    def _on_connect(self, client: mqtt.Client, userdata: Any, flags: Any, reason: ReasonCode, properties: Any) -> None:
        refused = reason.is_failure
        self._inbox.put(_Lost(client, f"the broker refused: {reason}") if refused else _Connected(client))

    def _on_disconnect(
        self, client: mqtt.Client, userdata: Any, flags: Any, reason: ReasonCode, properties: Any
    ) -> None:
        self._inbox.put(_Lost(client, str(reason)))

    def _on_subscribe(
        self, client: mqtt.Client, userdata: Any, mid: int, reasons: list[ReasonCode], properties: Any
    ) -> None:
        if any(reason.is_failure for reason in reasons):
            self._inbox.put(_Lost(client, "the broker refuses the subscription; check its access rules"))

    def _on_message(self, client: mqtt.Client, userdata: Any, message: mqtt.MQTTMessage) -> None:
        if self._inbox.qsize() + len(self._pending) >= BACKLOG:
            # Kept by the broker and by the device; they send it again on the next connection.
            if message.qos:
                client.disconnect()
            return
        try:
            topic = message.topic
        except UnicodeDecodeError:
            topic = "?"
        arrival = Arrival(topic, bytes(message.payload[:MAX_BYTES]), int(self._clock()), bool(message.retain))
        self._inbox.put(_Message(client, message.mid, message.qos, arrival))
