"""A notification socket as systemd has one, in the test's own hands."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path


@dataclass
class Listener:
    """Collects what is sent to `address` (a path, or `@name`). Use it as a context manager.

    `heard` has each datagram with the moment of its arrival, `time.monotonic()`.
    """

    address: str
    heard: list[tuple[float, str]] = field(default_factory=list)

    def __enter__(self) -> Listener:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind("\0" + self.address[1:] if self.address.startswith("@") else self.address)
        self._socket.settimeout(0.1)
        self._stopping = False
        self._thread = threading.Thread(target=self._listen)
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._stopping = True
        self._thread.join()
        self._socket.close()
        if not self.address.startswith("@"):
            Path(self.address).unlink()

    def _listen(self) -> None:
        while not self._stopping:
            try:
                message = self._socket.recv(65536).decode()
            except TimeoutError:
                continue
            self.heard.append((time.monotonic(), message))

    def messages(self) -> list[str]:
        return [message for _, message in self.heard]

    def times(self, message: str) -> list[float]:
        """When `message` came."""
        return [moment for moment, each in self.heard if each == message]

    @property
    def status(self) -> str:
        """The last one told."""
        told = [message for message in self.messages() if message.startswith("STATUS=")]
        return told[-1].removeprefix("STATUS=") if told else ""

    def until(self, condition: Callable[[], bool], seconds: float, what: str) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, f"not within {seconds} s: {what}; heard {self.messages()[-5:]}"
            time.sleep(0.02)


def longest_silence(moments: list[float], *, start: float, end: float) -> float:
    """Seconds between two of `moments` that follow each other, from `start` to `end`."""
    inside = [start, *(moment for moment in moments if start < moment < end), end]
    return max(later - earlier for earlier, later in pairwise(inside))
