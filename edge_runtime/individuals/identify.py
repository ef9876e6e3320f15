"""Who is it: one animal, seen in some crops, against the gallery."""

from __future__ import annotations

import logging
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge_runtime.individuals import matching, open_set
from edge_runtime.individuals.gallery import Gallery
from edge_runtime.individuals.open_set import Calibration
from edge_runtime.individuals.records import Group, MadeBy
from edge_runtime.values import Individual

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A known animal that it may be."""

    name: str
    score: float
    """0..1, of its most alike annotation."""
    annotation: int
    """Its id."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What was found, and what it rests on."""

    individual: Individual
    threshold: float
    """A name is believed from here on."""
    calibration: Calibration | None
    """What the threshold rests on; None: the gallery is too small to measure one (`open_set.UNCALIBRATED`)."""
    candidates: tuple[Candidate, ...]
    """The names among the nearest annotations, best first."""


class Identifier:
    """Compares sightings with a gallery; sees changes that others make to it. For one thread.

    Args:
        made_by: the embedder whose embeddings will be asked about.
        threads: CPU threads of a search.

    Raises:
        GalleryError: the gallery holds those of another embedder; also later, from every method.
    """

    def __init__(self, gallery: Gallery, made_by: MadeBy, *, threads: int) -> None:
        gallery.check(made_by)
        self._gallery, self._made_by, self._threads = gallery, made_by, threads
        self._groups: dict[tuple[str, str | None], tuple[Group, Calibration | None] | None] = {}
        self._revision = gallery.revision

    def identify(
        self, species: str, vectors: NDArray[np.floating], *, viewpoint: str | None = None
    ) -> Individual | None:
        """Who the animal is that `vectors` [n, D] show, n crops of it: a name, or None as the name of a new one.

        The score is that of the most alike annotation over all crops; of a new one, how alike it is to the nearest
        known animal.

        Args:
            viewpoint: the side that is seen; None where nobody knows: then all annotations of the species count.

        Returns None where the gallery has nobody of this species and viewpoint.
        """
        answer = self.look(species, vectors, viewpoint=viewpoint)
        return None if answer is None else answer.individual

    def look(self, species: str, vectors: NDArray[np.floating], *, viewpoint: str | None = None) -> Answer | None:
        """The same with everything that the answer rests on.

        Raises:
            ValueError: `vectors` is empty, has not the embedder's dimensions, or one has no direction.
        """
        asked = matching.unit(vectors)
        if asked.shape[1] != self._made_by.dimensions or not len(asked):
            raise ValueError(f"embeddings of shape {asked.shape}, not (n, {self._made_by.dimensions})")
        loaded = self._loaded(species, viewpoint)
        if loaded is None:
            return None
        group, calibration = loaded
        candidates = _candidates(group, matching.nearest(group.matrix, asked, threads=self._threads))
        threshold = open_set.UNCALIBRATED if calibration is None else calibration.threshold(len(asked))
        best = candidates[0]
        known = best.score >= threshold
        return Answer(Individual(best.name if known else None, best.score), threshold, calibration, candidates)

    def _loaded(self, species: str, viewpoint: str | None) -> tuple[Group, Calibration | None] | None:
        revision = self._gallery.revision
        if revision != self._revision:
            self._gallery.check(self._made_by)
            self._groups.clear()
            self._revision = revision
        key = (species, viewpoint)
        if key not in self._groups:
            group = self._gallery.group(species, viewpoint)
            self._groups[key] = (
                None if group is None else (group, calibrated(self._gallery, group, threads=self._threads))
            )
        return self._groups[key]


def calibrated(gallery: Gallery, group: Group, *, threads: int) -> Calibration | None:
    """What was measured on `group`; measured now, and kept, where nothing was since it changed."""
    kept = gallery.calibrations.of(group.species, group.viewpoint)
    if kept is not None:
        return kept
    wanted = gallery.calibrations.wanted(group.species) or open_set.FALSE_ACCEPTS
    made = open_set.calibrate(group.matrix, group.individuals, threads=threads, wanted=wanted)
    if made is None:
        log.warning(
            "%s: fewer than %d animals with two photos: no threshold can be measured; a name counts from %.2f on",
            group.species,
            open_set.LEAST_ANIMALS,
            open_set.UNCALIBRATED,
        )
    else:
        gallery.calibrations.keep(group, made)
    return made


def _candidates(group: Group, found: matching.Neighbours) -> tuple[Candidate, ...]:
    """Of each name the best annotation, over all crops."""
    places, cosines = found.places.ravel(), found.cosines.ravel()
    best: dict[str, Candidate] = {}
    for place in np.argsort(-cosines, kind="stable"):
        row = places[place]
        name = group.names[group.individuals[row]]
        if name not in best:
            best[name] = Candidate(name, matching.score(float(cosines[place])), int(group.annotations[row]))
    return tuple(best.values())
