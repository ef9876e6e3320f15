"""The device's link: carries the outbox to a station and the station's acknowledgements back.

One thread of its own owns the connection and a journal connection.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
import time
from collections.abc import Callable, Mapping

import paho.mqtt.client as mqtt

import edge_runtime
from edge_runtime.errors import PayloadError
from edge_runtime.journal.journal import Journal
from edge_runtime.settings import Uplink
from edge_runtime.uplink import topics
from edge_runtime.uplink.ack import Ack
from edge_runtime.uplink.codebook import Codebook
from edge_runtime.uplink.connection import Arrived, Connected, Connection, Lost
from edge_runtime.uplink.sender import Sender
from edge_runtime.uplink.status import DeviceStatus
from edge_runtime.uplink.topics import OFFLINE, ONLINE
from edge_runtime.uplink.traffic import Traffic

log = logging.getLogger(__name__)

STATUS_SECONDS = 300.0
"""The retained status is renewed at least this often while connected."""
IDLE_SECONDS = 60.0
TROUBLE_SECONDS = 2.0
GOODBYE_SECONDS = 2.0
HANG_SECONDS = 600.0
"""A step that takes longer will not end: it waits at most `IDLE_SECONDS`, for a name or a socket some minutes."""


class Link:
    """Keeps the outbox flowing. `start` it once, `wake` it when something was added, `stop` it at the end.

    Args:
        open_journal: opens the journal for the link's own thread.
        models: the bundles in use, task to title; told to the station in the codebook.
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
        self._connection = Connection(
            settings,
            f"edge-runtime-{device}",
            retry_s=(settings.reconnect_min_seconds, settings.reconnect_max_seconds),
            prepare=lambda client: client.will_set(topics.online(device), OFFLINE, qos=1, retain=True),
            monotonic=monotonic,
        )
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="uplink", daemon=True)
        self._status_at = self._stepped_at = monotonic()
        self._published_codebook = b""
        self.messages_sent = 0
        """Event messages sent since the start, repeats included."""
        self.payload_bytes_sent = 0
        """Their payload bytes."""

    def start(self) -> None:
        self._stepped_at = self._monotonic()
        self._thread.start()

    def goes_on(self) -> bool:
        """Whether the link's thread does its rounds, connected or not; not one that hangs or has ended by a fault."""
        begun = self._thread.ident is not None and not self._stopping.is_set()
        return not begun or (self._thread.is_alive() and self._monotonic() < self._stepped_at + HANG_SECONDS)

    def stop(self) -> None:
        """Say goodbye to the broker and end the thread. What waits in the outbox stays there."""
        self._stopping.set()
        self.wake()
        if self._thread.is_alive():
            self._thread.join(timeout=10)

    def wake(self) -> None:
        """Tell the link that the outbox may have grown."""
        self._connection.wake()

    def traffic(self) -> Traffic:
        """Bytes over all connections since the start, as the kernel counted them."""
        return self._connection.traffic()

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
                except Exception as error:  # A device that fell silent without a word would be the worst fault.
                    log.exception("the uplink failed; it starts over")
                    self._connection.give_up(f"fault in the uplink: {error}")
                self._stepped_at = self._monotonic()
        finally:
            self._say_goodbye()
            journal.close()

    def _step(self, journal: Journal, sender: Sender) -> None:
        for each in self._connection.news(self._next_moment(sender)):
            if isinstance(each, Connected):
                self._greet(each.client)
                sender.start_over()
            elif isinstance(each, Lost):
                self._connection.give_up(each.reason)
            elif isinstance(each, Arrived):
                self._handle_ack(each.client, bytes(each.message.payload), journal, sender)
        client = self._connection.client
        if self._connection.connected and client is not None:
            if sender.retry_if_due():
                log.info("no acknowledgement from a station; sending again")
            self._send(client, journal, sender)
            if self._monotonic() >= self._status_at:
                self._publish_status(client, journal)

    def _next_moment(self, sender: Sender) -> float:
        moments = [self._monotonic() + IDLE_SECONDS]
        if self._connection.connected:
            moments += [self._status_at, *filter(None, [sender.due_at()])]
        return min(moments)

    def _greet(self, client: mqtt.Client) -> None:
        self._connection.accept()
        self._published_codebook = b""
        self._status_at = self._monotonic()
        client.subscribe(topics.ack(self._device), qos=1)
        client.publish(topics.online(self._device), ONLINE, qos=1, retain=True)

    def _send(self, client: mqtt.Client, journal: Journal, sender: Sender) -> None:
        while sender.has_more():
            # A new camera's name commits with its first event: read apart, the event could come without the name.
            with journal.snapshot():
                codebook = self._codebook(journal)
                payload = sender.next_payload(codebook)
            if payload is None:
                return
            self._introduce(client, journal, codebook)
            client.publish(topics.events(self._device), payload, qos=1)
            self.messages_sent += 1
            self.payload_bytes_sent += len(payload)

    def _codebook(self, journal: Journal) -> Codebook:
        return Codebook(
            device=self._device,
            epoch=journal.epoch,
            cameras=journal.codes.names("camera"),
            labels=journal.codes.names("label"),
            models=self._models,
            time_zone=self._time_zone,
            individuals=journal.codes.names("individual"),
        )

    def _introduce(self, client: mqtt.Client, journal: Journal, codebook: Codebook) -> None:
        """Publish the codebook before the first payload that needs it, unless a station has shown that it has it."""
        prefix = codebook.digest[:4]
        if self._published_codebook == prefix or journal.get(_codebook_key(prefix)) == "confirmed":
            return
        journal.put(_codebook_key(prefix), "published")
        self._publish_codebook(client, codebook)

    def _publish_codebook(self, client: mqtt.Client, codebook: Codebook) -> None:
        client.publish(topics.codebook(self._device), codebook.to_bytes(), qos=1, retain=True)
        self._published_codebook = codebook.digest[:4]

    def _handle_ack(self, client: mqtt.Client, payload: bytes, journal: Journal, sender: Sender) -> None:
        try:
            ack = Ack.decode(payload)
        except PayloadError as error:
            log.warning("an acknowledgement could not be read: %s", error)
            return
        if ack.wants_codebook:
            self._publish_codebook(client, self._codebook(journal))
        if journal.get(_codebook_key(ack.codebook)) is None:
            return  # Of another epoch: its numbers mean nothing here.
        try:
            with journal.transaction():
                gone = sender.acknowledge(ack)
                journal.put(_codebook_key(ack.codebook), "confirmed")
        except PayloadError as error:
            log.warning("an acknowledgement was refused: %s", error)
            return
        if gone and journal.outbox.empty():
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
        client.publish(topics.status(self._device), status.to_bytes(), qos=1, retain=True)
        self._status_at = self._monotonic() + STATUS_SECONDS

    def _say_goodbye(self) -> None:
        client = self._connection.client
        if self._connection.connected and client is not None:
            last = client.publish(topics.online(self._device), OFFLINE, qos=1, retain=True)
            try:
                last.wait_for_publish(timeout=GOODBYE_SECONDS)
            except (RuntimeError, ValueError) as error:
                log.debug("goodbye not delivered: %s", error)
        self._connection.close()


def _codebook_key(prefix: bytes) -> str:
    return f"codebook/{prefix.hex()}"
