"""Monitoring chips (Linux: hwmon sysfs interface): µW, µJ, mV, mA, millidegrees."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from benchmarks.board.sensors.sensor import Rising, Sensor, of_file
from benchmarks.board.sensors.thermal import ZONES
from edge_runtime.device.host import Host

CHIPS = ("/sys/class/hwmon/hwmon*", "/sys/bus/i2c/drivers/ina3221/*/hwmon/hwmon*")
"""On a Jetson both lead to the same chips."""
_RAILS = range(1, 4)
"""Inputs of an INA3221. Its higher numbers are shunt voltages and sums."""
_CPUS = {"k10temp": "Tctl", "zenpower": "Tdie", "coretemp": "Package"}
"""Processor thermometers, and the label of the one that rules."""


def find(host: Host) -> list[Sensor]:
    """Power and energy of every chip, and the processor's temperature where no thermal zone tells it."""
    found: list[Sensor] = []
    for chip in host.distinct(*CHIPS):
        name = host.text(f"{chip}/name") or chip.rpartition("/")[2]
        if host.text(f"{chip}/device/type") in ("Battery", "Mains", "UPS", "USB"):
            continue  # a power supply's own view: what flows into the battery counts there like what is used
        found += [*_power(host, chip, name), *_energy(host, chip, name)]
        if name == "ina3221":
            found += _rails(host, chip)
        found += _temperature(host, chip, name)
    return found


def _power(host: Host, chip: str, name: str) -> Iterator[Sensor]:
    # Some drivers (older amdgpu) know only the mean over a short while.
    for file in host.glob(f"{chip}/power*_input") or host.glob(f"{chip}/power*_average"):
        yield of_file(host, file, _where(host, file, name), "power_w", 1e-6)


def _energy(host: Host, chip: str, name: str) -> Iterator[Sensor]:
    for file in host.glob(f"{chip}/energy*_input"):
        yield Sensor(file, _where(host, file, name), "energy_j", Rising(partial(host.integer, file), None))


def _rails(host: Host, chip: str) -> Iterator[Sensor]:
    """An INA3221 tells volts and amperes of three rails; `VDD_IN` is what comes into the board."""
    for number in _RAILS:
        volts, amperes = f"{chip}/in{number}_input", f"{chip}/curr{number}_input"
        label = host.text(f"{chip}/in{number}_label")
        if label not in (None, "NC") and host.text(volts) and host.text(amperes):
            read = partial(_product, host, volts, amperes)
            yield Sensor(f"{volts} x {amperes.rpartition('/')[2]}", str(label), "power_w", read)


def _product(host: Host, volts: str, amperes: str) -> float | None:
    mv, ma = host.integer(volts), host.integer(amperes)
    return None if mv is None or ma is None else mv * ma * 1e-6


def _temperature(host: Host, chip: str, name: str) -> Iterator[Sensor]:
    if name not in _CPUS or any(host.text(f"{zone}/type") == "x86_pkg_temp" for zone in host.glob(ZONES)):
        return
    for file in host.glob(f"{chip}/temp*_input"):
        if (host.text(file.replace("_input", "_label")) or "").startswith(_CPUS[name]):
            yield of_file(host, file, _where(host, file, name), "temp_c", 1e-3)


def _where(host: Host, file: str, chip: str) -> str:
    label = host.text(f"{file.rpartition('_')[0]}_label")
    return f"{chip} {label or file.rpartition('/')[2].rpartition('_')[0]}"
