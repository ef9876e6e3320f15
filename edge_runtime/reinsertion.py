"""A folder that comes back may be another card.

Cameras number from IMG_0001 and some lose their clock with the battery, so another card can show the same paths,
sizes and times. Before known files are passed over, a few of them are read again; if one shows another picture,
nothing that is remembered of that folder's files is believed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from edge_runtime.errors import PhotoError
from edge_runtime.intake import completeness, identity, scan
from edge_runtime.intake.scan import Folder
from edge_runtime.journal.ledger import Ledger
from edge_runtime.values import FileStamp

PROBES = 3
"""Files read again per folder: the first, the middle and the last that are known, as the file system lists them."""


def is_the_same(
    folder: Folder,
    finished: Mapping[tuple[str, int, int], bool],
    ledger: Ledger,
    on_progress: Callable[[], object] = lambda: None,
) -> bool:
    """Whether the folder's files still show what the ledger remembers; True where it remembers none of them.

    Args:
        finished: as `Ledger.finished`.
        on_progress: called again and again while a long video is read.

    Raises:
        CardGoneError: the card vanished meanwhile.
    """
    remembered = [file for file in folder.listed if finished.get(file[:3])]
    # Photos where there are any: they are sooner read again.
    remembered = [file for file in remembered if not scan.is_video(file[0])] or remembered
    step = max(1, (len(remembered) - 1) // (PROBES - 1))
    return all(_shows_what_it_did(stamp, ledger, on_progress) for stamp in folder.stamps(remembered[::step][:PROBES]))


def _shows_what_it_did(stamp: FileStamp, ledger: Ledger, on_progress: Callable[[], object]) -> bool:
    entry = ledger.entry(stamp.path)

    def go_on() -> bool:
        on_progress()
        return False

    try:
        if scan.is_video(stamp.path.name):
            with identity.opened(stamp) as stream:
                return entry is not None and identity.file_hash(stream, go_on) == entry.sha256
        data = identity.read(stamp)
        end = completeness.check(data, stamp.full_path).end
    except PhotoError:
        return False
    return entry is not None and identity.picture_hash(data, end) == entry.sha256
