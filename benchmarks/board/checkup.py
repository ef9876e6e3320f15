"""Everything that could spoil a measurement on this machine, looked at once."""

from __future__ import annotations

from collections.abc import Callable

from benchmarks.board.checks import clocks, others, power
from benchmarks.board.checks.around import Around, look
from benchmarks.board.checks.check import SPOILS, Check, Probe
from edge_runtime.device.host import Host

PROBES: tuple[Probe, ...] = (
    others.virtual,
    clocks.governor,
    clocks.boost,
    clocks.limit,
    clocks.power_mode,
    clocks.jetson_clocks,
    power.throttling,
    power.heat,
    power.battery,
    power.energy,
    others.load,
    others.steal,
    others.swap,
    others.room,
    others.disk,
    clocks.clock_resolution,
)


def checkup(host: Host, around: Callable[[Host], Around] = look) -> tuple[Check, ...]:
    """All that applies to this machine; takes about a second, in which others are watched."""
    seen = around(host)
    return tuple(check for probe in PROBES if (check := probe(host, seen)) is not None)


def spoilt(checks: tuple[Check, ...]) -> bool:
    """Whether anything found would spoil a measurement."""
    return any(each.status in SPOILS for each in checks)
