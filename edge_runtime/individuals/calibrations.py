"""What was measured on the gallery, and what the user wants of it."""

from __future__ import annotations

import msgspec

from edge_runtime.individuals.gallery_file import GalleryFile
from edge_runtime.individuals.open_set import Calibration
from edge_runtime.individuals.records import Group

ALL = "*"
"""In the table: of all viewpoints together."""


class Calibrations:
    """Thresholds measured on the gallery as it is; a change to a species throws its thresholds away.

    Raises:
        GalleryError: the file cannot be read or written; from every method.
    """

    def __init__(self, file: GalleryFile) -> None:
        self._file, self._connection = file, file.connection

    def of(self, species: str, viewpoint: str | None) -> Calibration | None:
        """What was measured since the last change to the species; None where nothing was."""
        with self._file.reading():
            row = self._connection.execute(
                "SELECT body FROM calibration WHERE species = ? AND viewpoint = ?", (species, _key(viewpoint))
            ).fetchone()
        return None if row is None else msgspec.json.decode(row[0], type=Calibration)

    def keep(self, group: Group, calibration: Calibration) -> None:
        """Remember what was measured on `group`, unless the gallery has changed since it was read."""
        with self._file.writing():
            now = self._connection.execute("SELECT revision FROM gallery").fetchone()[0]
            if now == group.revision:
                self._connection.execute(
                    "INSERT OR REPLACE INTO calibration VALUES (?, ?, ?)",
                    (group.species, _key(group.viewpoint), msgspec.json.encode(calibration).decode()),
                )

    def wanted(self, species: str) -> float | None:
        """The rate that the user wants for a species; None where nothing was said."""
        with self._file.reading():
            row = self._connection.execute("SELECT rate FROM false_accepts WHERE species = ?", (species,)).fetchone()
        return None if row is None else float(row[0])

    def want(self, species: str, rate: float) -> None:
        """From now on the threshold of a species is measured for this rate."""
        with self._file.changing(species):
            self._connection.execute("INSERT OR REPLACE INTO false_accepts VALUES (?, ?)", (species, rate))


def _key(viewpoint: str | None) -> str:
    return ALL if viewpoint is None else viewpoint
