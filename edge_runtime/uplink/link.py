"""The MQTT link: carries the outbox to a station and the station's acknowledgements back.

One thread of its own owns the connection and a journal connection; paho's network thread only hands it what
happened. Each connection gets a fresh client, so that nothing stale is repeated from the library's own queue.
"""

from __future__ import annotations

import logging
import queue
import random
import sqlite3
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.reasoncodes import ReasonCode

import edge_runtime
from edge_runtime.errors import ConfigError, PayloadError
from edge_runtime.journal.journal import Journal
from edge_runtime.settings import Broker, Uplink
from edge_runtime.uplink import topics, traffic
from edge_runtime.uplink.ack import Ack
from edge_runtime.uplink.codebook import Codebook
from edge_runtime.uplink.sender import Sender
from edge_runtime.uplink.status import DeviceStatus
from edge_runtime.uplink.topics import OFFLINE, ONLINE, Kind
from edge_runtime.uplink.traffic import Traffic

log = logging.getLogger(__name__)

STATUS_SECONDS = 300.0
"""The retained status is renewed at least this often while connected."""
IDLE_SECONDS = 60.0
TROUBLE_SECONDS = 2.0
GOODBYE_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class _Connected:
    client: mqtt.Client


@dataclass(frozen=True, slots=True)
class _Lost:
    client: mqtt.Client
    reason: str


@dataclass(frozen=True, slots=True)
class _AckArrived:
    client: mqtt.Client
    payload: bytes


class _Wake:
    """Something may have been added to the outbox, or it is time to stop."""


def make_client(
    settings: Broker, client_id: str, *, clean_session: bool = True, manual_ack: bool = False
) -> mqtt.Client:
    """A paho client with the broker's TLS and login, not yet connected. MQTT 3.1.1.

    Raises:
        ConfigError: the password file or a certificate cannot be read.
    """
    client = mqtt.Client(
        CallbackAPIVersion.VERSION2,
        client_id=client_id,
        clean_session=clean_session,
        protocol=mqtt.MQTTv311,
        manual_ack=manual_ack,
        reconnect_on_failure=False,
    )
    if settings.user is not None:
        client.username_pw_set(settings.user, _password(settings))
    if settings.tls is not None:
        tls = settings.tls
        try:
            client.tls_set(ca_certs=tls.ca, certfile=tls.certificate, keyfile=tls.key)
        except (OSError, ssl.SSLError) as error:
            raise ConfigError(Path(tls.ca), f"TLS files cannot be used: {error}") from error
    return client


def _password(settings: Broker) -> str | None:
    if settings.password_file is None:
        return None
    try:
        return Path(settings.password_file).read_text(encoding="utf-8").strip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(Path(settings.password_file), f"the password cannot be read: {error}") from error


class Link:
    """Keeps the outbox flowing. `start` it once, `wake` it when something was added, `stop` it at the end.

    Args:
        open_journal: opens the journal for the link's own thread.
        models: the bundles in use, task to title; told to the station in the codebook.
        now: UTC seconds since 1970.
        monotonic: seconds that never jump.
    """

    def __init__(
        self,
        settings: Uplink,
        device: str,
        open_journal: Callable[[], Journal],
        *,
        models: Mapping[str, str],
        time_zone: str,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings, self._device, self._open_journal = settings, device, open_journal
        self._models, self._time_zone, self._monotonic = dict(models), time_zone, monotonic
        self._inbox: queue.SimpleQueue[_Connected | _Lost | _AckArrived | _Wake] = queue.SimpleQueue()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="uplink", daemon=True)
        self._client: mqtt.Client | None = None
        self._connected = False
        self._attempts = 0
        self._connect_at = self._status_at = monotonic()
        self._published_codebook = b""
        self.messages_sent = 0
        """Event messages sent since the start, repeats included."""
        self.payload_bytes_sent = 0
        """Their payload bytes."""
        self._past_traffic = Traffic()

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Say goodbye to the broker and end the thread. What waits in the outbox stays there."""
        self._stopping.set()
        self.wake()
        if self._thread.is_alive():
            self._thread.join(timeout=10)

    def wake(self) -> None:
        """Tell the link that the outbox may have grown."""
        self._inbox.put(_Wake())

    def traffic(self) -> Traffic:
        """Bytes over all connections since the start, as the kernel counted them."""
        client = self._client
        return self._past_traffic if client is None else self._past_traffic + traffic.of_socket(client.socket())

    def _run(self) -> None:
        journal = self._open_journal()
        sender = Sender(journal.outbox, self._settings, now=self._monotonic)
        try:
            while not self._stopping.is_set():
                try:
                    self._step(journal, sender)
                except sqlite3.Error as error:
                    log.error("%s: %s; trying again", journal.file, error)
                    self._stopping.wait(TROUBLE_SECONDS)
        finally:
            self._say_goodbye()
            journal.close()

    def _step(self, journal: Journal, sender: Sender) -> None:
        if self._client is None and self._monotonic() >= self._connect_at:
            self._connect()
        for happened in self._wait(sender):
            if isinstance(happened, _Wake) or happened.client is not self._client:
                continue
            if isinstance(happened, _Connected):
                self._greet(happened.client)
                sender.start_over()
            elif isinstance(happened, _Lost):
                self._give_up(happened.reason)
            else:
                self._handle_ack(happened.payload, journal, sender)
        if self._connected and self._client is not None:
            if sender.retry_if_due():
                log.info("no acknowledgement from a station; sending again")
            self._send(self._client, journal, sender)
            if self._monotonic() >= self._status_at:
                self._publish_status(self._client, journal)

    def _wait(self, sender: Sender) -> Iterator[_Connected | _Lost | _AckArrived | _Wake]:
        moments = [self._monotonic() + IDLE_SECONDS]
        if self._client is None:
            moments.append(self._connect_at)
        elif self._connected:
            moments += [self._status_at, *filter(None, [sender.due_at()])]
        try:
            yield self._inbox.get(timeout=max(0.0, min(moments) - self._monotonic()))
            while True:
                yield self._inbox.get_nowait()
        except queue.Empty:
            return

    def _connect(self) -> None:
        self._attempts += 1
        client = make_client(self._settings, f"edge-runtime-{self._device}")
        client.will_set(topics.topic(self._device, Kind.ONLINE), OFFLINE, qos=1, retain=True)
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_message = self._on_message
        self._client = client
        try:
            client.connect(self._settings.host, self._settings.port, self._settings.keepalive_seconds)
        except (OSError, ValueError) as error:
            self._give_up(str(error))
            return
        client.loop_start()

    def _on_connect(self, client: mqtt.Client, userdata: Any, flags: Any, reason: ReasonCode, properties: Any) -> None:
        refused = reason.is_failure
        self._inbox.put(_Lost(client, f"the broker refused: {reason}") if refused else _Connected(client))

    def _on_disconnect(
        self, client: mqtt.Client, userdata: Any, flags: Any, reason: ReasonCode, properties: Any
    ) -> None:
        self._inbox.put(_Lost(client, str(reason)))

    def _on_message(self, client: mqtt.Client, userdata: Any, message: mqtt.MQTTMessage) -> None:
        self._inbox.put(_AckArrived(client, bytes(message.payload)))

    def _greet(self, client: mqtt.Client) -> None:
        self._connected, self._attempts = True, 0
        self._published_codebook = b""
        self._status_at = self._monotonic()
        client.subscribe(topics.topic(self._device, Kind.ACK), qos=1)
        client.publish(topics.topic(self._device, Kind.ONLINE), ONLINE, qos=1, retain=True)
        log.info("connected to %s:%d", self._settings.host, self._settings.port)

    def _give_up(self, reason: str) -> None:
        """Drop the connection and plan the next attempt: exponential, with jitter so that devices spread out."""
        if self._client is not None:
            self._past_traffic = self.traffic()
            self._client.loop_stop()
        self._client, self._connected = None, False
        low, high = self._settings.reconnect_min_seconds, self._settings.reconnect_max_seconds
        wait = min(high, low * 2.0 ** min(self._attempts, 20)) * random.uniform(0.5, 1.0)
        self._connect_at = self._monotonic() + wait
        log.warning(
            "no connection to %s:%d (%s); next try in %.0f s", self._settings.host, self._settings.port, reason, wait
        )

    def _send(self, client: mqtt.Client, journal: Journal, sender: Sender) -> None:
        codebook = self._codebook(journal)
        try:
            while (payload := sender.next_payload(codebook)) is not None:
                self._introduce(client, journal, codebook)
                client.publish(topics.topic(self._device, Kind.EVENTS), payload, qos=1)
                self.messages_sent += 1
                self.payload_bytes_sent += len(payload)
        except PayloadError as error:
            log.error("a summary cannot be sent: %s", error)
            self._stopping.wait(TROUBLE_SECONDS)

    def _codebook(self, journal: Journal) -> Codebook:
        return Codebook(
            device=self._device,
            epoch=journal.epoch,
            cameras=journal.codes.names("camera"),
            labels=journal.codes.names("label"),
            models=self._models,
            time_zone=self._time_zone,
        )

    def _introduce(self, client: mqtt.Client, journal: Journal, codebook: Codebook) -> None:
        """Publish the codebook before the first payload that needs it, unless a station has shown that it has it."""
        prefix = codebook.digest[:4]
        if self._published_codebook == prefix or journal.get(_codebook_key(prefix)) == "confirmed":
            return
        journal.put(_codebook_key(prefix), "published")
        self._publish_codebook(client, codebook)

    def _publish_codebook(self, client: mqtt.Client, codebook: Codebook) -> None:
        client.publish(topics.topic(self._device, Kind.CODEBOOK), codebook.to_bytes(), qos=1, retain=True)
        self._published_codebook = codebook.digest[:4]

    def _handle_ack(self, payload: bytes, journal: Journal, sender: Sender) -> None:
        try:
            ack = Ack.decode(payload)
        except PayloadError as error:
            log.warning("an acknowledgement could not be read: %s", error)
            return
        if ack.wants_codebook and self._client is not None:
            self._publish_codebook(self._client, self._codebook(journal))
        if journal.get(_codebook_key(ack.codebook)) is None:
            return  # Of another epoch: its numbers mean nothing here.
        try:
            with journal.transaction():
                gone = sender.acknowledge(ack)
                journal.put(_codebook_key(ack.codebook), "confirmed")
        except PayloadError as error:
            log.warning("an acknowledgement was refused: %s", error)
            return
        if gone and not journal.outbox.waiting():
            self._status_at = self._monotonic()

    def _publish_status(self, client: mqtt.Client, journal: Journal) -> None:
        first, following = journal.outbox.span()
        totals = journal.ledger.totals()
        status = DeviceStatus(
            epoch=journal.epoch,
            first=first,
            next=following,
            photos=totals.photos,
            failed=totals.failed,
            waiting=journal.outbox.waiting(),
            version=edge_runtime.__version__,
        )
        client.publish(topics.topic(self._device, Kind.STATUS), status.to_bytes(), qos=1, retain=True)
        self._status_at = self._monotonic() + STATUS_SECONDS

    def _say_goodbye(self) -> None:
        client = self._client
        if client is None:
            return
        if self._connected:
            last = client.publish(topics.topic(self._device, Kind.ONLINE), OFFLINE, qos=1, retain=True)
            try:
                last.wait_for_publish(timeout=GOODBYE_SECONDS)
            except (RuntimeError, ValueError) as error:
                log.debug("goodbye not delivered: %s", error)
            self._past_traffic = self.traffic()
            client.disconnect()
        client.loop_stop()
        self._client = None


def _codebook_key(prefix: bytes) -> str:
    return f"codebook/{prefix.hex()}"
