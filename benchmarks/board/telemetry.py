"""What the board's sensors say while something else is measured."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import TypeVar

from benchmarks.board.sensors.sensor import TOOL_EVERY_S, Sensor
from benchmarks.document.schema import Series

log = logging.getLogger(__name__)
T = TypeVar("T", int, float)


class Telemetry:
    """A context in which a thread reads all sensors every now and then, once at its start and once at its end too.

    Args:
        zero_ns: `time.monotonic_ns()` of the run's start; times are counted from it.
        interval_s: between two readings. A sensor that is dear is read once per its own `every_s`.
        bits: throttle bits of now, asked once a second; what was ever set stands in `seen_bits`.
    """

    def __init__(
        self,
        sensors: Sequence[Sensor],
        *,
        zero_ns: int,
        interval_s: float = 0.5,
        bits: Callable[[], int | None] | None = None,
    ) -> None:
        self._sensors = tuple(sensors)
        self._zero_ns, self._interval_s, self._bits = zero_ns, interval_s, bits
        self._told: list[list[tuple[int, float | None]]] = [[] for _ in self._sensors]
        self._due = [0.0] * len(self._sensors)
        self._bits_due = 0.0
        self._seen = 0
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Telemetry:
        self._stop.clear()
        self._thread = threading.Thread(target=self._work, name="telemetry", daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        if self._thread is not None:
            self._thread.join()

    @property
    def seen_bits(self) -> int:
        """All throttle bits that were set at any time until now."""
        return self._seen

    def series(self) -> tuple[Series, ...]:
        """What was read until now, a sensor each."""
        found = []
        for sensor, told in zip(self._sensors, self._told, strict=True):
            until_now = told[:]  # the thread goes on
            found.append(
                Series(
                    source=sensor.source,
                    where=sensor.where,
                    quantity=sensor.quantity,
                    t_ns=tuple(t_ns for t_ns, _ in until_now),
                    value=tuple(value for _, value in until_now),
                )
            )
        return tuple(found)

    def _work(self) -> None:
        due = time.monotonic()
        while True:
            self._look(last=False)
            # On a grid of its own, so that slow sensors do not stretch the interval; what is late is not made up for.
            due = max(due + self._interval_s, time.monotonic())
            if self._stop.wait(due - time.monotonic()):
                break
        self._look(last=True)

    def _look(self, *, last: bool) -> None:
        # Half an interval of grace: a grid of 0.5 s must not make of "once a second" once in 1.5 s.
        now = time.monotonic() + self._interval_s / 2
        for number, sensor in enumerate(self._sensors):
            if last or now >= self._due[number]:
                self._due[number] = time.monotonic() + sensor.every_s
                self._told[number].append(self._ask(sensor))
        if self._bits is not None and (last or now >= self._bits_due):
            self._bits_due = time.monotonic() + TOOL_EVERY_S
            self._seen |= _quietly(self._bits, "the throttle bits") or 0

    def _ask(self, sensor: Sensor) -> tuple[int, float | None]:
        start_ns = time.monotonic_ns()
        value = _quietly(sensor.read, sensor.source)
        # A tool takes a while; its answer is from somewhere in it.
        return max(0, (start_ns + time.monotonic_ns()) // 2 - self._zero_ns), value


def _quietly(read: Callable[[], T | None], what: str) -> T | None:
    try:
        return read()
    except Exception:  # The thread's boundary: one faulty sensor must not end the others' record.
        log.debug("%s cannot be read", what, exc_info=True)
        return None
