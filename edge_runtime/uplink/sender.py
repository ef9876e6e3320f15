"""What to put on the wire next, and when to say it again. No network in here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from edge_runtime.errors import PayloadError
from edge_runtime.journal.outbox import Outbox
from edge_runtime.settings import Uplink
from edge_runtime.uplink.ack import Ack, acknowledged
from edge_runtime.uplink.codebook import Codebook
from edge_runtime.uplink.packing import pack

MAX_AHEAD = 32767
"""Sequence numbers on the wire have 16 bits: a station can tell apart no more than this (PAYLOAD.md)."""
READ_AHEAD = 128
"""Outbox rows looked at for one message."""
MAX_BACKOFF = 32
"""With no acknowledgement at all, the wait before saying it again grows up to this many times."""


@dataclass(frozen=True, slots=True)
class _InFlight:
    last: int
    """Highest sequence number in the message."""
    sent_at: float


class Sender:
    """Walks through the outbox in order, a window of messages ahead of the station's acknowledgements.

    Args:
        now: seconds that never jump.
    """

    def __init__(self, outbox: Outbox, settings: Uplink, *, now: Callable[[], float]) -> None:
        self._outbox, self._settings, self._now = outbox, settings, now
        self._in_flight: list[_InFlight] = []
        self._sent = 0
        self._backoff = 1

    def start_over(self) -> None:
        """After a new connection: whatever is not acknowledged is sent again."""
        self._in_flight.clear()
        self._sent = 0

    def has_more(self) -> bool:
        """Whether the outbox holds anything that is not on its way."""
        return bool(self._outbox.after(self._sent, limit=1))

    def next_payload(self, codebook: Codebook) -> bytes | None:
        """The next message, or None while the window is full or nothing waits."""
        if len(self._in_flight) >= self._settings.window:
            return None
        first, _ = self._outbox.span()
        self._sent = max(self._sent, first - 1)
        waiting = [
            entry
            for entry in self._outbox.after(self._sent, limit=READ_AHEAD)
            if entry.sequence - first <= MAX_AHEAD - READ_AHEAD
        ]
        if not waiting:
            return None
        payload, count = pack(waiting, codebook, limit=self._settings.max_payload)
        self._sent = waiting[count - 1].sequence
        self._in_flight.append(_InFlight(self._sent, self._now()))
        return payload

    def acknowledge(self, ack: Ack) -> int:
        """Let go of what a station has committed; returns how many summaries went.

        Raises:
            PayloadError: it names summaries that were never made.
        """
        first, following = self._outbox.span()
        up_to, further = acknowledged(ack, first)
        last = max((up_to, *further))
        if last >= following:
            raise PayloadError(f"{last} is acknowledged, but {following} is still to be made")
        gone = self._outbox.acknowledge(up_to, further)
        first, _ = self._outbox.span()
        self._in_flight = [message for message in self._in_flight if message.last >= first]
        if gone:
            self._backoff = 1
        return gone

    def retry_if_due(self) -> bool:
        """If the oldest message was not acknowledged in time, send everything again; returns whether so."""
        due = self.due_at()
        if due is None or self._now() < due:
            return False
        self._backoff = min(MAX_BACKOFF, self._backoff * 2)
        self.start_over()
        return True

    def due_at(self) -> float | None:
        """When the oldest message is to be sent again; None with nothing on its way."""
        if not self._in_flight:
            return None
        return self._in_flight[0].sent_at + self._settings.ack_timeout_seconds * self._backoff
