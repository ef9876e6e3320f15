"""Recognising animals on their way into the journal: who is worth embedding, and who it then is."""

from __future__ import annotations

import logging
import threading
from collections.abc import Collection, Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge_runtime.individuals.gallery import Gallery
from edge_runtime.individuals.identify import Identifier
from edge_runtime.individuals.privacy import shows_person
from edge_runtime.individuals.records import MadeBy
from edge_runtime.values import Detection, Individual

log = logging.getLogger(__name__)

LIKELY = 0.05
"""An animal is embedded where the classifier gives this much to a species that the gallery knows: what single crops
are unsure of, their event may be sure of, and by then the pixels are gone."""


class Recogniser:
    """A gallery beside the pipeline; changes that others make to it count at once.

    Args:
        classified: whether a classifier names the animals. Without one, all are of the gallery's species if it has
            only one.
        threads: CPU threads of a search.

    Raises:
        GalleryError: the file cannot be used, or another embedder made its embeddings; also later, from each method.
    """

    def __init__(self, file: Path, made_by: MadeBy, *, classified: bool, threads: int) -> None:
        self.made_by = made_by
        self._gallery, self._classified = Gallery(file), classified
        self._identifier = Identifier(self._gallery, made_by, threads=threads)
        self._lock = threading.Lock()
        self._species: frozenset[str] = frozenset()
        self._revision = -1

    def warn_of_strangers(self, names: Collection[str]) -> None:
        """Say which of the gallery's species are none of `names`, which the classifier can say."""
        for species in sorted(self._known() - set(names)) if self._classified else ():
            log.warning("the gallery's '%s' is no name that the classifier can say: none will be recognised", species)

    def chosen(self, detections: Iterable[Detection], *, confident: float) -> list[int]:
        """Which detections of a frame to embed, by their places; for any thread. Never people, nor what they hide."""
        found = list(detections)
        animals = [place for place, one in enumerate(found) if one.category == "animal" and one.confidence >= confident]
        if not animals:
            return []
        known = self._known()
        return [
            place
            for place in animals
            if self._may_be_one_of(known, found[place]) and not shows_person(found[place].box, found)
        ]

    def who(self, species: str | None, vectors: NDArray[np.floating]) -> Individual | None:
        """Who the animal is that `vectors` [n, D] show; None where the gallery has nobody of its species.

        Args:
            species: None where it has no name.
        """
        with self._lock:
            known = self._gallery.species()
            if species is None and not self._classified and len(known) == 1:
                (species,) = known
            return None if species is None else self._identifier.identify(species, vectors)

    def close(self) -> None:
        self._gallery.close()

    def _known(self) -> frozenset[str]:
        with self._lock:
            revision = self._gallery.revision
            if revision != self._revision:
                self._species, self._revision = frozenset(self._gallery.species()), revision
            return self._species

    def _may_be_one_of(self, known: frozenset[str], found: Detection) -> bool:
        if not self._classified:
            return len(known) == 1
        likely = {name for name, score in found.scores if score >= LIKELY}
        return not known.isdisjoint(likely | ({found.species.name} if found.species else set()))
