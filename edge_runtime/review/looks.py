"""How the animals of a card's photos look, for a selection that wants to cover all looks."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge_runtime.errors import EngineError, PhotoError, UnreadablePhotoError
from edge_runtime.intake import completeness, decode, identity
from edge_runtime.journal.people import People
from edge_runtime.journal.results import Result
from edge_runtime.models import crops
from edge_runtime.models.embedder import Embedder
from edge_runtime.review import queue
from edge_runtime.values import FileStamp


@dataclass
class Looks:
    """Embeddings of animals and the photos that they are from."""

    rows: list[NDArray[np.float32]] = field(default_factory=list)
    owners: list[int] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    """Photos that could not be looked at, each with its reason."""

    @property
    def matrix(self) -> NDArray[np.float32]:
        """[n, d]; [0, 0] without any."""
        return np.stack(self.rows) if self.rows else np.zeros((0, 0), np.float32)


class Looker:
    """Looks at photos again, at one after another; the card is only read.

    Args:
        card: the folder that the results' paths count from.
        max_pixels: a larger photo is refused.
    """

    def __init__(self, card: Path, embedder: Embedder, people: People, *, max_pixels: int) -> None:
        self._card, self._embedder, self._people, self._max_pixels = card, embedder, people, max_pixels

    def look(self, photos: Iterable[tuple[int, Result]]) -> Looks:
        """The looks of the animals that count, 4 d bytes each, by the number given to each photo. People never.

        Raises:
            CardGoneError: the card vanished.
        """
        made = Looks()
        for number, result in photos:
            try:
                rows = self._embed(result)
            except (PhotoError, EngineError) as error:
                made.failed.append(str(error))
                continue
            made.rows += rows
            made.owners += [number] * len(rows)
        return made

    def _embed(self, result: Result) -> list[NDArray[np.float32]]:
        file = self._card / result.path
        if result.video:
            raise UnreadablePhotoError(file, "is a video; looks are taken from photos alone")
        try:
            found = os.lstat(file)
        except OSError as error:
            raise PhotoError(file, error.strerror or str(error), final=False) from error
        data = identity.read(FileStamp(self._card, result.path, found.st_size, found.st_mtime_ns))
        if identity.picture_hash(data, completeness.check(data, file).end) != result.sha256:
            raise UnreadablePhotoError(file, "another photo has its name on this card")
        people = self._people.boxes(result.sha256)
        animals = [found for found in queue.animals(result) if not crops.hidden(found, people)]
        if not animals:
            return []
        with decode.open_photo(data, file, max_pixels=self._max_pixels) as image:
            frame = decode.decode(data, image, file, at_least=(1, 1))
        cut = crops.cut_all(frame, animals, self._embedder.bundle.manifest, people=people)
        return [embedding.vector for embedding in self._embedder.embed(cut)]
