"""What a gallery takes and gives."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge_runtime.values import Box


@dataclass(frozen=True, slots=True)
class MadeBy:
    """An embedder, as far as comparing goes."""

    title: str
    """`Bundle.title`."""
    dimensions: int


@dataclass(frozen=True, slots=True)
class Shown:
    """One animal in one photo, to be enrolled."""

    species: str
    name: str
    vector: NDArray[np.floating]
    """[D], any length but 0."""
    sha256: bytes
    """Of the photo, 32 bytes."""
    file: str
    """Where it lay, for people."""
    box: Box
    viewpoint: str = ""
    """"left", "right" ... where an animal's sides differ; empty where nobody says."""
    added_s: int | None = None
    """UTC seconds since 1970; None for now."""


@dataclass(frozen=True, slots=True)
class Annotation:
    """One animal in one photo, as the gallery keeps it, without its vector."""

    id: int
    species: str
    name: str
    viewpoint: str
    sha256: bytes
    file: str
    box: Box
    added_s: int


@dataclass(frozen=True, slots=True)
class Known:
    """One individual."""

    species: str
    name: str
    annotations: int
    viewpoints: tuple[str, ...]
    added_s: int


@dataclass(frozen=True, slots=True)
class Group:
    """Everything that one sighting is compared with."""

    species: str
    viewpoint: str | None
    """None: all of them."""
    matrix: NDArray[np.float16]
    """[N, D], rows of length 1."""
    individuals: NDArray[np.intp]
    """[N]: places in `names`."""
    names: tuple[str, ...]
    annotations: NDArray[np.int64]
    """[N]: their ids."""
    revision: int
    """Of the gallery when it was read."""


@dataclass(frozen=True, slots=True)
class Enrolled:
    """What became of annotations."""

    added: int
    known: int
    """Already there, under the same name."""
    conflicts: tuple[str, ...] = ()
    """Left out because they are enrolled under another name, in words."""
