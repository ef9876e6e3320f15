"""Writing reports: whole or not at all, and names as text whatever a card calls its files."""

from __future__ import annotations

import csv
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import TextIO

from edge_runtime.errors import CamtrapEdgeError


@contextmanager
def replacing(file: Path, *, encoding: str = "utf-8", newline: str = "\n") -> Iterator[TextIO]:
    """A stream to write into; at the end `file` is complete, or what it was before where anything went wrong.

    Raises:
        CamtrapEdgeError: the file cannot be written.
    """
    partial = file.with_name(file.name + ".partial")
    try:
        with partial.open("w", encoding=encoding, newline=newline) as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        partial.replace(file)
        _sync_folder(file.parent)
    except OSError as error:
        raise CamtrapEdgeError(
            f"{file}: cannot be written: {error.strerror}; free some space or choose --output"
        ) from error
    finally:
        if partial.is_file():
            partial.unlink()


@contextmanager
def table(file: Path, columns: Sequence[str]) -> Iterator[Callable[[Iterable[object]], object]]:
    """Writes rows of a CSV file (RFC 4180, UTF-8), as `replacing`.

    Raises:
        CamtrapEdgeError: it cannot be written.
    """
    with replacing(file, newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(columns)
        yield writer.writerow


def check(to: Path, *, folder: bool) -> None:
    """See that a report can go there before hours are spent on it.

    Raises:
        CamtrapEdgeError: it cannot.
    """
    if folder and to.exists() and not to.is_dir():
        raise CamtrapEdgeError(f"{to}: is a file; this format makes a folder")
    if not folder and to.is_dir():
        raise CamtrapEdgeError(f"{to}: is a folder; name the file")
    if not to.absolute().parent.is_dir():
        raise CamtrapEdgeError(f"{to}: the folder {to.absolute().parent} does not exist; make it first")


def text(path: PurePosixPath) -> str:
    """A path as text; bytes that are no UTF-8 become `\\xe9`."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def _sync_folder(folder: Path) -> None:
    # Without it a power cut may bring back the old name.
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
