"""Figures that others printed: files of a folder `published`, never mixed with what was measured."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Literal

import msgspec

from benchmarks.document.errors import ResultError
from benchmarks.document.reading import PUBLISHED
from benchmarks.document.schema import Part, Positive, Text

SCHEMA = "camtrap-edge-published/1"
MAX_BYTES = 10_000_000


class Figure(Part, frozen=True, kw_only=True):
    """One row of somebody's table."""

    model: Text
    device: Text
    engine: Text
    precision: Literal["fp32", "fp16", "int8"] | None
    """Null where the source does not say."""
    input: Text
    """What the model was given: `640 x 640`."""
    threads: Annotated[int, msgspec.Meta(ge=1)] | None
    ms: Positive
    """Milliseconds an inference; of what, `Publication.boundary` says."""
    mj: Positive | None
    """Millijoules an inference, where it was told."""


class Publication(Part, frozen=True, kw_only=True):
    """One source and its rows."""

    schema: Literal["camtrap-edge-published/1"]
    source: Text
    """Who published it, and where."""
    url: Annotated[str, msgspec.Meta(pattern=r"^https://[^\s\"'<>]+$", max_length=400)] | None
    source_checked: bool
    """Whether these figures were looked up in the source itself."""
    boundary: Text
    """What the milliseconds hold, and other words that the figures need."""
    figures: Annotated[tuple[Figure, ...], msgspec.Meta(min_length=1)]


def read(file: Path) -> Publication:
    """The publication in `file`.

    Raises:
        ResultError: it cannot be read or is none.
    """
    try:
        if file.stat().st_size > MAX_BYTES:
            raise ResultError(file, f"has more than {MAX_BYTES // 1_000_000} MB: no published figures")
        return msgspec.json.decode(file.read_bytes(), type=Publication)
    except OSError as error:
        raise ResultError(file, f"cannot be read: {error.strerror}") from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ResultError(file, f"holds no published figures of schema {SCHEMA}: {error}") from error


def read_all(paths: Iterable[Path]) -> tuple[list[tuple[Path, Publication]], list[ResultError]]:
    """Every publication in the `published` folders of these folders, by path, and what is wrong with the others."""
    good: list[tuple[Path, Publication]] = []
    problems: list[ResultError] = []
    for file in _files(paths):
        try:
            good.append((file, read(file)))
        except ResultError as error:
            problems.append(error)
    return good, problems


def _files(paths: Iterable[Path]) -> list[Path]:
    found: dict[Path, Path] = {}
    for path in paths:
        if not path.is_dir():
            continue
        for file in sorted(path.rglob("*.json")):
            if file.is_file() and (path.name == PUBLISHED or PUBLISHED in file.relative_to(path).parts[:-1]):
                found.setdefault(file.resolve(), file)
    return list(found.values())
