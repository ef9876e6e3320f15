"""Intel's and AMD's own estimate of their energy (Linux: powercap, intel-rapl; µJ, wraps)."""

from __future__ import annotations

from functools import partial

from benchmarks.board.sensors.sensor import Rising, Sensor
from edge_runtime.device.host import Host

ZONES = "/sys/class/powercap/intel-rapl:*"
"""Not `intel-rapl-mmio:*`: that is the same package, reached in another way."""


def find(host: Host) -> list[Sensor]:
    """One per zone, parts as `package-0/core`. Since Linux 5.10 only root may read them."""
    found = []
    for zone in host.glob(ZONES):
        name = host.text(f"{zone}/name") or zone.rpartition("/")[2]
        if zone.count(":") == 2:
            name = f"{host.text(zone.rpartition(':')[0] + '/name') or 'package'}/{name}"
        file = f"{zone}/energy_uj"
        read = Rising(partial(host.integer, file), host.integer(f"{zone}/max_energy_range_uj"))
        found.append(Sensor(file, name, "energy_j", read))
    return found
