"""Whether the board gets the power it needs, stays cool, and can tell what it takes."""

from __future__ import annotations

from benchmarks.board.checks.around import Around
from benchmarks.board.checks.check import Check
from benchmarks.board.sensors.rapl import ZONES as RAPL
from benchmarks.board.sensors.raspberry import TEMPERATURE, temperature
from benchmarks.board.sensors.thermal import ZONES
from edge_runtime.device import throttle_bits
from edge_runtime.device.host import Host

SUPPLY = "/sys/class/power_supply/*"
PI_LIMIT_C, OTHER_LIMIT_C = 80.0, 95.0
"""A Raspberry Pi's firmware lowers the clock from 80 °C on, whatever the kernel's trip points say."""
NEAR_K = 10.0
_MAKES_HOT = ("passive", "hot", "critical")
"""Kinds of trip points at which something is slowed or ends; `active` ones start a fan."""
_PLAUSIBLE_C = (40.0, 150.0)
"""x86 has trip points of 0 and of -274 °C that stand for none."""


def throttling(host: Host, around: Around) -> Check | None:
    """What the Raspberry Pi remembers."""
    _, bits = throttle_bits.read_bits(host)
    if bits is None:
        on_pi = is_pi(host)
        found = "neither vcgencmd nor the kernel tells the bits"
        return Check("throttling", "unknown", found, "sudo usermod -aG video $USER") if on_pi else None
    told = ", ".join(throttle_bits.names(bits))
    if not told:
        return Check("throttling", "good", "none since boot")
    if bits & throttle_bits.UNDER_VOLTAGE:
        mend = "plug in a supply that holds 5 V (Pi 5: 5 A, Pi 4: 3 A), then `sudo reboot`: only that clears the bits"
    else:
        mend = "put a fan or a heat sink on the board, then `sudo reboot`: only that clears the bits"
    return Check("throttling", "bad" if bits & throttle_bits.NOW else "warn", told, mend)


def heat(host: Host, around: Around) -> Check:
    """How far the hottest zone is from the temperature at which its chip slows down."""
    told = [each for zone in host.glob(ZONES) if (each := _zone(host, zone)) is not None]
    if not told:
        celsius = temperature(host.tool(TEMPERATURE))
        if celsius is None:
            return Check("temperature", "unknown", "no thermal zone says anything")
        told = [("soc", celsius, PI_LIMIT_C)]
    where, celsius, limit = min(told, key=lambda each: each[2] - each[1])
    found = f"{where} {celsius:.1f} °C, limit {limit:.0f} °C"
    if celsius < limit - NEAR_K:
        return Check("temperature", "good", found)
    return Check(
        "temperature", "bad" if celsius >= limit else "warn", found, "let it cool: `sleep 600`, then look again"
    )


def battery(host: Host, around: Around) -> Check | None:
    """On its battery a laptop or a field box lowers its clocks. A mouse's battery is none of it."""
    for supply in host.glob(SUPPLY):
        if host.text(f"{supply}/type") != "Battery" or host.text(f"{supply}/scope") == "Device":
            continue
        state = host.text(f"{supply}/status")
        if state == "Discharging":
            return Check("battery", "warn", "the battery is being discharged", "plug in the mains adapter")
        return Check("battery", "good" if state else "unknown", (state or "does not say").lower())
    return None


def energy(host: Host, around: Around) -> Check | None:
    """Energy counters that are there, but closed to this user: nothing is spoilt, but joules will be missing."""
    zones = host.glob(RAPL)
    if not zones or any(host.text(f"{zone}/energy_uj") for zone in zones):
        return None
    mend = "sudo chmod a+r /sys/class/powercap/intel-rapl:*/energy_uj"
    return Check("energy", "unknown", "only root may read the energy counters", mend)


def is_pi(host: Host) -> bool:
    """Whether the board says that it is a Raspberry Pi."""
    return (host.text("/proc/device-tree/model") or "").startswith("Raspberry Pi")


def _zone(host: Host, zone: str) -> tuple[str, float, float] | None:
    """Name, temperature and limit of a zone, °C."""
    milli = host.integer(f"{zone}/temp")
    if milli is None:
        return None
    limits = [PI_LIMIT_C if is_pi(host) else OTHER_LIMIT_C]
    trips = [
        (host.integer(name) or 0) / 1000
        for name in host.glob(f"{zone}/trip_point_*_temp")
        if host.text(name.replace("_temp", "_type")) in _MAKES_HOT
    ]
    known = [each for each in trips if _PLAUSIBLE_C[0] <= each <= _PLAUSIBLE_C[1]]
    if known:
        limits = [min(known), *(limits if is_pi(host) else [])]
    return host.text(f"{zone}/type") or zone.rpartition("/")[2], milli / 1000, min(limits)
