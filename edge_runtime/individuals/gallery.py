"""The gallery: which animals are known, and what each photo of them looks like. One SQLite file.

Embeddings are comparable only if one embedder made them, so a gallery holds those of one and refuses all others.
Photos are never kept, moved or changed: a gallery knows them by their hash.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge_runtime import database
from edge_runtime.errors import GalleryError
from edge_runtime.individuals import matching, names
from edge_runtime.individuals.calibrations import Calibrations
from edge_runtime.individuals.corrections import Corrections
from edge_runtime.individuals.gallery_file import GalleryFile
from edge_runtime.individuals.records import Annotation, Enrolled, Group, Known, MadeBy, Shown
from edge_runtime.values import Box

FILE_NAME = "gallery.sqlite"
"""Beside the journal."""
_DIGITS = 4
"""Of a box: the same photo read again must give the same box."""
_NAMED = 5
"""Conflicts that an error names."""


class Gallery:
    """The open gallery. Each thread opens its own. Every change is one transaction: all of it happens or nothing.

    Args:
        clock: UTC seconds since 1970.

    Raises:
        GalleryError: the file cannot be opened, is damaged, or was made by a newer program; from every method.
    """

    def __init__(self, file: Path, *, clock: Callable[[], float] = time.time) -> None:
        self.file, self._clock = file, clock
        self._file = GalleryFile(file)
        self._connection = self._file.connection
        self.corrections = Corrections(self._file, clock=clock)
        self.calibrations = Calibrations(self._file)

    def close(self) -> None:
        self._file.close()

    @property
    def revision(self) -> int:
        """Goes up with every change, whoever makes it."""
        return self._file.revision

    @property
    def made_by(self) -> MadeBy | None:
        """The embedder of everything in here; None where nothing is."""
        return self._file.made_by

    def check(self, embedder: MadeBy) -> None:
        """That what `embedder` makes can be compared with what is in here.

        Raises:
            GalleryError: it cannot.
        """
        self._file.check(embedder)

    # -- what is in it

    def species(self) -> tuple[str, ...]:
        """The species with known animals, by name."""
        with self._file.reading():
            return tuple(
                row[0] for row in self._connection.execute("SELECT DISTINCT species FROM individual ORDER BY 1")
            )

    def viewpoints(self, species: str) -> tuple[str, ...]:
        """Those that a species' annotations have; `("",)` where nobody ever said one."""
        with self._file.reading():
            rows = self._connection.execute(
                "SELECT DISTINCT viewpoint FROM annotation JOIN individual ON individual.id = individual_id "
                "WHERE species = ? ORDER BY 1",
                (species,),
            )
            return tuple(row[0] for row in rows)

    def individuals(self, species: str | None = None) -> tuple[Known, ...]:
        """The known animals, by species and name."""
        with self._file.reading():
            rows = self._connection.execute(
                "SELECT species, name, COUNT(*) AS annotations, GROUP_CONCAT(DISTINCT viewpoint) AS viewpoints, "
                "individual.added_s FROM individual JOIN annotation ON individual.id = individual_id "
                "WHERE ? IS NULL OR species = ? GROUP BY individual.id ORDER BY species, name",
                (species, species),
            ).fetchall()
        return tuple(
            Known(row["species"], row["name"], row["annotations"], tuple(sorted(row["viewpoints"].split(","))), row[4])
            for row in rows
        )

    def annotations(self, species: str | None = None, name: str | None = None) -> Iterator[Annotation]:
        """The annotations, oldest first."""
        for annotation, _ in self.rows(species, name):
            yield annotation

    def rows(self, species: str | None = None, name: str | None = None) -> Iterator[tuple[Annotation, bytes]]:
        """The annotations with their vectors as they are stored, oldest first."""
        with self._file.reading():
            rows = self._connection.execute(
                "SELECT annotation.*, species, name FROM annotation JOIN individual ON individual.id = individual_id "
                "WHERE (:species IS NULL OR species = :species) AND (:name IS NULL OR name = :name) "
                "ORDER BY annotation.id",
                {"species": species, "name": name},
            )
            for row in rows:
                box = Box(row["x1"], row["y1"], row["x2"], row["y2"])
                yield (
                    Annotation(
                        id=row["id"],
                        species=row["species"],
                        name=row["name"],
                        viewpoint=row["viewpoint"],
                        sha256=row["sha256"],
                        file=row["file"],
                        box=box,
                        added_s=row["added_s"],
                    ),
                    row["vector"],
                )

    def group(self, species: str, viewpoint: str | None = None) -> Group | None:
        """Everything of a species, or of one side of it; None where there is nothing."""
        where = "FROM annotation JOIN individual ON individual.id = individual_id WHERE species = :species" + (
            "" if viewpoint is None else " AND viewpoint = :viewpoint"
        )
        asked = {"species": species, "viewpoint": viewpoint}
        with self._file.reading(), database.snapshot(self._connection):
            made = self._connection.execute("SELECT revision, dimensions FROM gallery").fetchone()
            count = int(self._connection.execute(f"SELECT COUNT(*) {where}", asked).fetchone()[0])
            if not count:
                return None
            matrix = np.empty((count, made["dimensions"]), np.float16)
            individuals, annotations = np.empty(count, np.intp), np.empty(count, np.int64)
            places: dict[str, int] = {}
            rows = self._connection.execute(f"SELECT annotation.id, name, vector {where} ORDER BY annotation.id", asked)
            for place, (number, name, vector) in enumerate(rows):
                matrix[place] = self._read_vector(vector, number, made["dimensions"])
                individuals[place], annotations[place] = places.setdefault(name, len(places)), number
        return Group(species, viewpoint, matrix, individuals, tuple(places), annotations, made["revision"])

    # -- changes

    def enrol(self, shown: Iterable[Shown], embedder: MadeBy, *, keep_ours: bool = False) -> Enrolled:
        """Add what photos show; what is there already stays as it is, so twice is as good as once.

        Args:
            keep_ours: leave out what is enrolled under another name, instead of refusing everything.

        Raises:
            GalleryError: made by another embedder, a name that is none, an embedding without a direction, or boxes of
                photos that are enrolled under another name. Nothing is enrolled then.
        """
        added = known = 0
        conflicts: list[str] = []
        changed: set[str] = set()
        with self._file.changing(changed):
            self._file.claim(embedder)
            for one in shown:
                ours = self._whose(one)
                if ours is None:
                    self._enrol_one(one, embedder.dimensions)
                    changed.add(one.species)
                    added += 1
                elif ours == (one.species, one.name):
                    known += 1
                else:
                    conflicts.append(f"{one.file}: is {ours[0]} '{ours[1]}' here, not {one.species} '{one.name}'")
            if conflicts and not keep_ours:
                more = f" and {len(conflicts) - _NAMED} more" if len(conflicts) > _NAMED else ""
                raise GalleryError(
                    self.file,
                    "enrolled under other names already: " + "; ".join(conflicts[:_NAMED]) + more,
                    hint="rename, merge or split what is wrong",
                )
        return Enrolled(added, known, tuple(conflicts))

    # -- inside

    def _whose(self, one: Shown) -> tuple[str, str] | None:
        """Species and name under which this is enrolled: this animal in this photo, or this box of it."""
        row = self._connection.execute(
            "SELECT species, name FROM annotation JOIN individual ON individual.id = individual_id "
            "WHERE sha256 = ? AND ((species, name) = (?, ?) OR (x1, y1, x2, y2) = (?, ?, ?, ?)) "
            "ORDER BY (species, name) = (?, ?) DESC LIMIT 1",
            (one.sha256, one.species, one.name, *_rounded(one.box), one.species, one.name),
        ).fetchone()
        return None if row is None else (row["species"], row["name"])

    def _enrol_one(self, one: Shown, dimensions: int) -> None:
        names.check(self._file, one.species, "species")
        names.check(self._file, one.name, "name")
        if one.viewpoint and not one.viewpoint.isalnum():
            raise GalleryError(self.file, f"{one.viewpoint!r} is no viewpoint", hint="left, right ... in letters")
        now = int(self._clock()) if one.added_s is None else one.added_s
        self._connection.execute(
            "INSERT OR IGNORE INTO individual (species, name, added_s) VALUES (?, ?, ?)", (one.species, one.name, now)
        )
        self._connection.execute(
            "INSERT INTO annotation (individual_id, viewpoint, vector, sha256, file, x1, y1, x2, y2, added_s) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                names.bearer(self._file, one.species, one.name),
                one.viewpoint,
                self._stored_vector(one, dimensions),
                one.sha256,
                one.file,
                *_rounded(one.box),
                now,
            ),
        )

    def _stored_vector(self, one: Shown, dimensions: int) -> bytes:
        if one.vector.shape != (dimensions,):
            raise GalleryError(self.file, f"{one.file}: an embedding of shape {one.vector.shape}, not ({dimensions},)")
        try:
            return bytes(matching.unit(one.vector)[0].astype("<f2").tobytes())
        except ValueError as error:
            raise GalleryError(self.file, f"{one.file}: {error}") from error

    def _read_vector(self, stored: bytes, number: int, dimensions: int) -> NDArray[np.float16]:
        vector = np.frombuffer(stored, "<f2") if len(stored) % 2 == 0 else np.empty(0, "<f2")
        if len(vector) != dimensions or not np.isfinite(vector).all():
            raise GalleryError(
                self.file, f"annotation {number} is damaged", hint="remove it, or take the gallery from an export"
            )
        return vector


def _rounded(box: Box) -> tuple[float, ...]:
    return tuple(round(side, _DIGITS) for side in (box.x1, box.y1, box.x2, box.y2))
