"""The Raspberry Pi's throttle bits: 0-3 hold now, 16-19 have held since boot. Source: `vcgencmd get_throttled`."""

from __future__ import annotations

from edge_runtime.device.host import Host, integer

TOOL = ("vcgencmd", "get_throttled")
SYSFS = (
    "/sys/devices/platform/soc*/*firmware/get_throttled",
    "/sys/devices/platform/*firmware/get_throttled",
)
ALARM = "in0_lcrit_alarm"
_KINDS = {0: "under-voltage", 1: "frequency capped", 2: "throttled", 3: "soft temperature limit"}
NOW = 0xF
SINCE_BOOT = 16
UNDER_VOLTAGE = 1 | 1 << SINCE_BOOT


def read_bits(host: Host) -> tuple[str | None, int | None]:
    """The throttle bits and what was read for them; (None, None) where this machine has none.

    The tool comes first: it asks the firmware itself. The file in sysfs holds what the kernel's own poll, every two
    seconds, saw last, and that poll clears the firmware's memory of what happened since boot. A kernel without the
    file may still have an alarm for under-voltage.
    """
    text = host.tool(TOOL)
    bits = integer(text.removeprefix("throttled="), 16) if text else None
    if bits is not None:
        return " ".join(TOOL), bits
    for pattern in SYSFS:
        for name in host.glob(pattern):
            bits = host.integer(name, 16)
            if bits is not None:
                return name, bits
    for folder in host.glob("/sys/class/hwmon/hwmon*"):
        if host.text(f"{folder}/name") == "rpi_volt":
            bits = host.integer(f"{folder}/{ALARM}")
            if bits is not None:
                return f"{folder}/{ALARM}", bits & 1
    return None, None


def names(bits: int) -> list[str]:
    """What the bits say, in words."""
    now = [name for bit, name in _KINDS.items() if bits >> bit & 1]
    return now + [f"{name} since boot" for bit, name in _KINDS.items() if bits >> (bit + SINCE_BOOT) & 1]
