"""Answers that came back, checked as a whole: all of them are right, or none is taken."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from edge_runtime.errors import SheetError, SheetProblem
from edge_runtime.events.answers import EMPTY
from edge_runtime.journal.journal import Journal
from edge_runtime.review import asked, sheets
from edge_runtime.review.asked import Kind
from edge_runtime.review.sheets import FILE, SPECIES, Row
from edge_runtime.values import CATEGORIES

_NAMED = 5
"""Of many missing files so many are named."""


@dataclass(frozen=True, slots=True)
class Checked:
    """Answers that can be believed."""

    answers: Mapping[bytes, str]
    """By the picture's SHA-256."""
    names: Mapping[bytes, str]
    """How a person finds each picture: the sheet's folder and file."""
    repeated: int
    """Rows that say of a picture what another row has said."""
    missing: int
    """Photos that people were asked about and of which nobody has said anything yet."""


def known_names(journal: Journal) -> tuple[str, ...]:
    """What an answer may be: the names of every classifier that read photos here, the categories, `empty`, and
    whatever people have been allowed to say before."""
    named = (name for run in journal.runs.all().values() for name in run.lineages)
    return tuple(dict.fromkeys((*CATEGORIES, EMPTY, *named, *journal.answers.names())))


def check(
    file: Path,
    journal: Journal,
    *,
    data: Path,
    new_names: Collection[str] = (),
    partial: bool = False,
    every: bool = False,
) -> Checked:
    """The answers of a sheet.

    An answer is about the picture that people were asked about (`asked`), or, where nobody asked, about the one that
    the file shows now.

    Args:
        data: the device's data folder.
        new_names: may be said too.
        partial: the rest will be answered later.
        every: name the lines of all rows that nobody answered, not only the first one and how many.

    Raises:
        SheetError: what is wrong, all of it; nothing can be taken.
    """
    rows = [row for row in sheets.read(file) if row.species or row.selected]
    about = asked.find(data, {row.place for row in rows})
    taken = _Taken(journal, about.pictures, {*known_names(journal), *new_names})
    for row in rows:
        taken.take(row)
    if not partial:
        taken.problems += _unanswered(rows, taken, journal, every=every)
    missing = _missing(data, about.kind, taken, journal)
    if missing and not partial:
        taken.problems.append(_tell_missing(missing))
    if taken.problems:
        raise SheetError(file, sorted(taken.problems, key=lambda found: (found.line is None, found.line)))
    return Checked(
        {sha256: row.species for sha256, row in taken.answers.items()},
        {sha256: "/".join(filter(None, reversed(row.place))) for sha256, row in taken.answers.items()},
        taken.repeated,
        len(missing),
    )


class _Taken:
    """Rows taken one by one, each against those before."""

    def __init__(self, journal: Journal, pictures: Mapping[sheets.Place, bytes], known: Collection[str]) -> None:
        self._journal, self._pictures, self._known = journal, pictures, known
        self.answers: dict[bytes, Row] = {}
        self.repeated = 0
        self.problems: list[SheetProblem] = []

    def picture(self, row: Row) -> bytes | SheetProblem:
        """The picture that a row is about, or why there is none."""
        if row.place in self._pictures:
            return self._pictures[row.place]
        entries = [self._journal.ledger.entry(path) for path in row.paths()]
        entry = next((entry for entry in entries if entry is not None), None)
        if entry is None:
            return SheetProblem(row.line, FILE, f"'{row.name}' in '{row.folder}' is no file that this device has read")
        if entry.sha256 is None:
            return SheetProblem(row.line, FILE, f"'{row.name}' could not be read: {entry.problem}")
        return entry.sha256

    def take(self, row: Row) -> None:
        if not row.species:
            return
        picture = self.picture(row)
        if isinstance(picture, SheetProblem):
            self.problems.append(picture)
            return
        if row.species not in self._known:
            self.problems.append(SheetProblem(row.line, SPECIES, _unknown(row.species, self._known)))
            return
        before = self.answers.setdefault(picture, row)
        if before is row:
            return
        self.repeated += 1
        if before.species != row.species:
            same = "it" if before.place == row.place else f"the same picture, {before.name},"
            self.problems.append(
                SheetProblem(
                    row.line, SPECIES, f"'{row.species}', but line {before.line} calls {same} '{before.species}'"
                )
            )


def _unanswered(rows: Collection[Row], taken: _Taken, journal: Journal, *, every: bool) -> list[SheetProblem]:
    problems: list[SheetProblem] = []
    lines: list[int] = []
    for row in rows:
        if row.species:
            continue
        picture = taken.picture(row)
        if isinstance(picture, SheetProblem):
            problems.append(picture)
        elif picture not in taken.answers and journal.answers.of(picture) is None:
            lines.append(row.line)
    return problems + ([_tell_unanswered(lines, every=every)] if lines else [])


def _tell_unanswered(lines: list[int], *, every: bool) -> SheetProblem:
    # One problem, however many rows: a sheet that is half done has hundreds, and they hid what else is wrong with it.
    first, *rest = lines
    if not rest:
        also = ""
    elif every:
        also = f", like line{'s' if rest[1:] else ''} {', '.join(map(str, rest))}"
    else:
        also = f", like {len(rest)} more below it (--verbose names the lines)"
    return SheetProblem(first, SPECIES, f"selected, and not answered{also}; or say --partial")


def _missing(data: Path, kind: Kind | None, taken: _Taken, journal: Journal) -> list[str]:
    if kind is None:
        return []
    return [
        "/".join(filter(None, reversed(where)))
        for where, sha256 in asked.read(data, kind)
        if sha256 not in taken.answers and journal.answers.of(sha256) is None
    ]


def _tell_missing(missing: list[str]) -> SheetProblem:
    named = ", ".join(missing[:_NAMED]) + (", ..." if len(missing) > _NAMED else "")
    text = f"no answer to {len(missing)} of the photos that were asked about ({named}); answer them, or say --partial"
    return SheetProblem(None, SPECIES, text)


def _unknown(name: str, known: Collection[str]) -> str:
    folded: dict[str, str] = {each.casefold(): each for each in known}
    close = [folded[each] for each in difflib.get_close_matches(name.casefold(), folded, n=3)]
    hint = f"did you mean {' or '.join(map(repr, close))}?" if close else f"say --new-class '{name}' if it is right"
    return f"'{name}' is no class here; {hint}"
