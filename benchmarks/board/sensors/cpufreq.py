"""The clock that each policy is at, as the kernel believes (scaling_cur_freq; kHz)."""

from __future__ import annotations

from benchmarks.board.clocks import KHZ, POLICIES
from benchmarks.board.sensors.sensor import Sensor, of_file
from edge_runtime.device.host import Host


def find(host: Host) -> list[Sensor]:
    """One per policy. A firmware that throttles behind the kernel's back does not show here."""
    return [
        of_file(host, f"{folder}/scaling_cur_freq", folder.rpartition("/")[2], "freq_hz", KHZ)
        for folder in host.glob(POLICIES)
    ]
