"""What training scenes are made of: photos, cutouts, and backgrounds in which nothing is known to be."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from edge_runtime.errors import CamtrapEdgeError
from edge_runtime.values import CATEGORIES, Pixels
from export_tools.default_models.detector.cutouts import Cutout
from export_tools.default_models.detector.photos import Photo, Scene

KINDS = (0.78, 0.16, 0.06)
"""Shares of animals, people and vehicles among the cutouts of a staged scene."""
LEAST_FREE = 56
"""Pixels: the narrowest part of a photo that may become a background."""
WEIGHTS = {"coco": 4.0, "cocoperson": 3.0, "pv30": 4.0, "oi600": 2.0, "oi_pc": 2.0, "raccoon": 2.0, "animal20": 1.5}
"""How often a photo of a source is drawn, against 1 for the others: people and vehicles are few."""

Random = np.random.Generator


@dataclass(frozen=True, eq=False)
class Material:
    """What scenes are made of: photos, cutouts, and the parts of the photos in which nothing is known to be.

    Raises:
        CamtrapEdgeError: there is no animal among the cutouts, or no photo has a free part.
    """

    photos: Sequence[Photo]
    cutouts: Sequence[Cutout]
    _shares: NDArray[np.float64] = field(init=False, repr=False)
    _by_kind: tuple[NDArray[np.intp], ...] = field(init=False, repr=False)
    _free: tuple[Pixels, ...] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        weights = np.array([WEIGHTS.get(photo.source, 1.0) for photo in self.photos])
        object.__setattr__(self, "_shares", np.cumsum(weights / weights.sum()))
        kinds = np.array([cutout.category for cutout in self.cutouts])
        by_kind = tuple(np.flatnonzero(kinds == kind) for kind in range(len(CATEGORIES)))
        object.__setattr__(self, "_by_kind", by_kind)
        object.__setattr__(self, "_free", tuple(part for photo in self.photos for part in _free_parts(photo.scene)))
        if not len(by_kind[0]):
            raise CamtrapEdgeError("no animal could be cut out of the photos: more or larger ones are needed")
        if not self._free:
            raise CamtrapEdgeError("no photo has a part without any object: more photos are needed")

    def photo(self, random: Random) -> Scene:
        return self.photos[min(int(np.searchsorted(self._shares, random.random())), len(self.photos) - 1)].scene

    def free(self, random: Random) -> Pixels:
        return self._free[int(random.integers(len(self._free)))]

    def cutout(self, random: Random) -> Cutout:
        kind = self._by_kind[int(random.choice(len(CATEGORIES), p=KINDS))]
        return self.cutouts[int(random.choice(kind if len(kind) else self._by_kind[0]))]


def _free_parts(scene: Scene) -> list[Pixels]:
    """The strips beside, above and below everything that is known to be in a photo, where they are large enough."""
    things = np.concatenate([scene.boxes, scene.ignored])
    if not len(things):
        return [scene.pixels]
    left, top = (int(value) for value in things[:, :2].min(axis=0))
    right, bottom = (int(np.ceil(value)) for value in things[:, 2:].max(axis=0))
    strips = [scene.pixels[:, :left], scene.pixels[:, right:], scene.pixels[:top], scene.pixels[bottom:]]
    return [strip for strip in strips if min(strip.shape[:2]) >= LEAST_FREE and strip.size > 0.12 * scene.pixels.size]
