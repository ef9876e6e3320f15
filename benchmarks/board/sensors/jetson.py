"""What only Jetsons have: the GPU's clock (devfreq), and the power rails as JetPack 4 shows them (iio; mW)."""

from __future__ import annotations

from benchmarks.board.clocks import gpu_folders
from benchmarks.board.sensors.sensor import Sensor, of_file
from edge_runtime.device.host import Host

IIO = "/sys/bus/i2c/drivers/ina3221x/*/iio*device*"
_RAILS = range(3)


def find(host: Host) -> list[Sensor]:
    """The GPU's clock, and each named rail."""
    found = [of_file(host, f"{each}/cur_freq", each.rpartition("/")[2], "freq_hz", 1) for each in gpu_folders(host)]
    for chip in host.distinct(IIO):
        for number in _RAILS:
            rail = host.text(f"{chip}/rail_name_{number}")
            if rail not in (None, "NC"):
                found.append(of_file(host, f"{chip}/in_power{number}_input", str(rail), "power_w", 1e-3))
    return found
