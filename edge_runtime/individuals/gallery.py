"""The gallery: which animals are known, and what each photo of them looks like. One SQLite file.

Embeddings are comparable only if one embedder made them, so a gallery holds those of one and refuses all others.
Photos are never kept, moved or changed: a gallery knows them by their hash.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from edge_runtime import database
from edge_runtime.errors import GalleryError, JournalError
from edge_runtime.individuals import matching
from edge_runtime.individuals.open_set import Calibration
from edge_runtime.individuals.records import Annotation, Enrolled, Group, Known, MadeBy, Shown
from edge_runtime.individuals.schema import MIGRATIONS
from edge_runtime.values import Box

FILE_NAME = "gallery.sqlite"
"""Beside the journal."""
MAX_NAME = 40
"""Letters of a name, as of a camera's: it travels to the station. Of a species too."""
ALL = "*"
"""In the table of calibrations: of all viewpoints together."""
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
        self.file = file
        self._clock = clock
        try:
            self._connection = database.open_database(file, MIGRATIONS)
        except JournalError as error:
            raise GalleryError(file, error.problem, hint=error.hint) from error
        with self._reading():
            self._connection.execute("SELECT revision FROM gallery").fetchone()

    def close(self) -> None:
        self._connection.close()

    @property
    def revision(self) -> int:
        """Goes up with every change, whoever makes it."""
        with self._reading():
            return int(self._connection.execute("SELECT revision FROM gallery").fetchone()[0])

    @property
    def made_by(self) -> MadeBy | None:
        """The embedder of everything in here; None where nothing is."""
        with self._reading():
            row = self._connection.execute("SELECT embedder, dimensions FROM gallery").fetchone()
        return None if row["embedder"] is None else MadeBy(row["embedder"], row["dimensions"])

    def check(self, embedder: MadeBy) -> None:
        """That what `embedder` makes can be compared with what is in here.

        Raises:
            GalleryError: it cannot.
        """
        here = self.made_by
        if here is not None and here != embedder:
            raise GalleryError(
                self.file,
                f"its embeddings were made by {here.title} with {here.dimensions} dimensions, not by {embedder.title} "
                f"with {embedder.dimensions}: they cannot be compared",
                hint="name that embedder, or enrol the photos into a new gallery",
            )

    # -- what is in it

    def species(self) -> tuple[str, ...]:
        """The species with known animals, by name."""
        with self._reading():
            return tuple(
                row[0] for row in self._connection.execute("SELECT DISTINCT species FROM individual ORDER BY 1")
            )

    def viewpoints(self, species: str) -> tuple[str, ...]:
        """Those that a species' annotations have; `("",)` where nobody ever said one."""
        with self._reading():
            rows = self._connection.execute(
                "SELECT DISTINCT viewpoint FROM annotation JOIN individual ON individual.id = individual_id "
                "WHERE species = ? ORDER BY 1",
                (species,),
            )
            return tuple(row[0] for row in rows)

    def individuals(self, species: str | None = None) -> tuple[Known, ...]:
        """The known animals, by species and name."""
        with self._reading():
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
        with self._reading():
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
        with self._reading(), database.snapshot(self._connection):
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
        with self._changing(changed):
            self._claim(embedder)
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

    def rename(self, species: str, old: str, new: str) -> None:
        """Call an animal otherwise.

        Raises:
            GalleryError: nobody has the old name, or somebody the new one.
        """
        self._check_name(new, "name")
        with self._changing(species):
            number = self._individual(species, old)
            if self._find(species, new) is not None:
                raise GalleryError(
                    self.file, f"{species} '{new}' is known already", hint="if they are the same animal, merge them"
                )
            self._connection.execute("UPDATE individual SET name = ? WHERE id = ?", (new, number))

    def merge(self, species: str, into: str, other: str) -> None:
        """Two names turned out to be one animal: `other` becomes `into`.

        Raises:
            GalleryError: nobody has one of the names, both are the same, or one photo shows both.
        """
        with self._changing(species):
            kept, gone = self._individual(species, into), self._individual(species, other)
            if kept == gone:
                raise GalleryError(self.file, f"{species} '{into}' cannot be merged with itself")
            both = self._connection.execute(
                "SELECT file FROM annotation WHERE individual_id = ? "
                "AND sha256 IN (SELECT sha256 FROM annotation WHERE individual_id = ?)",
                (kept, gone),
            ).fetchone()
            if both is not None:
                raise GalleryError(
                    self.file,
                    f"{both['file']} shows {species} '{into}' and '{other}' side by side: they are two",
                    hint="remove the annotation that is wrong, then merge",
                )
            self._connection.execute("UPDATE annotation SET individual_id = ? WHERE individual_id = ?", (kept, gone))
            self._connection.execute(
                "UPDATE individual SET added_s = MIN(added_s, (SELECT added_s FROM individual WHERE id = ?)) "
                "WHERE id = ?",
                (gone, kept),
            )
            self._connection.execute("DELETE FROM individual WHERE id = ?", (gone,))

    def split(self, species: str, name: str, new: str, annotations: Collection[int]) -> None:
        """One name turned out to be two animals: these annotations (by id) become `new`.

        Raises:
            GalleryError: nobody has the name, somebody has the new one, an annotation is not of this animal, or none
                or all of them were named.
        """
        self._check_name(new, "name")
        with self._changing(species):
            number = self._individual(species, name)
            if self._find(species, new) is not None:
                raise GalleryError(self.file, f"{species} '{new}' is known already", hint="choose another name")
            mine = self._own_annotations(species, name, number, annotations)
            if not annotations or len(mine) == len(set(annotations)):
                raise GalleryError(
                    self.file, f"{species} '{name}': name some of its annotations, not none or all", hint="or rename it"
                )
            made = self._connection.execute(
                "INSERT INTO individual (species, name, added_s) VALUES (?, ?, ?)", (species, new, int(self._clock()))
            ).lastrowid
            self._connection.executemany(
                "UPDATE annotation SET individual_id = ? WHERE id = ?", [(made, one) for one in annotations]
            )

    def remove(self, species: str, name: str, annotations: Collection[int] | None = None) -> int:
        """Forget an animal, or only these annotations of it (by id); with the last of them it is forgotten too.

        Returns how many annotations went.

        Raises:
            GalleryError: nobody has the name, or an annotation is not of this animal.
        """
        with self._changing(species):
            number = self._individual(species, name)
            gone = self._own_annotations(species, name, number, annotations or ())
            if annotations is not None:
                gone = set(annotations)
            self._connection.executemany("DELETE FROM annotation WHERE id = ?", [(one,) for one in gone])
            self._connection.execute(
                "DELETE FROM individual WHERE id = ? AND NOT EXISTS (SELECT 1 FROM annotation WHERE individual_id = ?)",
                (number, number),
            )
        return len(gone)

    # -- what was measured on it

    def calibration(self, species: str, viewpoint: str | None) -> Calibration | None:
        """What was measured since the last change to the species; None where nothing was."""
        with self._reading():
            row = self._connection.execute(
                "SELECT body FROM calibration WHERE species = ? AND viewpoint = ?", (species, _key(viewpoint))
            ).fetchone()
        return None if row is None else msgspec.json.decode(row[0], type=Calibration)

    def keep_calibration(self, group: Group, calibration: Calibration) -> None:
        """Remember what was measured on `group`, unless the gallery has changed since it was read."""
        with self._writing():
            now = self._connection.execute("SELECT revision FROM gallery").fetchone()[0]
            if now == group.revision:
                self._connection.execute(
                    "INSERT OR REPLACE INTO calibration VALUES (?, ?, ?)",
                    (group.species, _key(group.viewpoint), msgspec.json.encode(calibration).decode()),
                )

    def false_accepts(self, species: str) -> float | None:
        """The rate that the user wants for a species; None where nothing was said."""
        with self._reading():
            row = self._connection.execute("SELECT rate FROM false_accepts WHERE species = ?", (species,)).fetchone()
        return None if row is None else float(row[0])

    def want_false_accepts(self, species: str, rate: float) -> None:
        """From now on the threshold of a species is measured for this rate."""
        with self._changing(species):
            self._connection.execute("INSERT OR REPLACE INTO false_accepts VALUES (?, ?)", (species, rate))

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
        self._check_name(one.species, "species")
        self._check_name(one.name, "name")
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
                self._individual(one.species, one.name),
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

    def _claim(self, embedder: MadeBy) -> None:
        self.check(embedder)
        self._connection.execute(
            "UPDATE gallery SET embedder = ?, dimensions = ?", (embedder.title, embedder.dimensions)
        )

    def _find(self, species: str, name: str) -> int | None:
        row = self._connection.execute(
            "SELECT id FROM individual WHERE species = ? AND name = ?", (species, name)
        ).fetchone()
        return None if row is None else int(row[0])

    def _individual(self, species: str, name: str) -> int:
        number = self._find(species, name)
        if number is None:
            raise GalleryError(self.file, f"knows no {species} '{name}'", hint="`gallery list` names all")
        return number

    def _own_annotations(self, species: str, name: str, number: int, asked: Iterable[int]) -> set[int]:
        """All of an animal's, after checking that `asked` are among them."""
        rows = self._connection.execute("SELECT id FROM annotation WHERE individual_id = ?", (number,))
        mine = {int(row[0]) for row in rows}
        strange = sorted(set(asked) - mine)
        if strange:
            raise GalleryError(
                self.file,
                f"{species} '{name}' has no annotation {', '.join(map(str, strange))}",
                hint="`gallery list --annotations` names all",
            )
        return mine

    def _check_name(self, name: str, what: str) -> None:
        if not name or name != name.strip() or len(name) > MAX_NAME or not name.isprintable():
            raise GalleryError(
                self.file, f"{name!r} is no {what}", hint=f"1 to {MAX_NAME} letters, no space at the ends"
            )

    @contextmanager
    def _changing(self, species: str | set[str]) -> Iterator[None]:
        """A transaction that changes the annotations of a species, or of those that the set has at the end of it."""
        with self._writing():
            yield
            changed = {species} if isinstance(species, str) else species
            if changed:
                self._connection.execute("UPDATE gallery SET revision = revision + 1")
                self._connection.executemany("DELETE FROM calibration WHERE species = ?", [(one,) for one in changed])
            # Nothing left to compare with: the next embedder may be another one.
            self._connection.execute(
                "UPDATE gallery SET embedder = NULL, dimensions = NULL WHERE NOT EXISTS (SELECT 1 FROM annotation)"
            )

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            with database.transaction(self._connection):
                yield
        except sqlite3.Error as error:
            hint = "is the disk full or read-only?" if isinstance(error, sqlite3.OperationalError) else _DAMAGED
            raise GalleryError(self.file, f"cannot be written: {error}", hint=hint) from error

    @contextmanager
    def _reading(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise GalleryError(self.file, f"cannot be read: {error}", hint=_DAMAGED) from error


_DAMAGED = "it is damaged: take it from a copy or an export"


def _rounded(box: Box) -> tuple[float, ...]:
    return tuple(round(side, _DIGITS) for side in (box.x1, box.y1, box.x2, box.y2))


def _key(viewpoint: str | None) -> str:
    return ALL if viewpoint is None else viewpoint
