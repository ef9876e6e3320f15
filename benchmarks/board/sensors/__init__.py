"""What a board measures of itself: one file a kind of sensor, found by looking."""

from __future__ import annotations

from collections.abc import Callable

from benchmarks.board.sensors import cpufreq, hwmon, jetson, nvidia, rapl, raspberry, thermal
from benchmarks.board.sensors.sensor import Sensor
from edge_runtime.device.host import Host

KINDS: tuple[Callable[[Host], list[Sensor]], ...] = (
    thermal.find,
    cpufreq.find,
    hwmon.find,
    rapl.find,
    raspberry.find,
    jetson.find,
    nvidia.find,
)


def find(host: Host) -> tuple[Sensor, ...]:
    """Every sensor that says something now; those that are asleep, or closed to this user, are left out."""
    return tuple(sensor for kind in KINDS for sensor in kind(host) if sensor.read() is not None)
