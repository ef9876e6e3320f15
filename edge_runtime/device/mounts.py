"""What is mounted where, as `/proc/self/mountinfo` tells (proc_pid_mountinfo(5))."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

MOUNTINFO = "/proc/self/mountinfo"
_DEAD = {"emergency_ro", "shutdown"}
"""What the kernel tells, beside an `rw` that holds no longer, of a file system that met an error or lost its disk."""
_OCTAL = re.compile(r"\\([0-7]{3})")


@dataclass(frozen=True, slots=True)
class Mount:
    """One mounted file system."""

    point: PurePosixPath
    kind: str
    """Of file system: `ext4`, `vfat` ..."""
    source: str
    """Its device or server."""
    number: str
    """`major:minor` of its device."""
    options: frozenset[str]
    """Of this mount, and of its file system wherever else it is mounted."""

    @property
    def read_only(self) -> bool:
        return bool(self.options & {"ro", *_DEAD})

    @property
    def by_emergency(self) -> bool:
        """Whether the kernel itself may have made it read-only, after an error of its disk."""
        return bool(self.options & _DEAD) or (self.read_only and "errors=remount-ro" in self.options)


def parse(text: str) -> tuple[Mount, ...]:
    """Everything that is mounted, in the order of mounting, out of the text of mountinfo.

    Lines that are not as this format has them are left out.
    """
    # Other separators of lines than this one may stand in a name.
    return tuple(mount for mount in map(_parse_line, text.split("\n")) if mount)


def mount_of(folder: Path, mounted: Iterable[Mount]) -> Mount | None:
    """The mount that `folder`, an absolute path without links, lies on."""
    above = [each for each in mounted if folder.is_relative_to(each.point)]
    # Of several at one place the last one covers the others.
    return max(reversed(above), key=lambda each: len(each.point.parts), default=None)


def below(folder: Path, mounted: Iterable[Mount]) -> tuple[Mount, ...]:
    """The mounts at `folder` and under it."""
    return tuple(each for each in mounted if each.point.is_relative_to(folder))


def _parse_line(line: str) -> Mount | None:
    """A line such as `36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue`."""
    words = line.split(" ")
    try:
        number, point, own = words[2], words[4], words[5]
        behind = words.index("-", 6)  # before it stand as many fields as the kernel likes
        kind, source, shared = words[behind + 1 : behind + 4]
    except (IndexError, ValueError):
        return None
    options = frozenset((*own.split(","), *shared.split(",")))
    return Mount(PurePosixPath(_plain(point)), kind, _plain(source), number, options)


def _plain(text: str) -> str:
    """Spaces and the like stand in octal."""
    return _OCTAL.sub(lambda match: chr(int(match[1], 8)), text)
