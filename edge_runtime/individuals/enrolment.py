"""From photos of known animals to what the gallery keeps of them."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from PIL import Image

from edge_runtime.errors import GalleryError, PhotoError, UnreadablePhotoError
from edge_runtime.individuals.privacy import shows_person
from edge_runtime.individuals.records import MadeBy, Shown
from edge_runtime.intake import completeness, decode, exif, identity
from edge_runtime.models.crops import cut_all
from edge_runtime.models.detector import Detector
from edge_runtime.models.embedder import Embedder
from edge_runtime.values import Box, Detection

Pick = Literal["best-animal", "whole"]
"""What of a photo shows the animal: the box of the likeliest animal, or the whole picture."""
_PHOTOS = frozenset({".jpg", ".jpeg", ".png", ".tif", ".tiff", ".bmp", ".webp"})
_NEEDED = ("file", "name")
_OPTIONAL = ("species", "viewpoint", "x", "y", "w", "h")
_WHOLE = Box(0.0, 0.0, 1.0, 1.0)


@dataclass(frozen=True, slots=True)
class Wanted:
    """One photo of an animal whose name is known."""

    file: Path
    species: str
    name: str
    viewpoint: str = ""
    box: tuple[float, float, float, float] | None = None
    """x, y, width and height in pixels of the photo as a person sees it; None where the photo does not say."""


class Enroller:
    """Reads photos, finds the animal, embeds it.

    Args:
        confident: least confidence of an animal's box; the detector bundle's own where None.
    """

    def __init__(
        self,
        detector: Detector,
        embedder: Embedder,
        *,
        pick: Pick = "best-animal",
        confident: float | None = None,
        max_pixels: int = 200_000_000,
    ) -> None:
        self._detector, self._embedder = detector, embedder
        self._pick, self._max_pixels = pick, max_pixels
        self._confident = detector.bundle.manifest.thresholds.confident if confident is None else confident

    @property
    def made_by(self) -> MadeBy:
        return made_by(self._embedder)

    def read(self, wanted: Wanted) -> Shown:
        """The animal that a photo shows.

        Raises:
            PhotoError: it cannot be read, shows no animal or a person where the animal is; names the file.
            EngineError: an inference failed.
        """
        data = _read(wanted.file)
        end = completeness.check(data, wanted.file).end
        image = decode.open_photo(data, wanted.file, max_pixels=self._max_pixels)
        frame = decode.decode(data, image, wanted.file)
        found = self._detector.detect(frame)
        box = _fractions(wanted.box, _size(image), wanted.file) if wanted.box else self._box(wanted, found)
        if shows_person(box, found):
            raise UnreadablePhotoError(
                wanted.file, "a person is, or seems to be, where the animal is; people are never embedded: cut it out"
            )
        (crop,) = cut_all(frame, [Detection("animal", 1.0, box)], self._embedder.bundle.manifest)
        (embedding,) = self._embedder.embed([crop])
        return Shown(
            species=wanted.species,
            name=wanted.name,
            vector=embedding.vector,
            sha256=identity.picture_hash(data, end),
            file=os.fsencode(wanted.file.absolute()).decode("utf-8", "backslashreplace"),
            box=box,
            viewpoint=wanted.viewpoint,
        )

    def _box(self, wanted: Wanted, found: Sequence[Detection]) -> Box:
        if self._pick == "whole":
            return _WHOLE
        animals = [one for one in found if one.category == "animal"]
        if not animals or animals[0].confidence < self._confident:
            best = f" (the likeliest is {animals[0].confidence:.2f} sure)" if animals else ""
            raise UnreadablePhotoError(
                wanted.file, f"no animal found{best}; give its box in a table, or take the whole picture with --whole"
            )
        return animals[0].box


def made_by(embedder: Embedder) -> MadeBy:
    """How a gallery names an embedder."""
    return MadeBy(embedder.bundle.title, embedder.dimensions)


def from_folder(folder: Path, species: str, viewpoint: str = "") -> Iterator[Wanted]:
    """The photos in a folder's sub-folders, whose names are the animals', in order.

    Raises:
        GalleryError: there are none.
    """
    found = False
    for animal in sorted(entry for entry in folder.iterdir() if entry.is_dir() and not entry.name.startswith(".")):
        for file in sorted(animal.rglob("*")):
            if file.suffix.lower() in _PHOTOS and file.is_file():
                found = True
                yield Wanted(file, species, animal.name, viewpoint)
    if not found:
        raise GalleryError(folder, "has no sub-folders with photos", hint="one folder for each animal, named as it is")


def from_table(file: Path, species: str, viewpoint: str = "") -> list[Wanted]:
    """The photos of a CSV table: file and name, and if you like species, viewpoint, and x, y, w, h of the animal in
    pixels. Paths count from the table's folder.

    Args:
        species, viewpoint: where the table does not say.

    Raises:
        GalleryError: names the line that is wrong.
    """
    wanted: list[Wanted] = []
    try:
        with file.open(newline="", encoding="utf-8-sig") as stream:
            table = csv.DictReader(stream)
            columns = set(table.fieldnames or ())
            _check_columns(file, columns)
            for row in table:
                wanted.append(_row(file, table.line_num, row, species, viewpoint))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise GalleryError(file, f"cannot be read: {error}") from error
    return wanted


def _check_columns(file: Path, columns: set[str]) -> None:
    missing, strange = set(_NEEDED) - columns, columns - {*_NEEDED, *_OPTIONAL}
    if missing:
        raise GalleryError(file, f"has no column '{sorted(missing)[0]}'", hint="file and name are needed")
    if strange:
        raise GalleryError(file, f"has a column '{sorted(strange)[0]}'", hint=", ".join((*_NEEDED, *_OPTIONAL)))


def _row(file: Path, line: int, row: dict[str, str | None], species: str, viewpoint: str) -> Wanted:
    cells = {column: (text or "").strip() for column, text in row.items() if column is not None}
    if None in row or not cells["file"] or not cells["name"]:
        raise GalleryError(file, f"line {line}: needs a file and a name, and no more cells than columns")
    kind = cells.get("species") or species
    if not kind:
        raise GalleryError(file, f"line {line}: no species", hint="fill its column, or say --species")
    sides = [cells.get(column, "") for column in ("x", "y", "w", "h")]
    box = None
    if any(sides):
        try:
            x, y, width, height = map(float, sides)
        except ValueError as error:
            raise GalleryError(file, f"line {line}: x, y, w and h are four numbers or four empty cells") from error
        box = (x, y, width, height)
    return Wanted(file.parent / cells["file"], kind, cells["name"], cells.get("viewpoint") or viewpoint, box)


def _read(file: Path) -> bytes:
    try:
        if file.stat().st_size > identity.MAX_BYTES:
            raise UnreadablePhotoError(file, f"larger than {identity.MAX_BYTES // 2**20} MiB")
        return file.read_bytes()
    except OSError as error:
        raise PhotoError(file, error.strerror or str(error), final=False) from error


def _size(image: Image.Image) -> tuple[int, int]:
    """Width and height as a person sees the photo."""
    return image.size[::-1] if exif.orientation(image) >= 5 else image.size


def _fractions(pixels: tuple[float, float, float, float], size: tuple[int, int], file: Path) -> Box:
    """The box of a table, cut at the edges of the photo."""
    (x, y, across, down), (width, height) = pixels, size
    box = Box(max(0.0, x / width), max(0.0, y / height), min(1.0, (x + across) / width), min(1.0, (y + down) / height))
    if not (box.x1 < box.x2 and box.y1 < box.y2):
        raise UnreadablePhotoError(
            file, f"its box {x:g}, {y:g}, {across:g} x {down:g} is outside its {width} x {height} pixels"
        )
    return box
