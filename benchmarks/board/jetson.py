"""What a Jetson says of itself: its family, its power mode, its JetPack."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import pairwise

from edge_runtime.device.host import Host

COMPATIBLE = "/proc/device-tree/compatible"
QUERY = ("nvpmodel", "-q")
STATUS, MODES = "/var/lib/nvpmodel/status", "/etc/nvpmodel.conf"
_GPUS = {
    "nvidia,tegra264": "Jetson Thor GPU (Blackwell)",
    "nvidia,tegra234": "Jetson Orin GPU (Ampere)",
    "nvidia,tegra194": "Jetson Xavier GPU (Volta)",
    "nvidia,tegra186": "Jetson TX2 GPU (Pascal)",
    "nvidia,tegra210": "Jetson Nano or TX1 GPU (Maxwell)",
}
_MODE = re.compile(r"<\s*POWER_MODEL\s+ID=(\d+)\s+NAME=(\S+?)\s*>")
_WATTS = re.compile(r"(\d+)W")
_RELEASE = re.compile(r"R(\d+).*?REVISION:\s*([\d.]+)", re.DOTALL)
_PACKAGE = re.compile(r"^Package: nvidia-jetpack$(?:\n(?!\n).*)*?\nVersion: (\S+)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class PowerMode:
    """A named budget of watts, clocks and cores (Jetson Linux guide: nvpmodel)."""

    number: int
    name: str


def gpu(host: Host) -> str | None:
    """The GPU by its board; None where this is no Jetson."""
    return next((_GPUS[each] for each in host.entries(COMPATIBLE) if each in _GPUS), None)


def power_mode(host: Host) -> PowerMode | None:
    """The mode it runs in: by its tool, else from the tool's own note."""
    for line, after in pairwise((host.tool(QUERY) or "").splitlines()):
        name = line.partition("NV Power Mode:")[2].strip()
        if name and after.strip().isdecimal():
            return PowerMode(int(after), name)
    noted = re.search(r"pmode:(\d+)", host.text(STATUS) or "")
    number = int(noted[1]) if noted else None
    return next((mode for mode in modes(host) if mode.number == number), None)


def modes(host: Host) -> tuple[PowerMode, ...]:
    """All that this board has."""
    return tuple(PowerMode(int(number), name) for number, name in _MODE.findall(host.text(MODES) or ""))


def highest(found: tuple[PowerMode, ...]) -> PowerMode | None:
    """The one with the largest budget: a MAXN has no limit; the others carry their watts in their names."""
    ranked = [(float("inf") if each.name.startswith("MAXN") else _watts(each.name), each) for each in found]
    return max(ranked, key=lambda pair: pair[0])[1] if ranked else None


def jetpack(host: Host) -> str | None:
    """JetPack's version where it was installed as such, and that of the Linux under it: `6.2+b77, L4T 36.4.3`."""
    package = _PACKAGE.search(host.text("/var/lib/dpkg/status") or "") if gpu(host) else None
    release = _RELEASE.search(host.text("/etc/nv_tegra_release") or "")
    told = [package[1]] if package else []
    return ", ".join(told + ([f"L4T {release[1]}.{release[2]}"] if release else [])) or None


def _watts(name: str) -> float:
    found = _WATTS.search(name)
    return float(found[1]) if found else 0.0
