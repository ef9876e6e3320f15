"""What the Raspberry Pi's firmware tells through `vcgencmd`."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from benchmarks.board.sensors.sensor import TOOL_EVERY_S, Sensor
from benchmarks.board.sensors.thermal import ZONES
from benchmarks.document.schema import Quantity
from edge_runtime.device.host import Host, decimal

Parse = Callable[["str | None"], "float | None"]
TEMPERATURE = ("vcgencmd", "measure_temp")
CLOCK = ("vcgencmd", "measure_clock", "arm")
PMIC = ("vcgencmd", "pmic_read_adc")
_ADC = re.compile(r"^\s*(\w+)_([AV])\s+(?:current|volt)\(\d+\)=(-?[\d.]+)[AV]\s*$", re.MULTILINE)


def find(host: Host) -> list[Sensor]:
    """The true clock, on a Pi 5 the power chip's sum, and the temperature where the kernel has no zone for it."""
    if host.tool(CLOCK) is None:
        return []
    # Unlike the kernel's figure this clock falls when the firmware throttles.
    found = [
        _sensor(host, CLOCK, "arm, by the firmware", "freq_hz", clock),
        _sensor(host, PMIC, "PMIC", "power_w", power),
    ]
    if not host.glob(ZONES):
        found.append(_sensor(host, TEMPERATURE, "soc", "temp_c", temperature))
    return found


def _sensor(host: Host, command: Sequence[str], where: str, quantity: Quantity, parse: Parse) -> Sensor:
    return Sensor(" ".join(command), where, quantity, lambda: parse(host.tool(command)), TOOL_EVERY_S)


def clock(text: str | None) -> float | None:
    """Hertz of `frequency(0)=2400033024`; 0 is how the firmware says that it does not know."""
    return decimal((text or "").rpartition("=")[2]) or None


def temperature(text: str | None) -> float | None:
    """°C of `temp=52.7'C`."""
    return decimal((text or "").removeprefix("temp=").removesuffix("'C"))


def power(text: str | None) -> float | None:
    """Watts over all rails that a Pi 5's power chip (DA9091) tells both current and voltage of.

    What USB devices, HATs on 5 V and the chip's own losses take is not in it: it lies below what a meter in the
    supply's cable shows.
    """
    told: dict[str, dict[str, float]] = {}
    for rail, unit, digits in _ADC.findall(text or ""):
        value = decimal(digits)
        if value is not None:
            told.setdefault(rail, {})[unit] = value
    pairs = [each for each in told.values() if len(each) == 2]
    return sum(each["A"] * each["V"] for each in pairs) if pairs else None
