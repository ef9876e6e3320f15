"""What lies on a card: one walk over its folders, which is the truth about it.

The walk covers a single card and a folder under which cards are mounted alike: every photo below `root` is
found, `FileStamp.card` is always `root`, and a mount point that vanishes or gives errors becomes a problem of its own
folder while the others are still read. Only a `root` that cannot be listed is an error. Nothing is
opened, symbolic links are neither followed nor taken.
"""

from __future__ import annotations

import errno
import os
import re
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from edge_runtime.device import disks
from edge_runtime.errors import CardGoneError
from edge_runtime.values import FileStamp

PHOTO_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".tif", ".tiff", ".bmp", ".webp"})
VIDEO_SUFFIXES = frozenset({".mp4", ".avi", ".mov", ".asf", ".wmv", ".mkv", ".m4v", ".mpg", ".mts", ".3gp"})
_SUFFIXES = PHOTO_SUFFIXES | VIDEO_SUFFIXES
MAX_DEPTH = 32
"""Folders nested deeper are reported, not read: no camera does that, a damaged file system does."""

_IGNORED_FOLDERS = frozenset(
    {
        "backup",  # Timelapse keeps copies of its own files there
        "backups",
        "system volume information",
        "$recycle.bin",
        "lost.dir",
        "lost+found",
    }
)
_IGNORED_FILES = frozenset({"thumbs.db"})
_DIGITS = re.compile(r"(\d+)")


class Problem(NamedTuple):
    """A folder or file that could not be looked at."""

    path: Path
    reason: str


Listed = tuple[str, int, int, int]
"""A file as a folder's listing tells of it: name, bytes, modification time in ns since 1970, mode. A plain tuple, for
there are many and most are only compared."""


@dataclass(frozen=True, slots=True)
class Folder:
    """One folder of a card, as cheaply as it can be looked at: sorting and stamping its files is for who needs it."""

    card: Path
    path: PurePosixPath
    """Relative to `card`."""
    listed: tuple[Listed, ...]
    """Whatever lies in it and is no folder, in the order of the file system."""

    @property
    def fingerprint(self) -> int:
        """The same in this process for as long as every name, size and modification time in the folder is."""
        return hash(self.listed)

    def stamps(self, files: Iterable[Listed]) -> list[FileStamp]:
        """Stamps of files of this folder, in natural order."""
        ordered = sorted(files, key=lambda file: natural_key(file[0]))
        return [FileStamp(self.card, self.path / name, size, mtime_ns) for name, size, mtime_ns, _ in ordered]


@dataclass(frozen=True, slots=True)
class Scan:
    """One look at a card: files in natural order, those of a folder before those of its sub-folders.

    Paths of names that are not UTF-8 carry Python's surrogate escapes; they open, but do not print as they are.
    """

    files: tuple[FileStamp, ...]
    """Photos and videos."""
    problems: tuple[Problem, ...]

    @property
    def photos(self) -> tuple[FileStamp, ...]:
        return tuple(stamp for stamp in self.files if not is_video(stamp.path.name))

    @property
    def videos(self) -> tuple[FileStamp, ...]:
        return tuple(stamp for stamp in self.files if is_video(stamp.path.name))


def scan(root: Path) -> Scan:
    """Find every photo and video below `root`.

    Raises:
        CardGoneError: `root` itself cannot be listed.
    """
    files: list[FileStamp] = []
    problems: list[Problem] = []
    for folder in walk(root, problems):
        files += folder.stamps(filter(is_medium, folder.listed))
    return Scan(tuple(files), tuple(problems))


def walk(root: Path, problems: list[Problem]) -> Iterator[Folder]:
    """Every folder below `root`, itself first, in natural order; what cannot be looked at is added to `problems`.

    A folder is listed when its turn comes, so a walk over a card that is read meanwhile takes hours, not memory.

    Raises:
        CardGoneError: `root` itself cannot be listed.
    """
    waiting = [PurePosixPath()]
    while waiting:
        path = waiting.pop()
        if len(path.parts) > MAX_DEPTH:
            problems.append(Problem(root / path, f"more than {MAX_DEPTH} folders deep"))
            continue
        try:
            listed, folders = _list(root / path, problems)
        except OSError as error:
            reason = error.strerror or str(error)
            if not path.parts:
                raise CardGoneError(root, reason) from error
            problems.append(Problem(root / path, reason))
            continue
        waiting += [path / name for name in sorted(folders, key=natural_key, reverse=True)]
        yield Folder(root, path, listed)


def is_medium(file: Listed) -> bool:
    """Whether it should be a photo or a video."""
    return _suffix(file[0]) in _SUFFIXES and stat.S_ISREG(file[3])


def is_video(name: str) -> bool:
    """Whether a file of this name should be a video."""
    return _suffix(name) in VIDEO_SUFFIXES


def natural_key(name: str) -> tuple[list[tuple[int, int, str]], str]:
    """A sort key that puts IMG_2 before IMG_10 and tells apart names that differ in case only."""
    parts = _DIGITS.split(name.casefold())
    return [(0, int(part), "") if part.isdecimal() else (1, 0, part) for part in parts if part], name


def _list(folder: Path, problems: list[Problem]) -> tuple[tuple[Listed, ...], list[str]]:
    """What lies in `folder`, and the names of its sub-folders that a camera may have made."""
    listed: list[Listed] = []
    folders: list[str] = []
    # Through a descriptor the kernel finds each file without walking down the path again.
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        if disks.device_is_gone(os.fstat(descriptor).st_dev):
            # Still mounted and listed from memory, but none of its files can be read.
            raise OSError(errno.ENODEV, "pulled out while it was mounted")
        with os.scandir(descriptor) as entries:
            for entry in entries:
                try:
                    if entry.is_dir(follow_symlinks=False):
                        folders.append(entry.name)
                        continue
                    status = entry.stat(follow_symlinks=False)
                except FileNotFoundError:
                    continue  # deleted since it was listed
                except OSError as error:
                    if _suffix(entry.name) in _SUFFIXES:
                        problems.append(Problem(folder / entry.name, error.strerror or str(error)))
                    continue
                listed.append((entry.name, status.st_size, status.st_mtime_ns, status.st_mode))
    finally:
        os.close(descriptor)
    return tuple(listed), [name for name in folders if _may_hold_photos(name)]


def _suffix(name: str) -> str:
    """With its dot, in small letters; empty for what no camera writes."""
    if name.startswith(".") or name.casefold() in _IGNORED_FILES:
        return ""
    dot = name.rfind(".")
    return name[dot:].lower() if dot > 0 else ""


def _may_hold_photos(folder: str) -> bool:
    return not folder.startswith(".") and folder.casefold() not in _IGNORED_FOLDERS
