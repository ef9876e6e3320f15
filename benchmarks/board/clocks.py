"""The processor's clock policies: groups of cores that share one clock (Linux: cpufreq)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from edge_runtime.device.host import Host, integer

POLICIES = "/sys/devices/system/cpu/cpufreq/policy*"
KHZ = 1000
_GPU = re.compile(r"[0-9a-f]+\.(gpu|ga10b|gv11b|gp10b|gm20b)|gpu.*")


@dataclass(frozen=True, slots=True)
class Policy:
    """What the kernel says of one; a fact that it does not tell is None."""

    folder: str
    governor: str | None
    min_hz: int | None
    """Bounds within which the governor may choose now."""
    max_hz: int | None
    hardware_max_hz: int | None
    ticks: Mapping[int, int] | None
    """Time spent at each clock since boot: Hz -> units of 10 ms (Linux: cpufreq-stats). None where it is not counted:
    drivers that leave the choice to the processor (intel_pstate, amd_pstate_epp) have no table."""

    @property
    def name(self) -> str:
        return self.folder.rpartition("/")[2]


def policies(host: Host) -> tuple[Policy, ...]:
    """All of the machine's, in order."""
    return tuple(_policy(host, folder) for folder in host.glob(POLICIES))


def governors(found: tuple[Policy, ...]) -> str | None:
    """Their governors, each named once; None where none says."""
    return ", ".join(sorted({each.governor for each in found if each.governor})) or None


def gpu_folders(host: Host) -> tuple[str, ...]:
    """The devfreq folders of a GPU. Jetson's kernels name them by address and `gpu`, or by the design (JetPack 5)."""
    found = host.glob("/sys/class/devfreq/*")
    return tuple(each for each in found if _GPU.fullmatch(each.rpartition("/")[2]))


def _policy(host: Host, folder: str) -> Policy:
    return Policy(
        folder=folder,
        governor=host.text(f"{folder}/scaling_governor"),
        min_hz=_hz(host, f"{folder}/scaling_min_freq"),
        max_hz=_hz(host, f"{folder}/scaling_max_freq"),
        hardware_max_hz=_hz(host, f"{folder}/cpuinfo_max_freq"),
        ticks=_ticks(host.text(f"{folder}/stats/time_in_state")),
    )


def _hz(host: Host, name: str) -> int | None:
    khz = host.integer(name)
    return None if khz is None or khz <= 0 else khz * KHZ


def _ticks(text: str | None) -> dict[int, int] | None:
    found: dict[int, int] = {}
    for line in (text or "").splitlines():
        khz, _, ticks = line.partition(" ")
        clock, spent = integer(khz), integer(ticks)
        if clock is None or spent is None:
            return None
        found[clock * KHZ] = spent
    return found or None
