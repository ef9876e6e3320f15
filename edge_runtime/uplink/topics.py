"""The MQTT topics: `ct/1/<device>/<kind>`, the device before the kind so that an ACL is one line."""

from __future__ import annotations

import re
from enum import Enum

from edge_runtime.errors import PayloadError

ROOT = "ct/1"
ONLINE = b"1"
OFFLINE = b"0"
"""What stands on the topic `o`; OFFLINE is the device's last will."""

_DEVICE = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}")


class Kind(str, Enum):
    """What a topic carries; PAYLOAD.md, section Topics."""

    EVENTS = "e"
    STATUS = "s"
    ONLINE = "o"
    CODEBOOK = "m"
    ACK = "a"


RETAINED = frozenset({Kind.STATUS, Kind.ONLINE, Kind.CODEBOOK})
FROM_DEVICE = (Kind.EVENTS, Kind.STATUS, Kind.ONLINE, Kind.CODEBOOK)


def topic(device: str, kind: Kind) -> str:
    """The topic of one device.

    Raises:
        PayloadError: the name is not 1 to 32 small letters, digits, `-` and `_`.
    """
    if not _DEVICE.fullmatch(device):
        raise PayloadError(f"'{device}' is no device name: small letters, digits, - and _, at most 32")
    return f"{ROOT}/{device}/{kind.value}"


def events(device: str) -> str:
    """Where a device sends its messages: QoS 1, not retained."""
    return topic(device, Kind.EVENTS)


def status(device: str) -> str:
    """Where a device's status stands: retained."""
    return topic(device, Kind.STATUS)


def online(device: str) -> str:
    """Where ONLINE or OFFLINE stands: retained."""
    return topic(device, Kind.ONLINE)


def codebook(device: str) -> str:
    """Where a device's codebook stands: retained."""
    return topic(device, Kind.CODEBOOK)


def ack(device: str) -> str:
    """Where a station acknowledges: QoS 1, not retained."""
    return topic(device, Kind.ACK)


def subscription(kind: Kind) -> str:
    """The filter that matches this topic of every device."""
    return f"{ROOT}/+/{kind.value}"


def split(name: str) -> tuple[str, Kind]:
    """The device and the kind of a topic.

    Raises:
        PayloadError: a topic that is not ours.
    """
    device, _, kind = name.removeprefix(f"{ROOT}/").partition("/")
    if not name.startswith(f"{ROOT}/") or not _DEVICE.fullmatch(device) or kind not in _KINDS:
        raise PayloadError(f"'{name}' is none of our topics")
    return device, Kind(kind)


_KINDS = frozenset(kind.value for kind in Kind)
