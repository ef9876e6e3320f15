"""What is new on the cards.

Every pass looks at the name, size and time of every file, for a scan is the truth. A folder in which none of these has
changed since the ledger knew all of its files as finished costs no more than that look: its files are neither sorted
nor asked about. This is remembered in memory only; a new process asks the ledger once for each folder.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath

from edge_runtime import reinsertion
from edge_runtime.intake import scan
from edge_runtime.intake.scan import Folder, Problem
from edge_runtime.journal.journal import Journal
from edge_runtime.recording import MAX_ATTEMPTS
from edge_runtime.values import FileStamp

log = logging.getLogger(__name__)


class Rescan:
    """Finds what is new below a folder, pass after pass.

    A folder that was not there in the pass before may be that of another card: see `reinsertion`.

    Args:
        on_progress: called for each folder that was listed, and while long files are read to know a card again.
    """

    def __init__(self, root: Path, journal: Journal, *, on_progress: Callable[[], object] = lambda: None) -> None:
        self._root, self._journal, self._on_progress = root, journal, on_progress
        # Of each folder of the last pass its fingerprint, None where something in it was not finished.
        self._seen: dict[PurePosixPath, int | None] = {}

    def forget(self) -> None:
        """The card is out: whatever comes next may be another one."""
        self._seen = {}

    def new(self, problems: list[Problem]) -> Iterator[list[FileStamp]]:
        """One pass: of each folder what is new, changed or to be tried again, in natural order, if anything is.

        A folder is listed when its turn comes.

        Args:
            problems: gets what could not be looked at.

        Raises:
            CardGoneError: the card vanished.
            sqlite3.Error: the journal cannot be used.
        """
        before, self._seen = self._seen, {}
        for folder in scan.walk(self._root, problems):
            self._on_progress()
            fingerprint = folder.fingerprint
            if before.get(folder.path) == fingerprint:
                self._seen[folder.path] = fingerprint
                continue
            new = self._look(folder, appeared=folder.path not in before)
            self._seen[folder.path] = None if new else fingerprint
            if new:
                yield new

    def _look(self, folder: Folder, *, appeared: bool) -> list[FileStamp]:
        ledger = self._journal.ledger
        # Put in again, a card may give what it did not give before: its contacts were wiped.
        finished = ledger.finished(
            folder.path, [file[0] for file in folder.listed], given_up_after=MAX_ATTEMPTS if appeared else None
        )
        if appeared and not reinsertion.is_the_same(folder, finished, ledger, self._on_progress):
            log.warning("%s: other files under known names; reading all of them", folder.path)
            with self._journal.transaction():
                for file in filter(scan.is_medium, folder.listed):
                    ledger.forget(folder.path / file[0])
            finished = {}
        rest = [file for file in folder.listed if file[:3] not in finished]
        return folder.stamps(filter(scan.is_medium, rest))
