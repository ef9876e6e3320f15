"""What a tuned choice rests on: the machine, and the engines that are installed on it."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterable, Mapping
from importlib import metadata
from pathlib import Path
from typing import Annotated

import msgspec

from edge_runtime import engines, settings

CPUINFO = Path("/proc/cpuinfo")
MODEL = Path("/proc/device-tree/model")
_RAM_TOLERANCE = 0.1
"""What the kernel keeps for itself differs from one kernel to the next."""


class Machine(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A device, as far as a choice depends on it."""

    cpu: str
    """Name of the processor, or of the board where it has none of its own (ARM)."""
    architecture: str
    """As the kernel names it: `x86_64`, `aarch64`."""
    cores: Annotated[int, msgspec.Meta(ge=1)]
    ram_mb: Annotated[int, msgspec.Meta(ge=0)]
    """Megabytes of 10^6 bytes; 0 where the system does not say."""
    engines: dict[str, str]
    """Installed engines and their versions."""


def this_machine() -> Machine:
    """The machine that runs this."""
    return Machine(
        cpu=processor(CPUINFO, MODEL),
        architecture=platform.machine(),
        cores=settings.cores(),
        ram_mb=ram_bytes() // 1_000_000,
        engines=versions(engines.available()),
    )


def difference(then: Machine, now: Machine, engine: str) -> str:
    """What of `now` speaks against a choice of `engine` that was made on `then`, in words; empty where nothing does."""
    for name, old, new in (
        ("processor", then.cpu, now.cpu),
        ("architecture", then.architecture, now.architecture),
        ("number of cores", then.cores, now.cores),
        (f"version of {engine}", then.engines.get(engine, "none"), now.engines.get(engine, "none")),
    ):
        if old != new:
            return f"it was made for another {name} ({old}, now {new})"
    if abs(then.ram_mb - now.ram_mb) > _RAM_TOLERANCE * then.ram_mb:
        return f"it was made with other memory ({then.ram_mb} MB, now {now.ram_mb} MB)"
    return ""


def ram_bytes() -> int:
    """Physical memory in bytes; 0 where the system does not say."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError):
        return 0


def processor(cpuinfo: Path, board: Path) -> str:
    """The processor's name from `/proc/cpuinfo`, else the board's from the device tree."""
    for file, key in ((cpuinfo, "model name"), (board, ""), (cpuinfo, "Model")):
        try:
            text = file.read_text(encoding="utf-8", errors="replace")
        except OSError:
            continue
        lines = (line.partition(":") for line in text.splitlines())
        name = next((value for name, _, value in lines if name.strip() == key), "") if key else text
        if name.strip(" \0\n"):
            return name.strip(" \0\n")
    return platform.processor() or "unknown"


def versions(names: Iterable[str]) -> dict[str, str]:
    """Versions of engines, without importing them: that takes seconds."""
    owners: Mapping[str, list[str]] = {}
    found = {}
    for name in sorted(names):
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            # onnxruntime-gpu brings the module onnxruntime.
            owners = owners or metadata.packages_distributions()
            packages = owners.get(name) or owners.get(f"{name}_rtx") or []
            found[name] = metadata.version(packages[0]) if packages else "unknown"
    return found
