"""Animals of known geometry: each a direction, its photos scattered around it."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge_runtime.individuals import matching
from edge_runtime.individuals.gallery import Gallery
from edge_runtime.individuals.records import MadeBy, Shown
from edge_runtime.values import Box

DIMENSIONS = 24
MADE_BY = MadeBy("a test's embedder 1 (0123456789ab)", DIMENSIONS)
BOX = Box(0.1, 0.2, 0.6, 0.9)


@dataclass
class Population:
    """Animals of one kind; `scatter` is how much two photos of one differ."""

    chance: np.random.Generator
    scatter: float = 0.8
    dimensions: int = DIMENSIONS

    def animals(self, count: int) -> NDArray[np.float32]:
        """[count, D] directions."""
        return matching.unit(self.chance.standard_normal((count, self.dimensions)))

    def photos(
        self, animals: NDArray[np.float32], least: int, most: int
    ) -> tuple[NDArray[np.float16], NDArray[np.intp]]:
        """`least` to `most` photos of each, and which animal each shows."""
        who = np.repeat(np.arange(len(animals)), self.chance.integers(least, most + 1, len(animals)))
        spread = self.scatter / np.sqrt(self.dimensions) * self.chance.standard_normal((len(who), self.dimensions))
        return matching.unit(animals[who] + spread).astype(np.float16), who


def population(seed: int, scatter: float = 0.8) -> Population:
    return Population(np.random.default_rng(seed), scatter)


def by_animal(hits: NDArray[np.bool_], who: NDArray[np.intp]) -> float:
    """The mean over animals of the share of each one's photos that were hit."""
    return float(np.mean([hits[who == one].mean() for one in np.unique(who)]))


def shown(
    name: str,
    vector: Sequence[float] | NDArray[np.floating],
    photo: str,
    *,
    species: str = "leopard",
    viewpoint: str = "",
    box: Box = BOX,
) -> Shown:
    """An animal in the photo called `photo`."""
    whole = np.zeros(DIMENSIONS, np.float32)
    whole[: len(vector)] = vector
    return Shown(species, name, whole, hashlib.sha256(photo.encode()).digest(), photo, box, viewpoint)


def fill(
    gallery: Gallery, vectors: NDArray[np.floating], who: NDArray[np.intp], *, species: str = "leopard", side: str = ""
) -> None:
    """Enrol photos of animals that are named by their numbers."""
    entries = (
        shown(f"{species[0].upper()}{animal}", vector, f"{species}-{side}-{place}.jpg", species=species, viewpoint=side)
        for place, (vector, animal) in enumerate(zip(vectors, who, strict=True))
    )
    gallery.enrol(entries, MADE_BY)


def open_gallery(folder: Path) -> Gallery:
    """One whose clock stands at 1000."""
    return Gallery(folder / "gallery.sqlite", clock=lambda: 1000.0)
