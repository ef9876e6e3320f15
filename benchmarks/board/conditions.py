"""Under which conditions something is measured: the part `conditions` of a result document."""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath

from benchmarks.board import jetson
from benchmarks.board.clocks import governors, policies
from benchmarks.board.virtual import hypervisor
from benchmarks.document.schema import Conditions
from edge_runtime.device.host import Host, decimal, integer

PROFILE = "/sys/firmware/acpi/platform_profile"
_OCTAL = re.compile(r"\\([0-7]{3})")


def conditions(host: Host, photos: Path, *, ambient_c: float | None, supply: str | None) -> Conditions:
    """What holds now.

    Args:
        photos: where the photos lie.
        ambient_c: degrees Celsius around the board, as its user says.
        supply: what powers it, as its user says.
    """
    mode = jetson.power_mode(host)
    return Conditions(
        power_mode=mode.name if mode else host.text(PROFILE),
        governor=governors(policies(host)),
        cooling=_cooling(host),
        ambient_c=ambient_c,
        supply=supply,
        storage=storage(host, photos),
        virtual=hypervisor(host),
        load_avg=load_avg(host),
        swap_used_bytes=swap_used(host),
    )


def load_avg(host: Host) -> tuple[float, float, float] | None:
    """Runnable and waiting tasks, mean over 1, 5 and 15 minutes."""
    told = [decimal(each) for each in (host.text("/proc/loadavg") or "").split()[:3]]
    known = [each for each in told if each is not None and each >= 0]
    return (known[0], known[1], known[2]) if len(known) == 3 else None


def memory(host: Host) -> dict[str, int]:
    """Bytes of each entry of `/proc/meminfo`."""
    found = {}
    for line in (host.text("/proc/meminfo") or "").splitlines():
        name, _, rest = line.partition(":")
        kib = integer(rest.removesuffix("kB").strip())
        if kib is not None:
            found[name] = kib * 1024
    return found


def swap_used(host: Host) -> int | None:
    """Bytes; 0 where there is no swap, None where the kernel does not say."""
    told = memory(host)
    if "SwapTotal" not in told or "SwapFree" not in told:
        return None
    return max(0, told["SwapTotal"] - told["SwapFree"])


def storage(host: Host, photos: Path) -> str | None:
    """File system and device of the mount that holds the photos: `exfat on /dev/sda1`."""
    place = PurePosixPath(photos.absolute() if not photos.exists() else photos.resolve())
    best: tuple[int, str] | None = None
    for line in (host.text("/proc/mounts") or "").splitlines():
        words = [_OCTAL.sub(lambda digits: chr(int(digits[1], 8)), each) for each in line.split()]
        if len(words) < 3:
            continue
        device, point, kind = words[:3]
        where = PurePosixPath(point)
        # Of two on one point the later lies on top.
        if place.is_relative_to(where) and (best is None or len(where.parts) >= best[0]):
            best = (len(where.parts), f"{kind} on {device}")
    return best[1] if best else None


def _cooling(host: Host) -> str | None:
    """Fans and the step that they are at; other cooling devices are clocks that the kernel may lower."""
    found = []
    for folder in host.glob("/sys/class/thermal/cooling_device*"):
        kind = host.text(f"{folder}/type") or ""
        now, most = host.integer(f"{folder}/cur_state"), host.integer(f"{folder}/max_state")
        if "fan" in kind.lower() and now is not None and most is not None:
            found.append(f"{kind} {now}/{most}")
    return ", ".join(found) or None
