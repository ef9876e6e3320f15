"""Whether the card folder can be read as cards are to be read, and holds photos that can be decoded."""

from __future__ import annotations

import os
import shlex
from collections.abc import Sequence
from pathlib import Path

from edge_runtime.checkup.step import Finding, Step, bad, good, skipped, together, warn
from edge_runtime.checkup.visit import Visit
from edge_runtime.checkup.world import World
from edge_runtime.device.disks import device_is_gone
from edge_runtime.device.mounts import Mount, below
from edge_runtime.errors import CardGoneError, UnreadablePhotoError
from edge_runtime.intake import decode, scan
from edge_runtime.values import FileStamp

LOOKED_AT = 3
"""Photos that are decoded, spread over the card."""
_ENOUGH = (640, 640)
_SAFE = ("ro", "nosuid")


def folder(visit: Visit) -> Finding:
    """Whether it is there, can be listed, and how what is mounted in it is mounted."""
    root = Path(visit.settings.cards.root)
    quoted = shlex.quote(str(root))
    mounted = below(root.resolve(), visit.world.mounts())
    gone = next((each for each in mounted if _stale(visit.world, each)), None)
    if gone is not None:
        return bad(
            f"{gone.point} is still mounted, but {gone.source} is gone",
            f"sudo umount -l {shlex.quote(str(gone.point))}, then put the card in again",
        )
    if not root.exists():
        return bad(
            f"{root} does not exist", f"lsblk -f, and set `cards: {{root: ...}}` in {visit.config} to the folder"
        )
    try:
        os.scandir(root).close()
    except PermissionError:
        return bad(f"{root} may not be read by this account", f"ls -ld {quoted}; id; sudo usermod -aG plugdev $USER")
    except NotADirectoryError:
        return bad(f"{root} is no folder", f"set `cards: {{root: ...}}` in {visit.config} to the folder of the cards")
    except OSError as error:
        return bad(f"{root} cannot be read: {error.strerror}", f"sudo umount -l {quoted}, then put the card in again")
    return together([good(f"{root} can be read"), *(_how(each) for each in mounted)])


def photos(visit: Visit) -> Finding:
    """How many there are, and whether some of them can be decoded."""
    root = Path(visit.settings.cards.root)
    try:
        found = scan.scan(root)
    except CardGoneError as error:
        return bad(str(error), f"sudo umount -l {shlex.quote(str(root))}, then put the card in again")
    told = f"{len(found.photos)} photos and {len(found.videos)} videos"
    findings = []
    if found.problems:
        first = found.problems[0]
        findings.append(
            warn(
                f"{len(found.problems)} folders or files cannot be looked at, such as {first.path}: {first.reason}",
                "sudo dmesg | tail; with errors there, copy the card with: ddrescue",
            )
        )
    if not found.photos:
        nothing = skipped(f"there is no photo in {root} ({told})", "put a card in, then: lsblk -f; ls -R " + str(root))
        return together([*findings, nothing])
    return together([*findings, _decoded(found.photos, told, int(visit.settings.cards.max_megapixels * 1e6))])


def _decoded(stamps: Sequence[FileStamp], told: str, max_pixels: int) -> Finding:
    chosen = [stamps[place] for place in sorted({0, len(stamps) // 2, len(stamps) - 1})][:LOOKED_AT]
    problems = []
    for stamp in chosen:
        try:
            data = stamp.full_path.read_bytes()
            image = decode.open_photo(data, stamp.full_path, max_pixels=max_pixels)
            decode.decode(data, image, stamp.full_path, at_least=_ENOUGH)
        except (UnreadablePhotoError, OSError) as error:
            problems.append(str(error))
    if not problems:
        return good(f"{told}; {len(chosen)} of them decoded")
    found = f"{told}; {len(problems)} of {len(chosen)} cannot be decoded: {problems[0]}"
    step = "look at it on a computer; a camera whose card is worn writes such files: format the card in the camera"
    return bad(found, step) if len(problems) == len(chosen) else warn(found, step)


def _stale(world: World, mount: Mount) -> bool:
    """Whether its device has left the machine, or its medium the device."""
    major, minor = map(int, mount.number.split(":"))
    return device_is_gone(os.makedev(major, minor), block_devices=world.path("/sys/dev/block"))


def _how(mount: Mount) -> Finding:
    missing = [each for each in _SAFE if each not in mount.options]
    told = f"{mount.point} is {mount.kind}, mounted {'rw' if 'ro' in missing else 'ro'}"
    if not missing:
        return good(told)
    return warn(
        f"{told} without {' and '.join(missing)}; nothing here writes to it, but other programs may",
        f"sudo mount -o remount,ro,nosuid,nodev,noexec {shlex.quote(str(mount.point))}",
    )


STEPS = (
    Step("card folder", ("configuration",), folder),
    Step("photos", ("card folder",), photos),
)
