"""What lies on a card: one walk over its folders, which is the truth about it.

The walk covers a single card and a folder under which cards are mounted alike: every photo below `root` is
found, `FileStamp.card` is always `root`, and a mount point that vanishes or gives errors becomes a problem of its own
folder while the others are still read. Only a `root` that cannot be listed is an error. Nothing is
opened, symbolic links are neither followed nor taken.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from edge_runtime.errors import CardGoneError
from edge_runtime.values import FileStamp

PHOTO_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".tif", ".tiff", ".bmp", ".webp"})
VIDEO_SUFFIXES = frozenset({".mp4", ".avi", ".mov", ".asf", ".wmv", ".mkv", ".m4v", ".mpg", ".mts", ".3gp"})
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


@dataclass(frozen=True, slots=True)
class Scan:
    """One look at a card: files in natural order, those of a folder before those of its sub-folders.

    Paths of names that are not UTF-8 carry Python's surrogate escapes; they open, but do not print as they are.
    """

    photos: tuple[FileStamp, ...]
    videos: tuple[FileStamp, ...]
    problems: tuple[Problem, ...]


def scan(root: Path) -> Scan:
    """Find every photo and video below `root`.

    Raises:
        CardGoneError: `root` itself cannot be listed.
    """
    photos: list[FileStamp] = []
    videos: list[FileStamp] = []
    problems: list[Problem] = []
    for stamp in _walk(root, PurePosixPath(), problems):
        if stamp.path.suffix.lower() in PHOTO_SUFFIXES:
            photos.append(stamp)
        else:
            videos.append(stamp)
    return Scan(tuple(photos), tuple(videos), tuple(problems))


def natural_key(name: str) -> tuple[list[tuple[int, int, str]], str]:
    """A sort key that puts IMG_2 before IMG_10 and tells apart names that differ in case only."""
    parts = _DIGITS.split(name.casefold())
    return [(0, int(part), "") if part.isdecimal() else (1, 0, part) for part in parts if part], name


def _walk(root: Path, folder: PurePosixPath, problems: list[Problem]) -> Iterator[FileStamp]:
    full_path = root / folder
    try:
        with os.scandir(full_path) as listing:
            entries = list(listing)
    except OSError as error:
        reason = error.strerror or str(error)
        if not folder.parts:
            raise CardGoneError(root, reason) from error
        problems.append(Problem(full_path, reason))
        return
    folders: list[PurePosixPath] = []
    for entry in sorted(entries, key=lambda entry: natural_key(entry.name)):
        path = folder / entry.name
        try:
            if _is_folder(entry):
                folders.append(path)
                continue
            status = _photo_or_video(entry)
        except FileNotFoundError:
            continue  # deleted since it was listed
        except OSError as error:
            problems.append(Problem(root / path, error.strerror or str(error)))
            continue
        if status is not None:
            yield FileStamp(card=root, path=path, size=status.st_size, mtime_ns=status.st_mtime_ns)
    for path in folders:
        if len(path.parts) > MAX_DEPTH:
            problems.append(Problem(root / path, f"more than {MAX_DEPTH} folders deep"))
        else:
            yield from _walk(root, path, problems)


def _is_folder(entry: os.DirEntry[str]) -> bool:
    if entry.name.startswith(".") or entry.name.casefold() in _IGNORED_FOLDERS:
        return False
    return entry.is_dir(follow_symlinks=False)


def _photo_or_video(entry: os.DirEntry[str]) -> os.stat_result | None:
    if entry.name.startswith(".") or entry.name.casefold() in _IGNORED_FILES:
        return None
    suffix = PurePosixPath(entry.name).suffix.lower()
    if suffix not in PHOTO_SUFFIXES and suffix not in VIDEO_SUFFIXES:
        return None
    status = entry.stat(follow_symlinks=False)
    return status if stat.S_ISREG(status.st_mode) else None
