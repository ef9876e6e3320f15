"""Bytes that really crossed a socket: MQTT framing, handshakes and keepalives included, TCP/IP headers not."""

from __future__ import annotations

import socket
import struct
from dataclasses import dataclass
from typing import Any

_BYTES_RECEIVED = 128
"""Offset of `tcpi_bytes_received` in Linux' `struct tcp_info` (include/uapi/linux/tcp.h); the layout only grows."""
_BYTES_SENT = 200
_SIZE = 208


@dataclass(frozen=True, slots=True)
class Traffic:
    """Bytes of TCP payload."""

    sent: int = 0
    received: int = 0

    def __add__(self, other: Traffic) -> Traffic:
        return Traffic(self.sent + other.sent, self.received + other.received)


def of_socket(connection: Any) -> Traffic:
    """What the kernel counted for a TCP connection (a socket, or None); nothing for a closed one."""
    if connection is None or connection.fileno() < 0:
        return Traffic()
    try:
        raw = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _SIZE)
    except OSError:
        return Traffic()
    if len(raw) < _SIZE:
        return Traffic()
    return Traffic(
        sent=struct.unpack_from("=Q", raw, _BYTES_SENT)[0],
        received=struct.unpack_from("=Q", raw, _BYTES_RECEIVED)[0],
    )
