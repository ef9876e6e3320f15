"""How the animals of open events look: kept until their event is closed, so that a restart forgets nobody."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from edge_runtime.values import Detection


class Embeddings:
    """The embeddings of one journal, float16. Writes belong into the journal's transaction."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def add(self, photo_id: int, detections: Sequence[Detection], model: str) -> None:
        """Keep those that the detections of a photo have.

        Args:
            model: title of the embedder's bundle.
        """
        self._connection.executemany(
            "INSERT INTO embedding (photo_id, rank, model, vector) VALUES (?, ?, ?, ?)",
            [
                (photo_id, rank, model, found.embedding.vector.astype(np.float16).tobytes())
                for rank, found in enumerate(detections)
                if found.embedding is not None
            ],
        )

    def take(self, event_id: int, model: str) -> dict[tuple[int, int], NDArray[np.float16]]:
        """Those of an event by photo and rank, [D] each; they are gone from the journal then.

        Those of another embedder than `model` are left out: the device was given a new one meanwhile.
        """
        photos = "FROM embedding WHERE photo_id IN (SELECT id FROM photo WHERE event_id = ?)"
        rows = self._connection.execute(f"SELECT photo_id, rank, model, vector {photos}", (event_id,)).fetchall()
        self._connection.execute(f"DELETE {photos}", (event_id,))
        return {(row[0], row[1]): np.frombuffer(row[3], np.float16) for row in rows if row[2] == model}
