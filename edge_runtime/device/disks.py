"""What became of the disks under our folders: a reader that was pulled out, a file system that turned read-only.

A USB stick that is pulled while it is mounted leaves its mount behind. What the kernel still remembers can be listed
and even read; everything else gives EIO, as one bad photo would. Whether the device is still there, sysfs knows. A card
that is pulled out of its reader leaves the reader: a disk of size 0, with the partitions that are still mounted.

An ext4 that met an error takes no more writes. The kernel then tells `ro`, or (since 6.15) `emergency_ro` beside an
`rw` that holds no longer; `shutdown` where the device went (proc_pid_mountinfo(5)).
"""

from __future__ import annotations

import os
from pathlib import Path

from edge_runtime.device.mounts import MOUNTINFO, Mount, mount_of, parse

MOUNTS = Path(MOUNTINFO)
BLOCK_DEVICES = Path("/sys/dev/block")
_DEAD = {"emergency_ro": "was stopped by the kernel after an error", "shutdown": "lost its disk"}


def is_pulled(path: Path, *, block_devices: Path = BLOCK_DEVICES) -> bool:
    """Whether the block device under `path` has left the machine though its file system is still mounted.

    Raises:
        OSError: `path` cannot be looked at.
    """
    return device_is_gone(path.stat().st_dev, block_devices=block_devices)


def device_is_gone(device: int, *, block_devices: Path = BLOCK_DEVICES) -> bool:
    """Whether the block device of this number (`st_dev`) has left the machine, or its medium the device.

    False for what has no block device (tmpfs, a network), and where sysfs shows none at all, as in some containers.
    """
    if os.major(device) == 0:  # of file systems without a device of their own
        return False
    entry = block_devices / f"{os.major(device)}:{os.minor(device)}"
    if entry.exists():
        return _has_no_medium(entry)
    try:
        with os.scandir(block_devices) as known:
            return next(known, None) is not None
    except OSError:
        return False


def _has_no_medium(entry: Path) -> bool:
    # A partition's own size stays what it was; the folder above it is its disk's.
    disk = entry / ".." if (entry / "partition").exists() else entry
    try:
        return (disk / "size").read_text().strip() == "0"
    except OSError:
        return False


def unwritable(folder: Path, *, mounts: Path = MOUNTS) -> str | None:
    """Why nothing can be written below `folder`, as far as its mount tells; None where nothing speaks against it."""
    mount = mount_of(folder.resolve(), _mounted(mounts))
    if mount is None:
        return None
    for option, what in _DEAD.items():
        if option in mount.options:
            return f"the file system at {mount.point} {what} ({option})"
    return f"the file system at {mount.point} is read-only" if "ro" in mount.options else None


def _mounted(mounts: Path) -> tuple[Mount, ...]:
    try:
        return parse(mounts.read_text(encoding="utf-8", errors="surrogateescape"))
    except OSError:
        return ()
