"""Where people are, whatever was believed of them later: nothing that is shown may show them."""

from __future__ import annotations

import sqlite3

from edge_runtime.values import Box


class People:
    """The person boxes of one journal, weak ones too.

    They are the detector's own. `Result.detections` will not do: an answer ("vehicle", for a car and its driver) is
    about the whole photo and may have renamed them.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def boxes(self, sha256: bytes, *, frame: int | None = None) -> tuple[Box, ...]:
        """Of the photo with this picture, or of one frame of a video."""
        rows = self._connection.execute(
            "SELECT x1, y1, x2, y2 FROM detection JOIN photo ON photo.id = photo_id "
            "WHERE sha256 = ? AND category = 'person' AND frame IS ?",
            (sha256, frame),
        )
        return tuple(Box(*row) for row in rows)

    def near(self, event_id: int, *, confident: float) -> bool:
        """Whether any photo of the event shows one, found with this confidence at least."""
        row = self._connection.execute(
            "SELECT EXISTS (SELECT 1 FROM photo JOIN detection ON photo.id = photo_id "
            "WHERE event_id = ? AND category = 'person' AND confidence >= ?)",
            (event_id, confident),
        ).fetchone()
        return bool(row[0])
