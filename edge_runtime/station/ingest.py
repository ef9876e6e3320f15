"""The station's ear: every device's topics into the store, and acknowledgements back.

One thread of its own writes the store and owns the connection; paho's network thread only hands it what came. The
order is the promise: commit, then PUBACK to the broker, then the acknowledgement to the device.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import paho.mqtt.client as mqtt
from paho.mqtt.reasoncodes import ReasonCode

from edge_runtime.errors import JournalError
from edge_runtime.settings import StationSettings
from edge_runtime.station.store import Store
from edge_runtime.station.values import Arrival, Committed, StoredCardReport, StoredEvent
from edge_runtime.uplink import codebook, topics
from edge_runtime.uplink.ack import Ack
from edge_runtime.uplink.connection import Arrived, Connected, Connection, Lost

log = logging.getLogger(__name__)

RETRY_S = (1.0, 60.0)
"""Shortest and longest wait between two attempts to connect, seconds."""
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
    """Connected to the broker and subscribed: what devices send comes here."""
    since_s: int
    """When the connection came or went, UTC seconds since 1970."""
    link_problem: str
    store_problem: str


@dataclass(frozen=True, slots=True)
class _Pending:
    """A message that is not committed yet."""

    message: Arrived
    arrival: Arrival


class Ingest:
    """Keeps the store fed. `start` it once, `stop` it at the end.

    Args:
        clock: UTC seconds since 1970.
        on_event: called after each event's commit, on this object's thread.
        on_card_report: likewise for card reports.

    Raises:
        ConfigError: the password or the TLS files cannot be read.
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
        self._store, self._clock = store, clock
        self._on_event, self._on_card_report = on_event, on_card_report
        # The broker keeps this client's subscriptions and messages while the station is away.
        self._connection = Connection(
            settings.broker,
            f"edge-station-{settings.station}",
            retry_s=RETRY_S,
            clean_session=False,
            manual_ack=True,
            prepare=self._prepare,
        )
        self._pending: list[_Pending] = []
        self._stopping, self._subscribed, self._refused = threading.Event(), threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, name="ingest", daemon=True)
        self._commit_at = 0.0
        self._since_s = int(clock())
        self._store_problem = ""

    def start(self) -> None:
        """Connect in the background and go on until `stop`, whatever the broker does."""
        self._thread.start()

    def stop(self) -> None:
        """Leave the broker and end the thread. What was not committed, the broker and the devices still have."""
        self._stopping.set()
        self._connection.wake()
        if self._thread.is_alive():
            self._thread.join(timeout=10)

    def health(self) -> Health:
        """How the link and the store do. Any thread may ask."""
        receiving = self._connection.connected and self._subscribed.is_set()
        return Health(receiving, self._since_s, self._connection.problem, self._store_problem)

    def _run(self) -> None:
        try:
            self._attempt(self._store.release_held)
            while not self._stopping.is_set():
                try:
                    self._step()
                except Exception as error:
                    # A station that stopped listening without a word would be the worst of all faults.
                    log.exception("the station's receiver failed; it starts over")
                    self._give_up(f"fault in the receiver: {error}")
        finally:
            self._connection.close()

    def _step(self) -> None:
        until = time.monotonic() + IDLE_SECONDS
        for news in self._connection.news(min(until, self._commit_at) if self._pending else until, limit=BATCH):
            if isinstance(news, Arrived):
                self._pending.append(_Pending(news, self._arrival(news)))
            elif isinstance(news, Connected):
                self._greet(news.client)
            elif isinstance(news, Lost):
                self._give_up(news.reason)
        if self._refused.is_set():
            self._give_up("the broker refuses the subscription; check its access rules")
        if self._pending and time.monotonic() >= self._commit_at:
            batch = self._pending[:BATCH]
            committed = self._attempt(lambda: self._store.commit([each.arrival for each in batch]))
            if committed is not None:
                del self._pending[: len(batch)]
                self._confirm(batch, committed)

    def _arrival(self, news: Arrived) -> Arrival:
        message = news.message
        try:
            topic = message.topic
        except UnicodeDecodeError:
            topic = "?"
        return Arrival(topic, bytes(message.payload[:MAX_BYTES]), int(self._clock()), bool(message.retain))

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

    def _confirm(self, batch: list[_Pending], committed: Committed) -> None:
        for each in batch:
            # Message ids belong to a connection: of an earlier one they would name another message.
            if each.message.message.qos and each.message.client is self._connection.client:
                each.message.client.ack(each.message.message.mid, each.message.message.qos)
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
        if self._connection.client is not None and self._connection.connected:
            self._connection.client.publish(topics.ack(device), ack.encode(), qos=1)

    def _greet(self, client: mqtt.Client) -> None:
        self._subscribed.clear()
        self._connection.accept()
        self._since_s = int(self._clock())
        client.subscribe([(topics.subscription(kind), 1) for kind in topics.FROM_DEVICE])
        # A device that waits behind a gap hears at once where to go on.
        self._acknowledge()

    def _give_up(self, reason: str) -> None:
        if self._connection.connected:
            self._since_s = int(self._clock())
        self._subscribed.clear()
        self._refused.clear()
        self._connection.give_up(reason)

    def _prepare(self, client: mqtt.Client) -> None:
        """Called with each fresh client; its callbacks run on paho's thread."""
        deliver = client.on_message

        def on_message(from_client: mqtt.Client, userdata: Any, message: mqtt.MQTTMessage) -> None:
            if deliver is not None and self._connection.backlog() + len(self._pending) < BACKLOG:
                deliver(from_client, userdata, message)
            elif message.qos:
                # Kept by the broker and by the device; they send it again on the next connection.
                from_client.disconnect()

        client.on_message = on_message
        client.on_subscribe = self._on_subscribe

    def _on_subscribe(
        self, client: mqtt.Client, userdata: Any, mid: int, reasons: list[ReasonCode], properties: Any
    ) -> None:
        if any(reason.is_failure for reason in reasons):
            self._refused.set()
            self._connection.wake()
        elif client is self._connection.client:
            self._subscribed.set()
