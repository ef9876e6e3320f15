"""Embedders compared in directions and in neighbours.

The bar on the cosine is held against the **mean**: a median would not see one crop in ten that points elsewhere, and
the least of all crops would be the most unlucky one.

A **rank-1 flip** is a crop whose most alike other crop is another one than before. Shots of one burst are almost
equally alike, so a flip counts only where the reference itself saw the new neighbour as less alike by more than `TIE`;
the plain share stands beside it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from edge_runtime.bundles.bundle import Bundle
from edge_runtime.models.embedder import Embedder
from edge_runtime.values import Crop
from export_tools.accuracy.intervals import mean, quantile, wilson
from export_tools.proof.evidence import Evidence, Judge, estimate_measure, from_estimate, from_share, share_measure
from export_tools.samples import progress

COSINE, UNFLIPPED, ENOUGH = 0.995, 0.99, 100
TIE = 0.005
"""Of cosine: as much as the embedding itself may turn."""
MEAN, SAME = "cosine, mean", "same most alike crop, ties aside"


class EmbedderJudge:
    """Compares embedders with a reference on the same crops.

    Args:
        reference: its first variant is the reference.
        crops: what is to be embedded.
        groups: of each crop; those of one group (one photo, say) are no neighbours of each other. None: each its own.
        vectors: what the reference gives, [N, D], where that is known already.

    Raises:
        EngineError, BundleError: the reference cannot be loaded or run.
    """

    def __init__(
        self,
        reference: Bundle,
        crops: Sequence[Crop],
        groups: Sequence[str] | None = None,
        *,
        vectors: NDArray[np.float64] | None = None,
    ) -> None:
        self._reference, self._crops = reference, crops
        self._groups = [str(place) for place in range(len(crops))] if groups is None else list(groups)
        self._before = run(reference, crops) if vectors is None else vectors

    def part(self, places: Sequence[int]) -> Judge:
        return EmbedderJudge(
            self._reference,
            [self._crops[place] for place in places],
            [self._groups[place] for place in places],
            vectors=self._before[list(places)],
        )

    def evidence(self, bundle: Bundle) -> Evidence:
        after = run(bundle, self._crops)
        cosines = (self._before * after).sum(axis=1)
        number = len(cosines)
        average = mean(cosines)
        plain, apart = self._neighbours(after)
        unflipped = wilson(len(apart) - int(apart.sum()), len(apart))
        return Evidence(
            samples=number,
            measures=(
                estimate_measure(MEAN, average, number),
                estimate_measure("cosine, median", quantile(cosines, 0.5), number),
                estimate_measure("cosine, lowest 5 %", quantile(cosines, 0.05), number),
                estimate_measure("cosine, least", quantile(cosines, 0.0), number),
                share_measure(SAME, unflipped),
                share_measure("same most alike crop", wilson(len(plain) - int(plain.sum()), len(plain))),
            ),
            checks=(
                from_estimate(MEAN, average, number, least=COSINE, enough=ENOUGH),
                from_share(SAME, unflipped, least=UNFLIPPED, enough=ENOUGH),
            ),
            loss=float(1 - average.value) if number else 0.0,
            each=tuple(map(float, 1 - cosines)),
        )

    def _neighbours(self, after: NDArray[np.float64]) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Of the crops that have neighbours: whether the most alike one changed, and whether by more than a tie."""
        if len(set(self._groups)) < 2:
            return np.zeros(0, np.bool_), np.zeros(0, np.bool_)
        was, now = neighbours(self._before, self._groups), neighbours(after, self._groups)
        lead = (self._before * (self._before[was] - self._before[now])).sum(axis=1)
        return was != now, (was != now) & (lead > TIE)


def neighbours(vectors: NDArray[np.float64], groups: Sequence[str]) -> NDArray[np.intp]:
    """The place of each vector's nearest neighbour by cosine among those of other groups.

    Args:
        vectors: [N, D], of length 1.
        groups: of each vector; those of one group (shots of one scene, say) are no neighbours of each other.
    """
    names = np.array(groups)
    likeness = vectors @ vectors.T
    likeness[names[:, None] == names[None]] = -np.inf
    nearest: NDArray[np.intp] = likeness.argmax(axis=1)
    return nearest


def run(bundle: Bundle, crops: Sequence[Crop]) -> NDArray[np.float64]:
    """Embeddings [N, D] of length 1 by the bundle's first variant.

    Raises:
        EngineError, BundleError: it cannot be loaded or run.
    """
    embedder = Embedder(bundle, threads=1)
    vectors = [embedder.embed([crop])[0].vector for crop in progress(crops, "comparing decisions")]
    return np.array(vectors, np.float64).reshape(len(vectors), -1)
