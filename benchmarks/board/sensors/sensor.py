"""One thing that a board can measure of itself."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from benchmarks.document.schema import Quantity
from edge_runtime.device.host import Host

TOOL_EVERY_S = 1.0
"""Starting a program costs milliseconds of a core that is being measured."""


@dataclass(frozen=True, slots=True)
class Sensor:
    """`read` gives the quantity in its unit (°C, Hz, W, J), or None where it says nothing now."""

    source: str
    """The file or tool that is read."""
    where: str
    """What it measures: `cpu-thermal`, `VDD_IN`, `package-0`."""
    quantity: Quantity
    read: Callable[[], float | None]
    every_s: float = 0.0
    """It wants to be read no more often than this."""


def of_file(host: Host, name: str, where: str, quantity: Quantity, scale: float) -> Sensor:
    """A sensor whose file holds a whole number; `scale` makes its unit of it."""

    def read() -> float | None:
        number = host.integer(name)
        return None if number is None else number * scale

    return Sensor(name, where, quantity, read)


class Rising:
    """An energy counter in joules that only rises, made of one in microjoules that starts again at its end.

    Read it more often than it takes to wrap once (65 kJ, the smallest range in use, at 300 W: over three minutes).
    """

    def __init__(self, raw: Callable[[], int | None], range_uj: int | None) -> None:
        self._raw, self._range_uj = raw, range_uj
        self._last: int | None = None
        self._total = 0

    def __call__(self) -> float | None:
        now = self._raw()
        if now is None or now < 0:
            return None
        if self._last is None:
            self._total = now
        elif now >= self._last:
            self._total += now - self._last
        else:
            # Where nobody says its range it was set back to zero: what is there now has been added since.
            self._total += now + max(0, (self._range_uj or self._last) - self._last)
        self._last = now
        return self._total / 1e6


class Shared:
    """One answer of a tool for several sensors that ask at nearly the same time."""

    def __init__(self, ask: Callable[[], str | None], clock: Callable[[], float] = time.monotonic) -> None:
        self._ask, self._clock = ask, clock
        self._until = float("-inf")
        self._text: str | None = None

    def __call__(self) -> str | None:
        if self._clock() >= self._until:
            self._text = self._ask()
            # Counted from the answer's end: a slow tool must not be asked again for each of its sensors.
            self._until = self._clock() + TOOL_EVERY_S / 2
        return self._text
