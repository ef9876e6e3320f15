"""What is mounted where, as `/proc/self/mountinfo` tells (man 5 proc)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from edge_runtime.checkup.world import World

MOUNTINFO = "/proc/self/mountinfo"
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
    """Of the mount and of the file system behind it."""

    @property
    def read_only(self) -> bool:
        return bool(self.options & {"ro", "emergency_ro"})

    @property
    def by_emergency(self) -> bool:
        """Whether the kernel itself may have made it read-only, after an error."""
        return "emergency_ro" in self.options or (self.read_only and "errors=remount-ro" in self.options)


def mounts(world: World) -> tuple[Mount, ...]:
    """Everything that is mounted, in the order of mounting; nothing where the system does not tell."""
    found = []
    for line in (world.text(MOUNTINFO) or "").splitlines():
        before, _, after = line.partition(" - ")
        fields, rest = before.split(), after.split()
        if len(fields) >= 6 and len(rest) >= 3:
            options = frozenset((*fields[5].split(","), *rest[2].split(",")))
            found.append(Mount(PurePosixPath(_plain(fields[4])), rest[0], _plain(rest[1]), fields[2], options))
    return tuple(found)


def mount_of(folder: Path, mounted: tuple[Mount, ...]) -> Mount | None:
    """The mount that `folder`, an absolute path, lies on."""
    above = [each for each in mounted if folder.is_relative_to(each.point)]
    # Of two at one place the later one hides the earlier.
    return max(enumerate(above), key=lambda each: (len(each[1].point.parts), each[0]))[1] if above else None


def below(folder: Path, mounted: tuple[Mount, ...]) -> tuple[Mount, ...]:
    """The mounts at `folder` and under it."""
    return tuple(each for each in mounted if each.point.is_relative_to(folder))


def _plain(text: str) -> str:
    """Spaces and the like stand in octal."""
    return _OCTAL.sub(lambda match: chr(int(match[1], 8)), text)
