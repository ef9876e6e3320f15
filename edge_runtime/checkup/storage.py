"""Whether the data folder can be written, stays, has room, and how worn the card below it is."""

from __future__ import annotations

import errno
import os
import pwd
import re
import shlex
import tempfile
from pathlib import Path

from edge_runtime.checkup.step import Finding, Step, bad, good, together, warn
from edge_runtime.checkup.visit import Visit
from edge_runtime.checkup.world import World
from edge_runtime.device.mounts import Mount, mount_of
from edge_runtime.journal.journal import FILE_NAME

SERVICE_ACCOUNT = "edge-runtime"
"""As in deploy/systemd."""
LITTLE_BYTES, LOW_BYTES = 50_000_000, 500_000_000
"""Below the first the journal may not get through a card; below the second a person should look."""
_NO_ROOM = {errno.ENOSPC, errno.EDQUOT}
_LOST_AT_REBOOT = {"tmpfs", "ramfs"}
_NO_JOURNALING = {"vfat", "exfat", "msdos", "ntfs", "ntfs3", "fuseblk"}
_REMOTE = {"nfs", "nfs4", "cifs", "smb3", "fuse.sshfs", "9p"}
_DISK = re.compile(r"(mmcblk\d+|nvme\d+n\d+|sd[a-z]+)")
_EOL = {2: "warning", 3: "urgent"}


def data_folder(visit: Visit) -> Finding:
    """Whether it is there and can be written, by trying."""
    folder = Path(visit.settings.data)
    quoted = shlex.quote(str(folder))
    there = _nearest(folder)
    mount = mount_of(there.resolve(), visit.world.mounts())
    if mount is not None and mount.read_only:
        return _read_only(folder, mount)
    make = f"sudo install -d -o {_runs_as()} {quoted}"
    if there != folder:
        if folder.is_symlink() or not there.is_dir() or not os.access(there, os.W_OK):
            return bad(f"{folder} does not exist and cannot be made in {there}", make)
        return warn(f"{folder} does not exist yet; `edge-runtime run` makes it", make)
    if not folder.is_dir():
        return bad(f"{folder} is no folder", f"mv {quoted} {quoted}.old, or set another `data:` in {visit.config}")
    owner = _owner(folder)
    try:
        with tempfile.TemporaryFile(dir=folder, prefix="doctor-") as probe:
            probe.write(bytes(4096))
            probe.flush()
            os.fsync(probe.fileno())
    except OSError as error:
        problem = f"{folder} (owner {owner}) cannot be written by {_name(os.geteuid())}: {error.strerror}"
        if error.errno in _NO_ROOM:
            return bad(problem, f"df -h {quoted}; sudo journalctl --vacuum-size=50M; then free some more")
        if folder.stat().st_uid not in (0, os.geteuid()):
            return bad(problem, f"as its owner: sudo -u {owner} edge-runtime doctor -c {visit.config}")
        return bad(problem, f"sudo chown -R {_runs_as()} {quoted}")
    strangers = _strangers(folder, owner)
    if strangers is not None:
        return strangers
    if os.geteuid() == 0 and folder.stat().st_uid != 0:
        return warn(
            f"{folder} can be written by root, who may do anything; its owner is {owner}",
            f"look as the account that runs it: sudo -u {owner} edge-runtime doctor -c {visit.config}",
        )
    return good(f"{folder} can be written, owner {owner}")


def data_disk(visit: Visit) -> Finding:
    """What the data folder lies on: its kind, its room, its faults and its wear."""
    there = _nearest(Path(visit.settings.data))
    mount = mount_of(there.resolve(), visit.world.mounts())
    found = [_room(visit.world, there)]
    if mount is None:
        return together([*found, good("the system does not tell what is mounted")])
    return together([*found, _kind(mount), *_wear(visit.world, mount)])


def _nearest(folder: Path) -> Path:
    """The folder, or the first above it that exists."""
    return next((each for each in (folder, *folder.parents) if each.exists()), Path("/"))


def _read_only(folder: Path, mount: Mount) -> Finding:
    place = f"{folder} lies on {mount.point} ({mount.source}, {mount.kind}), which is mounted read-only"
    remount = f"sudo mount -o remount,rw {shlex.quote(str(mount.point))}"
    if mount.by_emergency:
        look = "sudo dmesg | grep -iE 'ext4|mmc|i/o error'"
        return bad(
            f"{place}; the kernel does that after an error of the disk",
            f"{look}; copy the journal away and put in a new card. To go on for now: sudo reboot, which runs fsck",
        )
    return bad(place, remount)


def _strangers(folder: Path, owner: str) -> Finding | None:
    """A program that once ran as root leaves files which the device's own account cannot write."""
    holder = folder.stat().st_uid
    if not holder:
        return None
    for file in sorted(folder.glob(f"{FILE_NAME}*")):
        if file.stat().st_uid != holder:
            return bad(
                f"{file} belongs to {_owner(file)}, its folder to {owner}",
                f"sudo chown -R {owner}: {shlex.quote(str(folder))}",
            )
    return None


def _runs_as() -> str:
    """The account under which the installed service runs; whoever types it, where there is none."""
    try:
        return pwd.getpwnam(SERVICE_ACCOUNT).pw_name
    except KeyError:
        return "$USER"


def _owner(path: Path) -> str:
    return _name(path.stat().st_uid)


def _name(user: int) -> str:
    try:
        return pwd.getpwuid(user).pw_name
    except KeyError:
        return str(user)


def _room(world: World, folder: Path) -> Finding:
    try:
        whole, free = world.disk_bytes(folder)
    except OSError as error:
        return warn(f"its free space is not known: {error.strerror}", f"df -h {shlex.quote(str(folder))}")
    told = f"{free / 1e9:.1f} of {whole / 1e9:.1f} GB free"
    look = "sudo journalctl --vacuum-size=50M; sudo apt-get clean; sudo du -xh / | sort -h | tail"
    if free < LITTLE_BYTES:
        return bad(told, look)
    return warn(told, look) if free < LOW_BYTES else good(told)


def _kind(mount: Mount) -> Finding:
    told = f"{mount.kind} on {mount.source}"
    if mount.kind in _LOST_AT_REBOOT:
        return bad(f"{told}: it lies in memory, a power cut takes the journal", "set `data:` to a folder on a disk")
    if mount.kind == "overlay":
        return warn(
            f"{told}: what is written may be gone after a restart",
            "sudo raspi-config nonint disable_overlayfs, or in a container mount a volume at the data folder",
        )
    if mount.kind in _NO_JOURNALING:
        return warn(f"{told}: this kind does not survive power cuts well", "set `data:` to a folder on ext4")
    if mount.kind in _REMOTE:
        return warn(f"{told}: SQLite's locks are not safe over a network", "set `data:` to a folder on a local disk")
    return good(told)


def _wear(world: World, mount: Mount) -> list[Finding]:
    device = _device(world, mount)
    match = _DISK.match(device)
    if match is None:
        return []
    disk, found = match[1], []
    errors = world.integer(f"/sys/fs/ext4/{device}/errors_count")
    if errors:
        found.append(
            warn(
                f"ext4 has noted {errors} errors on {device}",
                "sudo touch /forcefsck && sudo reboot; if they come back, put in a new card",
            )
        )
    life = (world.text(f"/sys/block/{disk}/device/life_time") or "").split()
    used = max((int(each, 16) for each in life if re.fullmatch(r"0x[0-9a-fA-F]{1,2}", each)), default=0)
    reserve = world.integer(f"/sys/block/{disk}/device/pre_eol_info", 16) or 0
    spare = "copy the data folder away and put in a new card"
    if used:
        # JEDEC JESD84-B51, DEVICE_LIFE_TIME_EST: steps of a tenth of the life, 11 for more than all of it.
        told = f"{disk}: {min(used, 10) * 10 - 10} to {min(used, 10) * 10} % of its life used"
        found.append(
            bad(f"{disk} is past its life", spare) if used > 10 else warn(told, spare) if used > 8 else good(told)
        )
    elif disk.startswith("mmcblk") and world.text(f"/sys/block/{disk}/device/type") == "SD":
        found.append(good(f"{disk} is an SD card, which does not tell its wear: keep a spare"))
    if reserve in _EOL:
        found.append(warn(f"{disk}: reserve blocks {_EOL[reserve]}", spare))
    return found


def _device(world: World, mount: Mount) -> str:
    """The kernel's name of what is mounted; `/dev/root` is none, so that its number is asked."""
    link = world.path(f"/sys/dev/block/{mount.number}")
    return link.resolve().name if link.exists() else mount.source.rpartition("/")[2]


STEPS = (
    Step("data folder", ("configuration",), data_folder),
    Step("data disk", ("configuration",), data_disk),
)
