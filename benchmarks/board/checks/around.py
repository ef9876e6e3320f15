"""What is around the measurement: other programs, the hypervisor, the disk, time itself."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import psutil

from edge_runtime.device.host import Host, integer

WATCH_S = 1.0
_STEAL = 7
"""Its place among the ticks of `/proc/stat` (man 5 proc)."""
_COUNTED = 8
"""What comes after it, the guests' time, is contained in the first two."""


@dataclass(frozen=True, slots=True)
class Busy:
    """One process, and how many cores it kept busy in the mean."""

    pid: int
    name: str
    cores: float


@dataclass(frozen=True, slots=True)
class Around:
    """As seen within a second."""

    others: tuple[Busy, ...]
    """The busiest first; this process is not among them."""
    steal_share: float | None
    """Of all cores' time, what a hypervisor gave to others; None where it is not counted."""
    clock_resolution_s: float
    temporary: Path
    disk_bytes: tuple[int, int] | None
    """In all and free, of the file system of `temporary`; None where it does not say."""


def look(host: Host, seconds: float = WATCH_S, watch: Callable[[float], tuple[Busy, ...]] | None = None) -> Around:
    """Look around for a while. `watch` tells who was busy in so many seconds; by default this machine's processes."""
    before = _cpu_ticks(host)
    others = (watch or busy)(seconds)
    after = _cpu_ticks(host)
    temporary = Path(tempfile.gettempdir())
    return Around(
        others=others,
        steal_share=_steal(before, after),
        clock_resolution_s=time.get_clock_info("monotonic").resolution,
        temporary=temporary,
        disk_bytes=_disk(temporary),
    )


def busy(seconds: float) -> tuple[Busy, ...]:
    """All other processes that used a processor within the next `seconds`, the busiest first."""
    before = _times()
    start = time.monotonic()
    time.sleep(seconds)
    elapsed = time.monotonic() - start
    found = [
        Busy(pid, name, (spent - before[pid, started][1]) / elapsed)
        for (pid, started), (name, spent) in _times().items()
        # One that began meanwhile is left out: what it took before is not known.
        if (pid, started) in before and pid != os.getpid()
    ]
    return tuple(sorted((each for each in found if each.cores > 0), key=lambda each: -each.cores))


def _times() -> dict[tuple[int, float], tuple[str, float]]:
    """(Process id, its start) -> name, processor seconds: ids are given anew."""
    found = {}
    for process in psutil.process_iter():
        try:
            with process.oneshot():
                times = process.cpu_times()
                found[process.pid, process.create_time()] = (process.name(), times.user + times.system)
        except psutil.Error:
            continue  # it ended, or is not ours to see
    return found


def _cpu_ticks(host: Host) -> list[int] | None:
    """Ticks of all cores by kind."""
    words = (host.text("/proc/stat") or "").partition("\n")[0].split()
    ticks = [integer(each) for each in words[1 : 1 + _COUNTED]]
    known = [each for each in ticks if each is not None]
    return known if words[:1] == ["cpu"] and len(known) == _COUNTED else None


def _steal(before: list[int] | None, after: list[int] | None) -> float | None:
    if before is None or after is None or sum(after) <= sum(before):
        return None
    return max(0, after[_STEAL] - before[_STEAL]) / (sum(after) - sum(before))


def _disk(folder: Path) -> tuple[int, int] | None:
    try:
        usage = shutil.disk_usage(folder)
    except OSError:
        return None
    return usage.total, usage.free
