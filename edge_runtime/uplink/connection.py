"""A connection to the broker that comes and goes: attempts, back-off with jitter, and news for one owning thread.

Each attempt gets a fresh paho client, so that nothing stale is repeated from the library's own queue. paho's network
thread only puts what happened into the owner's inbox; the owner calls every method from its own thread.
"""

from __future__ import annotations

import logging
import queue
import random
import ssl
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.reasoncodes import ReasonCode

from edge_runtime.errors import CamtrapEdgeError, ConfigError
from edge_runtime.settings import Broker
from edge_runtime.uplink import traffic
from edge_runtime.uplink.traffic import Traffic

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Connected:
    client: mqtt.Client


@dataclass(frozen=True, slots=True)
class Lost:
    client: mqtt.Client
    reason: str


@dataclass(frozen=True, slots=True)
class Arrived:
    client: mqtt.Client
    message: mqtt.MQTTMessage


class Wake:
    """There is something to do."""


News = Connected | Lost | Arrived | Wake


class Connection:
    """One MQTT 3.1.1 session with a broker.

    Args:
        retry_s: shortest and longest wait between two attempts, seconds.
        prepare: called with each fresh client before it connects: will, further callbacks.
        monotonic: seconds that never jump.

    Raises:
        ConfigError: the password file or a certificate cannot be read.
    """

    def __init__(
        self,
        settings: Broker,
        client_id: str,
        *,
        retry_s: tuple[float, float],
        clean_session: bool = True,
        manual_ack: bool = False,
        prepare: Callable[[mqtt.Client], None] = lambda client: None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings, self._client_id, self._retry_s = settings, client_id, retry_s
        self._clean_session, self._manual_ack = clean_session, manual_ack
        self._prepare, self._monotonic = prepare, monotonic
        self._inbox: queue.SimpleQueue[News] = queue.SimpleQueue()
        self._attempts = 0
        self._connect_at = 0.0
        self._past_traffic = Traffic()
        self.client: mqtt.Client | None = None
        """The present client; None between two attempts."""
        self.connected = False
        self.problem = "not connected yet"
        """Why there is no connection; empty while there is one."""
        self._make_client()  # What cannot work should say so before a thread is started.

    @property
    def name(self) -> str:
        return f"{self._settings.host}:{self._settings.port}"

    def traffic(self) -> Traffic:
        """Bytes over all connections since the start, as the kernel counted them. Any thread may ask."""
        client = self.client
        return self._past_traffic if client is None else self._past_traffic + traffic.of_socket(client.socket())

    def wake(self) -> None:
        """Let `news` return. Any thread may call."""
        self._inbox.put(Wake())

    def backlog(self) -> int:
        """News that wait for the owner. Any thread may ask."""
        return self._inbox.qsize()

    def news(self, until: float, *, limit: int = 1000) -> Iterator[News]:
        """What happened, oldest first; waits until something does, or until the moment `until`.

        Makes the next attempt to connect when it is due. News of an earlier connection are left out.
        """
        if self.client is None and self._monotonic() >= self._connect_at:
            self._connect()
        if self.client is None:
            until = min(until, self._connect_at)
        found: list[News] = []
        try:
            found.append(self._inbox.get(timeout=max(0.0, until - self._monotonic())))
            while len(found) < limit:
                found.append(self._inbox.get_nowait())
        except queue.Empty:
            pass
        for each in found:
            if isinstance(each, Wake) or each.client is self.client:
                yield each

    def accept(self) -> None:
        """Note that the broker has taken us in."""
        self.connected, self._attempts, self.problem = True, 0, ""
        log.info("connected to %s", self.name)

    def give_up(self, reason: str) -> None:
        """Drop the connection and plan the next attempt: exponential, with jitter so that devices spread out."""
        self.close()
        self.problem = reason
        low, high = self._retry_s
        wait = min(high, low * 2.0 ** min(self._attempts, 20)) * random.uniform(0.5, 1.0)
        self._connect_at = self._monotonic() + wait
        log.warning("no connection to %s (%s); next try in %.1f s", self.name, reason, wait)

    def close(self) -> None:
        """Leave the broker, if it is there."""
        client, self.connected = self.client, False
        if client is None:
            return
        self._past_traffic = self.traffic()
        self.client = None
        client.disconnect()
        client.loop_stop()

    def _connect(self) -> None:
        self._attempts += 1
        try:
            self.client = client = self._make_client()
            self._prepare(client)
            client.connect(self._settings.host, self._settings.port, self._settings.keepalive_seconds)
        except (OSError, ValueError, CamtrapEdgeError) as error:
            self.give_up(str(error))
            return
        client.loop_start()

    def _make_client(self) -> mqtt.Client:
        client = make_client(
            self._settings, self._client_id, clean_session=self._clean_session, manual_ack=self._manual_ack
        )
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_message = self._on_message
        return client

    def _on_connect(self, client: mqtt.Client, userdata: Any, flags: Any, reason: ReasonCode, properties: Any) -> None:
        refused = reason.is_failure
        self._inbox.put(Lost(client, f"the broker refused: {reason}") if refused else Connected(client))

    def _on_disconnect(
        self, client: mqtt.Client, userdata: Any, flags: Any, reason: ReasonCode, properties: Any
    ) -> None:
        self._inbox.put(Lost(client, str(reason)))

    def _on_message(self, client: mqtt.Client, userdata: Any, message: mqtt.MQTTMessage) -> None:
        self._inbox.put(Arrived(client, message))


def make_client(
    settings: Broker, client_id: str, *, clean_session: bool = True, manual_ack: bool = False
) -> mqtt.Client:
    """A paho client with the broker's TLS and login, not yet connected.

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
