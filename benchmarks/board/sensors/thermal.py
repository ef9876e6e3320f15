"""Thermal zones of the kernel (Linux: sysfs-api of thermal; millidegrees Celsius)."""

from __future__ import annotations

from benchmarks.board.sensors.sensor import Sensor, of_file
from edge_runtime.device.host import Host

ZONES = "/sys/class/thermal/thermal_zone*"


def find(host: Host) -> list[Sensor]:
    """One per zone, named by its type."""
    return [
        of_file(host, f"{zone}/temp", host.text(f"{zone}/type") or zone.rpartition("/")[2], "temp_c", 1e-3)
        for zone in host.glob(ZONES)
    ]
