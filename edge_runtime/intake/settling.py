"""Telling a file that is still being written from one that stays as it is."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from pathlib import Path, PurePosixPath

from edge_runtime.values import FileStamp


class Settling:
    """Remembers since when each doubtful file has looked as it does.

    The device's own clock counts, never the file's time: the camera's clock may be years off.
    """

    def __init__(self, settle_s: float, *, now: Callable[[], float]) -> None:
        self._settle_s, self._now = settle_s, now
        self._since: dict[PurePosixPath, tuple[FileStamp, float]] = {}

    def settled(self, stamp: FileStamp) -> bool:
        """Whether the file has kept its size and time for `settle_s` seconds since it was first asked about."""
        if _read_only(stamp.card / stamp.path.parent):
            return True
        seen, since = self._since.get(stamp.path, (None, 0.0))
        if seen != stamp:
            since = self._now()
            self._since[stamp.path] = (stamp, since)
        return self._now() - since >= self._settle_s

    def keep_only(self, paths: Iterable[PurePosixPath]) -> None:
        """Forget all other files."""
        kept = set(paths)
        self._since = {path: entry for path, entry in self._since.items() if path in kept}


def _read_only(folder: Path) -> bool:
    # Nobody writes to a card that is mounted read-only.
    try:
        return bool(os.statvfs(folder).f_flag & os.ST_RDONLY)
    except OSError:
        return False
