"""A folder that comes back may be another card.

Cameras number from IMG_0001 and some lose their clock with the battery, so another card can show the same paths,
sizes and times. Before known files are passed over, a few of them are read again; if one shows another picture,
nothing that is remembered of that folder's files is believed.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Iterable
from pathlib import PurePosixPath

from edge_runtime.errors import PhotoError
from edge_runtime.intake import completeness, identity
from edge_runtime.journal.journal import Journal
from edge_runtime.journal.ledger import Entry
from edge_runtime.values import FileStamp

log = logging.getLogger(__name__)

PROBES = 3
"""Files read again per folder: the first, the middle and the last that are known."""


class Reinsertion:
    """Checks each folder once when it appears, and again after it was gone."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._trusted: set[PurePosixPath] = set()

    def check(self, stamps: Iterable[FileStamp]) -> None:
        """Look at every folder of a scan; forgets the files of folders that are not what they were.

        Raises:
            CardGoneError: the card vanished meanwhile.
        """
        folders: dict[PurePosixPath, list[FileStamp]] = defaultdict(list)
        for stamp in stamps:
            folders[stamp.path.parent].append(stamp)
        for folder, files in folders.items():
            if folder not in self._trusted and not self._same(folder, files):
                log.warning("%s: other photos under known names; reading all of them", folder)
                with self._journal.transaction():
                    for stamp in files:
                        self._journal.ledger.forget(stamp.path)
        self._trusted = set(folders)

    def _same(self, folder: PurePosixPath, files: list[FileStamp]) -> bool:
        entries = {entry.path: entry for entry in self._journal.ledger.entries(folder)}
        known = [
            (stamp, entry)
            for stamp in files
            if (entry := entries.get(stamp.path)) and entry.sha256 and entry.describes(stamp)
        ]
        step = max(1, (len(known) - 1) // (PROBES - 1))
        return all(_shows(stamp, entry) for stamp, entry in known[::step][:PROBES])


def _shows(stamp: FileStamp, entry: Entry) -> bool:
    try:
        data = identity.read(stamp)
        end = completeness.check(data, stamp.full_path).end
    except PhotoError:
        return False
    return identity.picture_hash(data, end) == entry.sha256
