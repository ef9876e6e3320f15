"""One connection to the broker, asked one thing at a time, with every refusal as words.

The daemon's own connection (`uplink/connection.py`) lives for months and hides what it can mend; this one is to show
everything. It is opened only while no daemon is at work: a broker that knows devices by their account, whatever id they
give, would end the daemon's session for it.
"""

from __future__ import annotations

import queue
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.reasoncodes import ReasonCode

from edge_runtime.checkup import tls
from edge_runtime.settings import Uplink

UNKNOWN_PROTOCOL, BAD_ID, BAD_LOGIN, NOT_AUTHORISED = 132, 133, 134, 135
"""Reason codes of MQTT 5, into which paho translates those of 3.1.1."""
NOBODY_SUBSCRIBED = 16
REPLY_SECONDS = 8.0


@dataclass(frozen=True, slots=True)
class Answer:
    """What the broker said to one thing."""

    accepted: bool
    text: str
    """Its reason, or what happened instead of an answer."""
    code: int | None = None
    """The reason code; None where it gave no answer."""


@dataclass(frozen=True, slots=True)
class _News:
    kind: str
    """`connect`, `subscribe`, `publish` or `lost`."""
    mid: int
    code: int
    text: str


class Session:
    """A session under the device's account.

    Args:
        version5: speak MQTT 5, in which a broker can say that a publish is refused; else 3.1.1, as the daemon does.
        will: topic and payload that are published (retained) if this session is cut off, or says goodbye; or None.

    Raises:
        OSError, ssl.SSLError, UnicodeDecodeError: the password or a TLS file cannot be read.
    """

    def __init__(
        self, settings: Uplink, device: str, *, version5: bool = False, will: tuple[str, bytes] | None = None
    ) -> None:
        self.version5 = version5
        self.messages: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        """Payloads that arrived on what was subscribed to."""
        self._settings = settings
        self._news: queue.SimpleQueue[_News] = queue.SimpleQueue()
        self._will = will
        self._client = self._make(device)
        if will is not None:
            self._client.will_set(will[0], will[1], qos=1, retain=True)

    def open(self) -> Answer:
        """Connect and log in."""
        try:
            self._client.connect(self._settings.host, self._settings.port, self._settings.keepalive_seconds)
        except (OSError, ValueError) as error:
            return Answer(False, str(error))
        self._client.loop_start()
        return self._answer("connect", None)

    def subscribe(self, topic: str) -> Answer:
        """Subscribe at QoS 1."""
        result, mid = self._client.subscribe(topic, qos=1)
        if result != mqtt.MQTT_ERR_SUCCESS:
            return _cut(mqtt.error_string(result))
        return self._answer("subscribe", mid)

    def publish(self, topic: str, payload: bytes) -> Answer:
        """Publish at QoS 1, retained."""
        sent = self._client.publish(topic, payload, qos=1, retain=True)
        if sent.rc != mqtt.MQTT_ERR_SUCCESS:
            return _cut(mqtt.error_string(sent.rc))
        return self._answer("publish", sent.mid)

    def message(self, seconds: float) -> bytes | None:
        """The next payload that arrives; None where none does in time."""
        try:
            return self.messages.get(timeout=max(0.0, seconds))
        except queue.Empty:
            return None

    def close(self, *, goodbye: bool = False) -> None:
        """Leave; the broker does not publish the will, this does where `goodbye` asks for it."""
        if goodbye and self._will is not None:
            self.publish(*self._will)
        self._client.disconnect()
        self._client.loop_stop()

    def _make(self, device: str) -> mqtt.Client:
        settings = self._settings
        client = mqtt.Client(
            CallbackAPIVersion.VERSION2,
            client_id=f"edge-runtime-{device}-doctor",
            clean_session=None if self.version5 else True,
            protocol=MQTTProtocolVersion.MQTTv5 if self.version5 else MQTTProtocolVersion.MQTTv311,
            reconnect_on_failure=False,
        )
        if settings.user is not None:
            client.username_pw_set(settings.user, password(settings))
        if settings.tls is not None:
            client.tls_set_context(tls.context_of(settings.tls))
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_subscribe = self._on_subscribe
        client.on_publish = self._on_publish
        client.on_message = lambda _client, _data, message: self.messages.put(bytes(message.payload))
        return client

    def _answer(self, kind: str, mid: int | None) -> Answer:
        until = time.monotonic() + REPLY_SECONDS
        while (left := until - time.monotonic()) > 0:
            try:
                news = self._news.get(timeout=left)
            except queue.Empty:
                break
            if news.kind == "lost":
                return _cut(news.text)
            if news.kind == kind and (mid is None or news.mid == mid):
                return Answer(news.code < 128, news.text, news.code)
        return Answer(False, f"no answer in {REPLY_SECONDS:.0f} s")

    def _on_connect(self, client: mqtt.Client, userdata: Any, flags: Any, reason: ReasonCode, properties: Any) -> None:
        self._news.put(_News("connect", 0, reason.value, str(reason)))

    def _on_disconnect(
        self, client: mqtt.Client, userdata: Any, flags: Any, reason: ReasonCode, properties: Any
    ) -> None:
        self._news.put(_News("lost", 0, reason.value, str(reason)))

    def _on_subscribe(
        self, client: mqtt.Client, userdata: Any, mid: int, reasons: list[ReasonCode], properties: Any
    ) -> None:
        self._news.put(_News("subscribe", mid, reasons[0].value, str(reasons[0])))

    def _on_publish(self, client: mqtt.Client, userdata: Any, mid: int, reason: ReasonCode, properties: Any) -> None:
        self._news.put(_News("publish", mid, reason.value, str(reason)))


def password(settings: Uplink) -> str | None:
    """The password, as the daemon reads it.

    Raises:
        OSError, UnicodeDecodeError: the file cannot be read.
    """
    if settings.password_file is None:
        return None
    return Path(settings.password_file).read_text(encoding="utf-8").strip("\r\n")


def _cut(reason: str) -> Answer:
    return Answer(False, f"the broker cut the connection ({reason})")
