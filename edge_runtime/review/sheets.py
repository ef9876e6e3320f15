"""The sheets that go to people and come back: CSV with the columns by which Timelapse knows a file."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TextIO

from edge_runtime.errors import SheetError, SheetProblem
from edge_runtime.reports import output

FILE, FOLDER, SELECTED, SPECIES = "File", "RelativePath", "Selected", "Species"
_FLAGS = {"true": True, "false": False, "": None}

Place = tuple[str, str]
"""A file's name and its folder, as a sheet has them; folders with forward slashes."""


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a sheet that came back."""

    line: int
    """From 1, of the file."""
    name: str
    folder: str
    """As it stands there."""
    selected: bool | None
    """None where the sheet does not say."""
    species: str
    """Empty where nobody has answered."""

    @property
    def place(self) -> Place:
        return self.name, _slashed(self.folder)

    def paths(self) -> tuple[PurePosixPath, ...]:
        """What the row may mean, the likeliest first: Timelapse writes the folders of Windows."""
        folders = dict.fromkeys((self.folder, _slashed(self.folder)))
        return tuple(PurePosixPath(folder) / self.name for folder in folders)


def place(path: PurePosixPath) -> Place:
    """Where a sheet says that `path`, relative to the cards' root, lies."""
    folder = "" if path.parent == PurePosixPath() else output.text(path.parent)
    return output.text(PurePosixPath(path.name)), _slashed(folder)


def read(file: Path) -> Iterator[Row]:
    """The rows of a sheet, one by one.

    Raises:
        SheetError: it cannot be read, is no CSV, lacks a column, or a row says what no sheet can say.
    """
    try:
        # Programs on Windows put a mark at the beginning; a name may be of any bytes.
        with file.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as stream:
            head = stream.readline()
            stream.seek(0)
            delimiter = ";" if head.count(";") > head.count(",") else ","  # Excel, where the comma is for decimals
            yield from _rows(stream, delimiter, file)
    except OSError as error:
        raise SheetError(file, [SheetProblem(None, "", error.strerror or str(error))]) from error


def _rows(stream: TextIO, delimiter: str, file: Path) -> Iterator[Row]:
    lines = csv.reader(stream, delimiter=delimiter)
    header: list[str] | None = None
    while True:
        line = lines.line_num + 1
        try:
            cells = next(lines, None)
        except csv.Error as error:
            raise SheetError(file, [SheetProblem(line, "", f"no valid CSV: {error}")]) from error
        if cells is None:
            break
        if header is None:
            header = [cell.strip() for cell in cells]
            _check_header(header, file)
        elif any(cells):
            yield _row(dict(zip(header, cells, strict=False)), line, file)
    if header is None:
        raise SheetError(file, [SheetProblem(None, "", "the file is empty")])


def _check_header(header: list[str], file: Path) -> None:
    missing = [name for name in (FILE, FOLDER, SPECIES) if name not in header]
    if missing:
        has = ", ".join(filter(None, header)) or "none"
        problems = [SheetProblem(1, name, f"this column is missing; the sheet has {has}") for name in missing]
        raise SheetError(file, problems)
    twice = [name for name in (FILE, FOLDER, SELECTED, SPECIES) if header.count(name) > 1]
    if twice:
        raise SheetError(file, [SheetProblem(1, name, "this column stands twice") for name in twice])


def _row(cells: dict[str, str], line: int, file: Path) -> Row:
    flag = cells.get(SELECTED, "").strip()
    if flag.lower() not in _FLAGS:
        raise SheetError(file, [SheetProblem(line, SELECTED, f"'{flag}' is neither True nor False")])
    name = cells.get(FILE, "")
    if not name:
        raise SheetError(file, [SheetProblem(line, FILE, "no file is named")])
    return Row(line, name, cells.get(FOLDER, ""), _FLAGS[flag.lower()], cells.get(SPECIES, "").strip())


def _slashed(folder: str) -> str:
    return folder.replace("\\", "/").strip("/")
