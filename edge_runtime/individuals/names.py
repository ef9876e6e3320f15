"""Names of animals: what may be one, and whose it is."""

from __future__ import annotations

from edge_runtime.errors import GalleryError
from edge_runtime.individuals.gallery_file import GalleryFile

MAX_NAME = 40
"""Letters of a name, as of a camera's: it travels to the station. Of a species too."""


def check(file: GalleryFile, name: str, what: str) -> None:
    """That `name` may be one; `what` it is of, for people.

    Raises:
        GalleryError: it may not.
    """
    if not name or name != name.strip() or len(name) > MAX_NAME or not name.isprintable():
        raise GalleryError(file.path, f"{name!r} is no {what}", hint=f"1 to {MAX_NAME} letters, no space at the ends")


def find(file: GalleryFile, species: str, name: str) -> int | None:
    """The id of the animal that has a name; None where nobody has it."""
    row = file.connection.execute(
        "SELECT id FROM individual WHERE species = ? AND name = ?", (species, name)
    ).fetchone()
    return None if row is None else int(row[0])


def bearer(file: GalleryFile, species: str, name: str) -> int:
    """The id of the animal that has a name.

    Raises:
        GalleryError: nobody has it.
    """
    number = find(file, species, name)
    if number is None:
        raise GalleryError(file.path, f"knows no {species} '{name}'", hint="`gallery list` names all")
    return number
