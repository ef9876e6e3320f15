"""What the processor cannot do, as far as an engine must know it."""

from __future__ import annotations

import platform
from pathlib import Path

MACHINE = platform.machine()
CPUINFO = Path("/proc/cpuinfo")
_VNNI = frozenset({"avx512_vnni", "avx_vnni"})


def has_vnni(cpuinfo: str) -> bool:
    """Whether every processor of a `/proc/cpuinfo` of x86 has VNNI: 8-bit products summed in 32 bits at once.

    A text without flags says that there is none.
    """
    flags = [
        line.partition(":")[2].split() for line in cpuinfo.splitlines() if line.partition(":")[0].strip() == "flags"
    ]
    return bool(flags) and all(not _VNNI.isdisjoint(each) for each in flags)


def int8_saturates(*, machine: str = MACHINE, cpuinfo: Path = CPUINFO) -> bool:
    """Whether fast sums of U8 x S8 products saturate in 16 bits on this CPU: x86-64 without VNNI.

    A CPU whose flags cannot be read counts as one without.

    Args:
        machine: as `platform.machine()` gives it.
    """
    if machine not in ("x86_64", "AMD64"):
        return False
    try:
        return not has_vnni(cpuinfo.read_text(encoding="ascii", errors="replace"))
    except OSError:
        return True
