"""A gallery as a folder, to copy and to merge: read by any program, and nothing in it is code.

- `gallery.json`: `{"gallery": 1, "embedder": TITLE, "dimensions": D, "annotations": N}`
- `annotations.csv`: one row each, UTF-8: species, name, viewpoint, sha256 (64 hex digits, of the photo), file, x1, y1,
  x2, y2 (fractions of the photo), added_s (UTC seconds since 1970)
- `vectors.npy`: float16 [N, D], little-endian, rows of length 1, in the order of the table

The format is NumPy's own (https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html), without pickles.
"""

from __future__ import annotations

import csv
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from edge_runtime.errors import GalleryError
from edge_runtime.individuals.gallery import Gallery
from edge_runtime.individuals.records import Annotation, Enrolled, MadeBy, Shown
from edge_runtime.values import Box

COLUMNS = ("species", "name", "viewpoint", "sha256", "file", "x1", "y1", "x2", "y2", "added_s")
_HEADER, _TABLE, _VECTORS = "gallery.json", "annotations.csv", "vectors.npy"


class _Header(msgspec.Struct, forbid_unknown_fields=True):
    gallery: Literal[1]
    embedder: str
    dimensions: Annotated[int, msgspec.Meta(ge=2, le=65536)]
    annotations: Annotated[int, msgspec.Meta(ge=1)]


class _Row(msgspec.Struct):
    species: str
    name: str
    viewpoint: str
    sha256: Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]
    file: str
    x1: float
    y1: float
    x2: float
    y2: float
    added_s: int


def write(gallery: Gallery, folder: Path) -> int:
    """Write everything of `gallery` into a new folder; returns the number of annotations.

    Raises:
        GalleryError: the gallery is empty, or the folder exists or cannot be written.
    """
    made, count = gallery.made_by, sum(known.annotations for known in gallery.individuals())
    if made is None:
        raise GalleryError(gallery.file, "is empty: there is nothing to export")
    if folder.exists():
        raise GalleryError(folder, "exists already", hint="name a new folder")
    # A folder of that name is always a whole export.
    part = folder.with_name(f".{folder.name}.part-{os.getpid()}")
    try:
        part.mkdir(parents=True)
        vectors = np.lib.format.open_memmap(
            part / _VECTORS, mode="w+", dtype="<f2", shape=(count, made.dimensions), version=(1, 0)
        )
        with (part / _TABLE).open("w", newline="", encoding="utf-8") as stream:
            table = csv.writer(stream)
            table.writerow(COLUMNS)
            for place, (annotation, vector) in enumerate(gallery.rows()):
                vectors[place] = np.frombuffer(vector, "<f2")
                table.writerow(_cells(annotation))
        vectors.flush()
        del vectors
        header = _Header(1, made.title, made.dimensions, count)
        (part / _HEADER).write_bytes(msgspec.json.format(msgspec.json.encode(header), indent=2) + b"\n")
        part.rename(folder)
    except OSError as error:
        raise GalleryError(folder, f"cannot be written: {error}", hint="is the disk full or read-only?") from error
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return count


def read(gallery: Gallery, folder: Path, *, keep_ours: bool = False) -> Enrolled:
    """Take what an export holds into `gallery`, as `Gallery.enrol` does, in one transaction.

    Raises:
        GalleryError: no export, a damaged one, one of another embedder, or conflicts; nothing is imported then.
    """
    header, vectors = _open(folder)
    return gallery.enrol(_shown(folder, vectors), MadeBy(header.embedder, header.dimensions), keep_ours=keep_ours)


def _cells(one: Annotation) -> tuple[object, ...]:
    box = one.box
    sides = (box.x1, box.y1, box.x2, box.y2)
    return (one.species, one.name, one.viewpoint, one.sha256.hex(), one.file, *sides, one.added_s)


def _open(folder: Path) -> tuple[_Header, NDArray[np.float16]]:
    try:
        header = msgspec.json.decode((folder / _HEADER).read_bytes(), type=_Header)
        vectors = np.load(folder / _VECTORS, mmap_mode="r", allow_pickle=False)
    except OSError as error:
        raise GalleryError(folder, f"no export of a gallery: {error}") from error
    except (msgspec.DecodeError, ValueError, EOFError) as error:
        raise GalleryError(folder, f"is damaged: {error}", hint="export it again") from error
    if vectors.dtype != np.dtype("<f2") or vectors.shape != (header.annotations, header.dimensions):
        raise GalleryError(
            folder,
            f"{_VECTORS} holds {vectors.dtype} {list(vectors.shape)}, not float16 "
            f"{[header.annotations, header.dimensions]}",
            hint="export it again",
        )
    return header, vectors


def _shown(folder: Path, vectors: NDArray[np.float16]) -> Iterator[Shown]:
    file = folder / _TABLE
    read = 0
    try:
        with file.open(newline="", encoding="utf-8") as stream:
            table = csv.DictReader(stream, strict=True)
            if tuple(table.fieldnames or ()) != COLUMNS:
                raise GalleryError(file, f"has not the columns {', '.join(COLUMNS)}")
            for cells in table:
                if read == len(vectors):
                    raise GalleryError(file, f"has more rows than the {len(vectors)} vectors", hint="export it again")
                yield _one(cells, vectors[read], file, table.line_num)
                read += 1
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise GalleryError(file, f"cannot be read: {error}", hint="export it again") from error
    if read < len(vectors):
        raise GalleryError(file, f"has {read} rows for {len(vectors)} vectors", hint="export it again")


def _one(cells: dict[str, str], vector: NDArray[np.float16], file: Path, line: int) -> Shown:
    try:
        row = msgspec.convert(cells, _Row, strict=False)
        box = Box(row.x1, row.y1, row.x2, row.y2)
        if not (0 <= box.x1 < box.x2 <= 1 and 0 <= box.y1 < box.y2 <= 1):
            raise ValueError(f"{box} is no box")
    except (msgspec.ValidationError, ValueError) as error:
        raise GalleryError(file, f"line {line}: {error}", hint="export it again") from error
    return Shown(
        species=row.species,
        name=row.name,
        vector=vector,
        sha256=bytes.fromhex(row.sha256),
        file=row.file,
        box=box,
        viewpoint=row.viewpoint,
        added_s=row.added_s,
    )
