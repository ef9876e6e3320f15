"""The places of each camera's view that are found again and again (`events.repeats`), in the journal."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath

from edge_runtime.events import repeats
from edge_runtime.events.repeats import Place, State
from edge_runtime.journal import results
from edge_runtime.settings import Repeats as Rule
from edge_runtime.values import Box

log = logging.getLogger(__name__)

SUSPECTS = 32
"""Per cell of a camera's view so many suspected places are remembered, those that were found last. What an animal on
its way leaves behind goes when others have left as much in the same spot, so a camera never has more than
32 x 256 of them; what was held back once, or a person has judged, stays."""


@dataclass(frozen=True, slots=True)
class Sighted:
    """A place, and where to look at it."""

    place: Place
    first: PurePosixPath | None
    last: PurePosixPath | None
    """Files that show it, by the order in which they were read; None where the card's files have changed since."""
    photos: int


class Repeats:
    """The places of one journal. Writes belong into the journal's transaction."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def note(self, photo_id: int, rule: Rule, *, confident: float) -> None:
        """Note the places of a photo's counting detections; its event may be the one that makes one a repeat.

        A place is counted once per event, and only in events that began after the last one that it was found in:
        where a card's photos come out of order, rather too seldom than twice.

        Args:
            confident: least confidence of a detection that counts.
        """
        rows = self._connection.execute(
            "SELECT rank, camera, event_id, x1, y1, x2, y2 FROM detection JOIN photo ON photo.id = photo_id "
            "WHERE photo_id = ? AND confidence >= ?",
            (photo_id, confident),
        ).fetchall()
        for row in rows:
            box = Box(row["x1"], row["y1"], row["x2"], row["y2"])
            if repeats.can_repeat(box, rule):
                place_id = self._found(row["camera"], box, row["event_id"], rule)
                self._connection.execute(
                    "UPDATE detection SET repeat_id = ? WHERE photo_id = ? AND rank = ?",
                    (place_id, photo_id, row["rank"]),
                )

    def judge(self, place_id: int, state: State) -> bool:
        """Let a person's word on a place stand from now on; False where there is no such place."""
        changed = self._connection.execute("UPDATE repeat SET state = ? WHERE id = ?", (state, place_id))
        return changed.rowcount > 0

    def _found(self, camera: str, box: Box, event_id: int, rule: Rule) -> int:
        near = repeats.nearest(box, self._around(camera, box, rule.iou), rule.iou)
        if near is None:
            return self._begin(camera, box, event_id)
        if event_id > near.last_event:
            events = near.events + 1
            state = repeats.state_after(near.state, events, rule)
            self._connection.execute(
                "UPDATE repeat SET events = ?, last_event = ?, state = ? WHERE id = ?",
                (events, event_id, state, near.id),
            )
            if state != near.state:
                log.info("%s: the same place in %d events (repeat %d); held back from now on", camera, events, near.id)
        return near.id

    def _around(self, camera: str, box: Box, least_iou: float) -> Iterator[Place]:
        for span in repeats.cells(box, least_iou):
            rows = self._connection.execute(
                "SELECT * FROM repeat WHERE camera = ? AND cell BETWEEN ? AND ?", (camera, *span)
            )
            yield from map(_place, rows)

    def _begin(self, camera: str, box: Box, event_id: int) -> int:
        cell = repeats.cell(box)
        cursor = self._connection.execute(
            "INSERT INTO repeat (camera, cell, x1, y1, x2, y2, events, last_event, state) "
            "VALUES (?, ?, ?, ?, ?, ?, 1, ?, 'suspect')",
            (camera, cell, box.x1, box.y1, box.x2, box.y2, event_id),
        )
        made = int(cursor.lastrowid or 0)
        # Never the newest: while it stands, SQLite gives its number to no other place, and photos point to numbers.
        self._connection.execute(
            "DELETE FROM repeat WHERE id IN (SELECT id FROM repeat WHERE camera = ? AND cell = ? AND state = 'suspect' "
            "AND id <> ? ORDER BY last_event DESC, events DESC, id DESC LIMIT -1 OFFSET ?)",
            (camera, cell, made, SUSPECTS - 1),
        )
        return made


def sighted(connection: sqlite3.Connection, *, suspects: bool = False) -> list[Sighted]:
    """The places that are held back, and those that a person has judged; by camera, the most frequent first.

    Args:
        suspects: those too that may become one.

    Walks over all detections and files once, so that no photo has to pay for an index that only this wants.
    """
    where = "" if suspects else " WHERE state <> 'suspect'"
    places = [_place(row) for row in connection.execute(f"SELECT * FROM repeat{where}")]
    rows = connection.execute(
        "SELECT repeat_id, MIN(photo_id), MAX(photo_id), COUNT(DISTINCT photo_id) FROM detection "
        f"WHERE repeat_id IN (SELECT id FROM repeat{where}) GROUP BY repeat_id"
    )
    shown = {place_id: (first, last, photos) for place_id, first, last, photos in rows}
    wanted = {photo_id for first, last, _ in shown.values() for photo_id in (first, last)}
    files: dict[int, PurePosixPath] = {}
    if wanted:
        for photo_id, key in connection.execute("SELECT photo_id, path FROM file WHERE NOT duplicate"):
            if photo_id in wanted:
                files[photo_id] = results.path(key)
    listed = []
    for place in sorted(places, key=lambda place: (place.camera, -place.events, place.id)):
        first, last, photos = shown.get(place.id, (None, None, 0))
        listed.append(Sighted(place, files.get(first), files.get(last), photos))
    return listed


def _place(row: sqlite3.Row) -> Place:
    box = Box(row["x1"], row["y1"], row["x2"], row["y2"])
    return Place(row["id"], row["camera"], box, row["events"], row["last_event"], row["state"])
