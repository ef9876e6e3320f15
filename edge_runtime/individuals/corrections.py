"""Corrections: an animal is called otherwise, two are one, one is two, one is forgotten."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable

from edge_runtime.errors import GalleryError
from edge_runtime.individuals import names
from edge_runtime.individuals.gallery_file import GalleryFile


class Corrections:
    """Who is who, put right. Every one is one transaction: all of it happens or nothing.

    Args:
        clock: UTC seconds since 1970.

    Raises:
        GalleryError: the file cannot be read or written; from every method.
    """

    def __init__(self, file: GalleryFile, *, clock: Callable[[], float]) -> None:
        self._file, self._connection, self._clock = file, file.connection, clock

    def rename(self, species: str, old: str, new: str) -> None:
        """Call an animal otherwise.

        Raises:
            GalleryError: nobody has the old name, or somebody the new one.
        """
        names.check(self._file, new, "name")
        with self._file.changing(species):
            number = names.bearer(self._file, species, old)
            if names.find(self._file, species, new) is not None:
                raise GalleryError(
                    self._file.path,
                    f"{species} '{new}' is known already",
                    hint="if they are the same animal, merge them",
                )
            self._connection.execute("UPDATE individual SET name = ? WHERE id = ?", (new, number))

    def merge(self, species: str, into: str, other: str) -> None:
        """Two names turned out to be one animal: `other` becomes `into`.

        Raises:
            GalleryError: nobody has one of the names, both are the same, or one photo shows both.
        """
        with self._file.changing(species):
            kept, gone = names.bearer(self._file, species, into), names.bearer(self._file, species, other)
            if kept == gone:
                raise GalleryError(self._file.path, f"{species} '{into}' cannot be merged with itself")
            both = self._connection.execute(
                "SELECT file FROM annotation WHERE individual_id = ? "
                "AND sha256 IN (SELECT sha256 FROM annotation WHERE individual_id = ?)",
                (kept, gone),
            ).fetchone()
            if both is not None:
                raise GalleryError(
                    self._file.path,
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
        names.check(self._file, new, "name")
        with self._file.changing(species):
            number = names.bearer(self._file, species, name)
            if names.find(self._file, species, new) is not None:
                raise GalleryError(self._file.path, f"{species} '{new}' is known already", hint="choose another name")
            mine = self._own_annotations(species, name, number, annotations)
            if not annotations or len(mine) == len(set(annotations)):
                raise GalleryError(
                    self._file.path,
                    f"{species} '{name}': name some of its annotations, not none or all",
                    hint="or rename it",
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
        with self._file.changing(species):
            number = names.bearer(self._file, species, name)
            gone = self._own_annotations(species, name, number, annotations or ())
            if annotations is not None:
                gone = set(annotations)
            self._connection.executemany("DELETE FROM annotation WHERE id = ?", [(one,) for one in gone])
            self._connection.execute(
                "DELETE FROM individual WHERE id = ? AND NOT EXISTS (SELECT 1 FROM annotation WHERE individual_id = ?)",
                (number, number),
            )
        return len(gone)

    def _own_annotations(self, species: str, name: str, number: int, asked: Iterable[int]) -> set[int]:
        """All of an animal's, after checking that `asked` are among them."""
        rows = self._connection.execute("SELECT id FROM annotation WHERE individual_id = ?", (number,))
        mine = {int(row[0]) for row in rows}
        strange = sorted(set(asked) - mine)
        if strange:
            raise GalleryError(
                self._file.path,
                f"{species} '{name}' has no annotation {', '.join(map(str, strange))}",
                hint="`gallery list --annotations` names all",
            )
        return mine
