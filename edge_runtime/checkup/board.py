"""Whether the board is cool, gets its power, and has memory left."""

from __future__ import annotations

from edge_runtime.checkup.step import Finding, Step, bad, good, skipped, together, warn
from edge_runtime.checkup.visit import Visit
from edge_runtime.checkup.world import World
from edge_runtime.device import throttle_bits
from edge_runtime.device.host import integer

PI_LIMIT_C, OTHER_LIMIT_C = 80.0, 95.0
"""A Raspberry Pi's firmware lowers the clock from 80 °C on, whatever the kernel's trip points say."""
NEAR_K = 10.0
_PLAUSIBLE_C = (40.0, 150.0)
"""There are trip points of 0 and of -274 °C that stand for none."""
_MAKES_HOT = ("passive", "hot", "critical")
LITTLE_BYTES, SMALL_BYTES = 150_000_000, 1_200_000_000
"""Available memory below which a photo may end the program; a board below the second wants some swap."""
MEGABYTE = 1_000_000


def temperature(visit: Visit) -> Finding:
    """How far the hottest part is from where its chip slows down."""
    world = visit.world
    told = [each for zone in world.glob("/sys/class/thermal/thermal_zone*") if (each := _zone(world, zone)) is not None]
    if not told:
        return skipped("no thermal zone tells a temperature")
    where, celsius, limit = min(told, key=lambda each: each[2] - each[1])
    found = f"{where} {celsius:.0f} °C, it slows down at {limit:.0f} °C"
    if celsius >= limit:
        return bad(found, "shade the box, put a heat sink or a fan on the chip, then look again")
    if celsius >= limit - NEAR_K:
        return warn(found, "shade the box, or put a heat sink on the chip")
    return good(found)


def throttling(visit: Visit) -> Finding:
    """What a Raspberry Pi remembers since its boot."""
    world = visit.world
    _, bits = throttle_bits.read_bits(world)
    if bits is None:
        step = "sudo usermod -aG video $USER, then log in again" if world.is_pi() else ""
        return skipped("this board does not tell", step)
    told = throttle_bits.names(bits)
    if not told:
        return good("none since boot")
    if bits & throttle_bits.UNDER_VOLTAGE:
        step = "use a supply and a cable that hold 5 V (Pi 5: 5 A, Pi 4: 3 A), then sudo reboot, which clears the bits"
    else:
        step = "shade the box or put a heat sink on the chip, then sudo reboot, which clears the bits"
    return bad(", ".join(told), step) if bits & throttle_bits.NOW else warn(", ".join(told), step)


def memory(visit: Visit) -> Finding:
    """What is left for a photo, and what helps out."""
    lines = (line.split() for line in (visit.world.text("/proc/meminfo") or "").splitlines())
    kilobytes = {words[0].rstrip(":"): integer(words[1]) or 0 for words in lines if len(words) > 1}
    if "MemAvailable" not in kilobytes:
        return skipped("this system does not tell")
    in_all, available, swap, swap_free = (
        kilobytes.get(name, 0) * 1024 for name in ("MemTotal", "MemAvailable", "SwapTotal", "SwapFree")
    )
    busiest = "ps aux --sort=-rss | head -5, and end what is not needed"
    findings = [good(f"{available // MEGABYTE} of {in_all // MEGABYTE} MB available")]
    if available < LITTLE_BYTES:
        findings = [warn(f"only {available // MEGABYTE} of {in_all // MEGABYTE} MB available", busiest)]
    if not swap:
        no_swap = "no swap"
        small = in_all < SMALL_BYTES
        findings.append(warn(no_swap, "sudo apt-get install zram-tools") if small else good(no_swap))
    elif swap_free < swap // 4:
        findings.append(warn(f"{(swap - swap_free) // MEGABYTE} of {swap // MEGABYTE} MB swap in use", busiest))
    else:
        findings.append(good(f"{swap // MEGABYTE} MB swap"))
    return together(findings)


def _zone(world: World, zone: str) -> tuple[str, float, float] | None:
    """Name, temperature and limit of a zone, °C."""
    milli = world.integer(f"{zone}/temp")
    if milli is None:
        return None
    trips = [
        (world.integer(name) or 0) / 1000
        for name in world.glob(f"{zone}/trip_point_*_temp")
        if world.text(name.replace("_temp", "_type")) in _MAKES_HOT
    ]
    known = [each for each in trips if _PLAUSIBLE_C[0] <= each <= _PLAUSIBLE_C[1]]
    limit = min([*known, PI_LIMIT_C]) if world.is_pi() else min(known, default=OTHER_LIMIT_C)
    return world.text(f"{zone}/type") or zone.rpartition("/")[2], milli / 1000, limit


STEPS = (
    Step("temperature", (), temperature),
    Step("throttling", (), throttling),
    Step("memory", (), memory),
)
