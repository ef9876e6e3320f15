"""What is new on the cards.

Every pass looks at the name, size and time of every file, for a scan is the truth. A folder in which none of these has
changed since the ledger knew all of its files as finished costs no more than that look: its files are neither sorted
nor asked about. This is remembered in memory only; a new process asks the ledger once for each folder.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from edge_runtime import reinsertion
from edge_runtime.intake import scan
from edge_runtime.intake.scan import Folder, Problem
from edge_runtime.journal.journal import Journal
from edge_runtime.values import FileStamp

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class New:
    """What is to be done in one folder, in natural order."""

    photos: list[FileStamp]
    """New, changed, or to be tried again."""
    videos: list[FileStamp]
    """New or changed."""


class Rescan:
    """Finds what is new below a folder, pass after pass.

    A folder that was not there in the pass before may be that of another card: see `reinsertion`.
    """

    def __init__(self, root: Path, journal: Journal) -> None:
        self._root, self._journal = root, journal
        # Of each folder of the last pass its fingerprint, None where something in it was not finished.
        self._seen: dict[PurePosixPath, int | None] = {}

    def forget(self) -> None:
        """The card is out: whatever comes next may be another one."""
        self._seen = {}

    def new(self, problems: list[Problem]) -> Iterator[New]:
        """One pass: each folder with something to be done, listed when its turn comes.

        Args:
            problems: gets what could not be looked at.

        Raises:
            CardGoneError: the card vanished.
            sqlite3.Error: the journal cannot be used.
        """
        before, self._seen = self._seen, {}
        for folder in scan.walk(self._root, problems):
            fingerprint = folder.fingerprint
            if before.get(folder.path) == fingerprint:
                self._seen[folder.path] = fingerprint
                continue
            new = self._look(folder, appeared=folder.path not in before)
            done = not (new.photos or new.videos)
            self._seen[folder.path] = fingerprint if done else None
            if not done:
                yield new

    def _look(self, folder: Folder, *, appeared: bool) -> New:
        ledger = self._journal.ledger
        finished = ledger.finished(folder.path, [file[0] for file in folder.listed])
        if appeared and not reinsertion.is_the_same(folder, finished, ledger):
            log.warning("%s: other photos under known names; reading all of them", folder.path)
            with self._journal.transaction():
                for file in filter(scan.is_photo, folder.listed):
                    ledger.forget(folder.path / file[0])
            finished = {}
        rest = [file for file in folder.listed if file[:3] not in finished]
        return New(folder.stamps(filter(scan.is_photo, rest)), folder.stamps(filter(scan.is_video, rest)))
