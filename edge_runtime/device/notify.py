"""Telling the one who started the program how its work goes: systemd's notification protocol, sd_notify(3).

systemd gives a socket in `NOTIFY_SOCKET`; each datagram sent there is lines of `NAME=value`. With `WatchdogSec=` in
the unit it also expects `WATCHDOG=1` at least that often and kills whoever falls silent (sd_watchdog_enabled(3)). It is
sent when work has gone on, never by a timer of its own: a timer would tell that all is well while a photo hangs.
"""

from __future__ import annotations

import logging
import math
import os
import socket
import time
from collections.abc import Callable, Mapping

log = logging.getLogger(__name__)

SPACING_SECONDS = 1.0
"""Progress and passing states are told no more often: a fast model ends hundreds of photos a second."""
WAIT_SHARE = 1 / 3
"""Of the watchdog's time, the longest that anybody may wait idly; systemd advises less than half."""
STARVING_SHARE = 1 / 2
"""Of the watchdog's time, the silence after which it must be feared that the end is near."""
_SEND_SECONDS = 5.0


class Supervisor:
    """Whoever watches over the program. This one is nobody: it can be told anything at any time."""

    longest_wait: float = math.inf
    """Seconds that may pass between two calls of `progress`, with room to spare."""

    def ready(self) -> None:
        """All is loaded, the work begins."""

    def progress(self) -> None:
        """Something of the work has come to its end. For any thread."""

    def requires(self, goes_on: Callable[[], bool]) -> None:
        """From now on, progress counts only while `goes_on` says so of something else that must not hang either."""

    def is_starving(self) -> bool:
        """Whether there was no progress for so long that the program may soon be killed for it."""
        return False

    def status(self, text: str, *, lasting: bool = True) -> None:
        """What the program does, in one line for a person. Of states that are not `lasting`, some are left out."""

    def stopping(self) -> None:
        """The program is about to end."""


class Systemd(Supervisor):
    """systemd, or whoever speaks its protocol.

    Args:
        address: as in `NOTIFY_SOCKET`: a socket's path, or `@` and an abstract name.
        watchdog_s: seconds without progress after which we are killed; None: no watchdog.
        monotonic: seconds that never jump.
    """

    def __init__(
        self, address: str, watchdog_s: float | None, *, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        # An abstract name (unix(7)) begins with a zero byte, for which the variable has an `@`.
        self._address = "\0" + address[1:] if address.startswith("@") else address
        self._watchdog_s = math.inf if watchdog_s is None else watchdog_s
        self._monotonic = monotonic
        self.longest_wait = self._watchdog_s * WAIT_SHARE
        self._spacing = min(SPACING_SECONDS, self._watchdog_s / 8)
        self._progress_at = self._fed_at = self._told_at = -math.inf
        self._required: list[Callable[[], bool]] = []
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.settimeout(_SEND_SECONDS)

    def ready(self) -> None:
        # From here on the watchdog counts, so from here on it is fed.
        self._progress_at = self._fed_at = self._monotonic()
        self._send("READY=1")

    def requires(self, goes_on: Callable[[], bool]) -> None:
        self._required.append(goes_on)

    def progress(self) -> None:
        self._progress_at = now = self._monotonic()
        # Two threads at once feed it twice, which does no harm.
        if self._watchdog_s < math.inf and now >= self._fed_at + self._spacing and all(on() for on in self._required):
            self._fed_at = now
            self._send("WATCHDOG=1")

    def is_starving(self) -> bool:
        # What else is required may hang as it likes: the work in hand is not to blame for it.
        silence = self._monotonic() - self._progress_at
        return self._watchdog_s < math.inf and silence > self._watchdog_s * STARVING_SHARE

    def status(self, text: str, *, lasting: bool = True) -> None:
        now = self._monotonic()
        if lasting or now >= self._told_at + self._spacing:
            self._told_at = now
            self._send("STATUS=" + text.replace("\n", " "))

    def stopping(self) -> None:
        self._send("STOPPING=1")

    def _send(self, message: str) -> None:
        try:
            self._socket.sendto(message.encode("utf-8", "backslashreplace"), self._address)
        except OSError as error:
            # The work does not depend on who listens; where a watchdog does, it will act by itself.
            log.debug("%s not told: %s", message, error)


def supervisor(environment: Mapping[str, str] = os.environ) -> Supervisor:
    """Who watches over this process, as its environment tells; nobody where it was started by hand."""
    address = environment.get("NOTIFY_SOCKET", "")
    if not address:
        return Supervisor()
    if len(address) < 2 or address[0] not in "/@":
        log.warning("NOTIFY_SOCKET=%s: neither a path nor an abstract name; nobody is notified", address)
        return Supervisor()
    return Systemd(address, _watchdog_s(environment))


def _watchdog_s(environment: Mapping[str, str]) -> float | None:
    # A child inherits the variables; the watchdog waits for the process that it names.
    if environment.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return None
    microseconds = environment.get("WATCHDOG_USEC", "")
    return int(microseconds) / 1e6 if microseconds.isdecimal() and int(microseconds) else None
