"""Which pictures people were last asked about: what an answer is about, whatever a file's name means by then.

It is kept beside the journal, one sheet for each kind of question. Without it answers are believed all the same; only
that some are missing goes unnoticed, and a name means the picture that bears it now.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from csv import DictReader
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from edge_runtime.journal.results import Result
from edge_runtime.reports import output
from edge_runtime.review.sheets import FILE, FOLDER, Place, place

Kind = Literal["review", "select"]
_PICTURE = "Picture"


@dataclass(frozen=True, slots=True)
class Asked:
    """What is remembered of the places that a sheet names."""

    pictures: dict[Place, bytes]
    """The SHA-256 of the picture that was meant; of the latest question where there were several."""
    kind: Kind | None
    """The question that the sheet answers: the one with which it shares most places."""


@contextmanager
def noting(data: Path, kind: Kind) -> Iterator[Callable[[Result], object]]:
    """Notes the photos that people are asked about from now on, in place of those of the last time.

    Args:
        data: the device's data folder.

    Raises:
        CamtrapEdgeError: it cannot be written.
    """
    file = _file(data, kind)
    file.parent.mkdir(parents=True, exist_ok=True)
    with output.table(file, (FILE, FOLDER, _PICTURE)) as row:

        def note(result: Result) -> None:
            row((*place(result.path), (result.sha256 or b"").hex()))

        yield note


def find(data: Path, places: Collection[Place]) -> Asked:
    """What was asked about these places."""
    pictures: dict[Place, bytes] = {}
    shared: dict[Kind, int] = {}
    kinds: tuple[Kind, ...] = get_args(Kind)
    for kind in sorted((kind for kind in kinds if _file(data, kind).exists()), key=lambda kind: _age(data, kind)):
        for where, sha256 in read(data, kind):
            if where in places:
                pictures[where] = sha256
                shared[kind] = shared.get(kind, 0) + 1
    return Asked(pictures, max(shared.items(), key=lambda entry: entry[1])[0] if shared else None)


def read(data: Path, kind: Kind) -> Iterator[tuple[Place, bytes]]:
    """Everything that was asked the last time, one by one."""
    with _file(data, kind).open(encoding="utf-8", newline="") as stream:
        for row in DictReader(stream):
            yield (row[FILE], row[FOLDER]), bytes.fromhex(row[_PICTURE])


def _file(data: Path, kind: Kind) -> Path:
    return data / "asked" / f"{kind}.csv"


def _age(data: Path, kind: Kind) -> int:
    return _file(data, kind).stat().st_mtime_ns
