"""Sequence numbers: what is here, what is missing, and what may be acknowledged.

Functions on a connection inside the caller's transaction.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass

from edge_runtime.station.values import Gap
from edge_runtime.uplink.ack import BITMAP_BYTES

_SELECT = "SELECT id, base, floor, next, contiguous FROM stream"
_REACH = 8 * BITMAP_BYTES + 2
MAX_GAPS = 100
"""More than this many gaps of one device are not listed."""


@dataclass(frozen=True, slots=True)
class Stream:
    """One epoch of one device."""

    id: int
    base: int | None
    floor: int | None
    """Lowest number that the device still holds; None until its status told."""
    next: int | None
    """The number that the device will give next."""
    contiguous: int


def find(connection: sqlite3.Connection, device: str, epoch: str) -> Stream | None:
    row = connection.execute(f"{_SELECT} WHERE device = ? AND epoch = ?", (device, epoch)).fetchone()
    return None if row is None else Stream(*row)


def open_stream(connection: sqlite3.Connection, device: str, epoch: str) -> Stream:
    """The stream, made where it is new."""
    connection.execute("INSERT OR IGNORE INTO stream (device, epoch) VALUES (?, ?)", (device, epoch))
    return Stream(*connection.execute(f"{_SELECT} WHERE device = ? AND epoch = ?", (device, epoch)).fetchone())


def hear_status(connection: sqlite3.Connection, stream: Stream, first: int, following: int) -> Stream:
    """Take in what the device says: it holds nothing below `first`, and `following` is its next number.

    What it let go of and never came here is remembered as forfeited; it is not waited for.
    """
    floor = max(first, stream.floor or 1)
    if stream.floor is not None and floor > stream.contiguous + 1:
        connection.execute(
            "INSERT OR IGNORE INTO forfeited VALUES (?, ?, ?)", (stream.id, stream.contiguous + 1, floor - 1)
        )
    connection.execute(
        "UPDATE stream SET base = COALESCE(base, :floor), floor = :floor, next = MAX(COALESCE(next, 0), :next), "
        "contiguous = MAX(contiguous, :floor - 1) WHERE id = :id",
        {"floor": floor, "next": following, "id": stream.id},
    )
    return advance(connection, stream.id)


def advance(connection: sqlite3.Connection, stream_id: int) -> Stream:
    """Move `contiguous` over everything that is here or was reported as dropped."""
    stream = Stream(*connection.execute(f"{_SELECT} WHERE id = ?", (stream_id,)).fetchone())
    reached = stream.contiguous
    while (further := _step(connection, stream_id, reached + 1)) > reached:
        reached = further
    connection.execute("UPDATE stream SET contiguous = ? WHERE id = ?", (reached, stream_id))
    return Stream(stream.id, stream.base, stream.floor, stream.next, reached)


def beyond(connection: sqlite3.Connection, stream: Stream) -> tuple[int, ...]:
    """Committed numbers after the first missing one, as far as an acknowledgement can name them."""
    low, high = stream.contiguous + 2, stream.contiguous + _REACH
    return tuple(sorted(_accounted(connection, stream.id, low, high)))


def gaps(connection: sqlite3.Connection, stream: Stream) -> list[Gap]:
    """What is missing below the highest number that came, ascending."""
    found = []
    for first, last in connection.execute(
        "SELECT first, last FROM forfeited WHERE stream_id = ? ORDER BY first LIMIT ?", (stream.id, MAX_GAPS)
    ):
        here = _accounted(connection, stream.id, first, last)
        found += [Gap(*span, awaited=False) for span in _missing(first, last, here)]
    start, highest = stream.contiguous + 1, _highest(connection, stream.id)
    here = _accounted(connection, stream.id, start, highest)
    found += [Gap(*span, awaited=True) for span in _missing(start, highest, here)]
    return found[:MAX_GAPS]


def outstanding(connection: sqlite3.Connection, stream: Stream) -> int:
    """How many numbers the device has given that are not here yet and that it still holds."""
    if stream.next is None:
        return 0
    start = stream.contiguous + 1
    return max(0, stream.next - start - len(_accounted(connection, stream.id, start, stream.next - 1)))


def _step(connection: sqlite3.Connection, stream_id: int, sequence: int) -> int:
    """The last number that is accounted for without a hole from `sequence` on; `sequence - 1` if it is missing."""
    row = connection.execute(
        "SELECT 1 FROM summary WHERE stream_id = ? AND sequence = ?", (stream_id, sequence)
    ).fetchone()
    if row is not None:
        return sequence
    end = connection.execute(
        "SELECT MAX(sequence + count - 1) FROM loss WHERE stream_id = ? AND sequence <= ?", (stream_id, sequence)
    ).fetchone()[0]
    return max(sequence - 1, end or 0)


def _highest(connection: sqlite3.Connection, stream_id: int) -> int:
    row = connection.execute(
        "SELECT MAX(COALESCE((SELECT MAX(sequence) FROM summary WHERE stream_id = :id), 0), "
        "COALESCE((SELECT MAX(sequence + count - 1) FROM loss WHERE stream_id = :id), 0))",
        {"id": stream_id},
    ).fetchone()
    return int(row[0])


def _accounted(connection: sqlite3.Connection, stream_id: int, low: int, high: int) -> set[int]:
    here = {
        row[0]
        for row in connection.execute(
            "SELECT sequence FROM summary WHERE stream_id = ? AND sequence BETWEEN ? AND ?", (stream_id, low, high)
        )
    }
    for sequence, count in connection.execute(
        "SELECT sequence, count FROM loss WHERE stream_id = ? AND sequence <= ? AND sequence + count > ?",
        (stream_id, high, low),
    ):
        here.update(range(max(low, sequence), min(high, sequence + count - 1) + 1))
    return here


def _missing(first: int, last: int, here: Iterable[int]) -> list[tuple[int, int]]:
    spans, start = [], first
    for sequence in [*sorted(here), last + 1]:
        if sequence > start:
            spans.append((start, sequence - 1))
        start = sequence + 1
    return spans
