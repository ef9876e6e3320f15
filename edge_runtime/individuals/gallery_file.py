"""The gallery's file: its transactions, its revision, and the embedder that everything in it is of."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from edge_runtime import database
from edge_runtime.errors import GalleryError, JournalError
from edge_runtime.individuals.records import MadeBy
from edge_runtime.individuals.schema import MIGRATIONS

_DAMAGED = "it is damaged: take it from a copy or an export"


class GalleryFile:
    """The open file, which the parts of a gallery share. For one thread.

    Raises:
        GalleryError: the file cannot be opened, is damaged, or was made by a newer program; from every method.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self.connection = database.open_database(path, MIGRATIONS)
        except JournalError as error:
            raise GalleryError(path, error.problem, hint=error.hint) from error
        with self.reading():
            self.connection.execute("SELECT revision FROM gallery").fetchone()

    def close(self) -> None:
        self.connection.close()

    @property
    def revision(self) -> int:
        """Goes up with every change, whoever makes it."""
        with self.reading():
            return int(self.connection.execute("SELECT revision FROM gallery").fetchone()[0])

    @property
    def made_by(self) -> MadeBy | None:
        """The embedder of everything in here; None where nothing is."""
        with self.reading():
            row = self.connection.execute("SELECT embedder, dimensions FROM gallery").fetchone()
        return None if row["embedder"] is None else MadeBy(row["embedder"], row["dimensions"])

    def check(self, embedder: MadeBy) -> None:
        """That what `embedder` makes can be compared with what is in here.

        Raises:
            GalleryError: it cannot.
        """
        here = self.made_by
        if here is not None and here != embedder:
            raise GalleryError(
                self.path,
                f"its embeddings were made by {here.title} with {here.dimensions} dimensions, not by {embedder.title} "
                f"with {embedder.dimensions}: they cannot be compared",
                hint="name that embedder, or enrol the photos into a new gallery",
            )

    def claim(self, embedder: MadeBy) -> None:
        """From now on everything in here is `embedder`'s; inside `changing`.

        Raises:
            GalleryError: what is in here is another one's.
        """
        self.check(embedder)
        self.connection.execute(
            "UPDATE gallery SET embedder = ?, dimensions = ?", (embedder.title, embedder.dimensions)
        )

    @contextmanager
    def changing(self, species: str | set[str]) -> Iterator[None]:
        """A transaction that changes the annotations of a species, or of those that the set has at the end of it."""
        with self.writing():
            yield
            changed = {species} if isinstance(species, str) else species
            if changed:
                self.connection.execute("UPDATE gallery SET revision = revision + 1")
                self.connection.executemany("DELETE FROM calibration WHERE species = ?", [(one,) for one in changed])
            # Nothing left to compare with: the next embedder may be another one.
            self.connection.execute(
                "UPDATE gallery SET embedder = NULL, dimensions = NULL WHERE NOT EXISTS (SELECT 1 FROM annotation)"
            )

    @contextmanager
    def writing(self) -> Iterator[None]:
        """A transaction that leaves the annotations as they are."""
        try:
            with database.transaction(self.connection):
                yield
        except sqlite3.Error as error:
            hint = "is the disk full or read-only?" if isinstance(error, sqlite3.OperationalError) else _DAMAGED
            raise GalleryError(self.path, f"cannot be written: {error}", hint=hint) from error

    @contextmanager
    def reading(self) -> Iterator[None]:
        """What goes wrong inside is told as the gallery's error."""
        try:
            yield
        except sqlite3.Error as error:
            raise GalleryError(self.path, f"cannot be read: {error}", hint=_DAMAGED) from error
