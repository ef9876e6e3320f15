"""What boards without the Raspberry Pi's bits count since boot: each step means that the hardware held itself back."""

from __future__ import annotations

from edge_runtime.device.host import Host, integer

X86 = "/sys/devices/system/cpu/cpu*/thermal_throttle"
JETSON = "/sys/class/hwmon/hwmon*/oc*_event_cnt"
_NVIDIA = ("hw_thermal_slowdown", "sw_thermal_slowdown", "hw_power_brake_slowdown")
"""Microseconds in which a GPU was slowed. Its power cap is not among them: under load it is a GPU's ordinary state."""
NVIDIA = (
    "nvidia-smi",
    "--query-gpu=index," + ",".join(f"clocks_event_reasons_counters.{each}" for each in _NVIDIA),
    "--format=csv,noheader,nounits",
)


def look(host: Host) -> dict[str, dict[str, int]]:
    """Source -> what it counts -> how often (or for how long) since boot. Sources that are absent are left out."""
    found = {X86: _x86(host), JETSON: _jetson(host), NVIDIA[0]: _nvidia(host)}
    return {source: counts for source, counts in found.items() if counts}


def _x86(host: Host) -> dict[str, int]:
    """Times that a core's or a package's heat made the processor slow down (Linux: therm_throt.c)."""
    counts: dict[str, int] = {}
    for kind in ("core", "package"):
        each = [host.integer(name) for name in host.glob(f"{X86}/{kind}_throttle_count")]
        known = [count for count in each if count is not None]
        if known:
            # A package's count stands in the folder of each of its cores: the highest one steps with any of them.
            counts[f"{kind} too hot"] = sum(known) if kind == "core" else max(known)
    return counts


def _jetson(host: Host) -> dict[str, int]:
    """Over-current events, for which an Orin slows its clocks (Jetson Linux guide: soctherm-oc)."""
    counts = {}
    for name in host.glob(JETSON):
        count = host.integer(name)
        if count is not None:
            counts[f"over-current {name.rpartition('/')[2].partition('_')[0]}"] = count
    return counts


def _nvidia(host: Host) -> dict[str, int]:
    """A driver that does not know the counters refuses the question: then nothing is counted."""
    counts = {}
    for line in (host.tool(NVIDIA) or "").splitlines():
        index, *values = (part.strip() for part in line.split(","))
        for name, value in zip(_NVIDIA, values, strict=False):
            count = integer(value)
            if count is not None and index.isdecimal():
                counts[f"GPU {index} {name.replace('_', ' ')}"] = count
    return counts
