from __future__ import annotations

import random
from pathlib import Path, PurePosixPath

import pytest

from edge_runtime.events import repeats
from edge_runtime.events.repeats import GRID
from edge_runtime.journal.journal import Journal
from edge_runtime.journal.repeats import SUSPECTS
from edge_runtime.settings import Repeats
from edge_runtime.values import Box, Capture, Detection, FileStamp, Photo

RULE = Repeats(times=3)
BRANCH = Box(0.31, 0.31, 0.41, 0.41)


class Camera:
    """Makes photos of a journal without a card."""

    def __init__(self, journal: Journal) -> None:
        self.journal, self.photos = journal, 0

    def event(self, camera: str = "hut") -> int:
        return self.journal.events.begin(camera, self.photos * 600, "exif")

    def shoot(self, event_id: int, *boxes: Box, camera: str = "hut", confidence: float = 0.9) -> int:
        self.photos += 1
        stamp = FileStamp(Path("/card"), PurePosixPath(f"{self.photos}.jpg"), 1, 1)
        photo = Photo(stamp, self.photos.to_bytes(32, "big"), camera, Capture(1, "exif", "", "", "", 640, 480))
        found = [Detection("animal", confidence, box) for box in boxes]
        photo_id = self.journal.ledger.add_photo(photo, found, empty=not found, event_id=event_id, now_s=1)
        self.journal.repeats.note(photo_id, RULE, confident=0.3)
        return photo_id

    def rows(self) -> list[tuple[int, str, int, str]]:
        rows = self.journal._connection.execute("SELECT id, camera, events, state FROM repeat ORDER BY id")
        return [tuple(row) for row in rows]

    def place_of(self, photo_id: int) -> int | None:
        row = self.journal._connection.execute("SELECT repeat_id FROM detection WHERE photo_id = ?", (photo_id,))
        found = row.fetchone()[0]
        return None if found is None else int(found)


@pytest.fixture
def camera(tmp_path: Path) -> Camera:
    return Camera(Journal(tmp_path / "journal.sqlite", device="a"))


def test_a_place_is_counted_once_an_event_however_many_photos_show_it(camera: Camera) -> None:
    for _ in range(2):
        event = camera.event()
        for _ in range(10):
            camera.shoot(event, BRANCH)
    assert camera.rows() == [(1, "hut", 2, "suspect")]


def test_events_that_take_turns_are_counted_once_each_at_most(camera: Camera) -> None:
    one, other = camera.event(), camera.event()
    for _ in range(10):
        camera.shoot(one, BRANCH)
        camera.shoot(other, BRANCH)
    assert camera.rows() == [(1, "hut", 2, "suspect")]


def test_what_is_too_weak_or_too_large_has_no_place(camera: Camera) -> None:
    camera.shoot(camera.event(), BRANCH, confidence=0.29)
    camera.shoot(camera.event(), Box(0, 0, 0.5, 0.41))
    assert camera.rows() == []


def test_a_branch_that_moves_a_little_in_the_wind_is_one_place(camera: Camera) -> None:
    dice = random.Random(1)
    for _ in range(10):
        dx, dy = dice.uniform(-0.001, 0.001), dice.uniform(-0.001, 0.001)
        camera.shoot(camera.event(), Box(BRANCH.x1 + dx, BRANCH.y1 + dy, BRANCH.x2 + dx, BRANCH.y2 + dy))
    assert camera.rows() == [(1, "hut", 10, "repeat")]


def test_places_that_are_seen_once_do_not_grow_without_end_and_the_branch_among_them_is_found(camera: Camera) -> None:
    dice = random.Random(2)
    with camera.journal.transaction():
        for number in range(6000):
            event = camera.event()
            x, y = dice.uniform(0, 0.2), dice.uniform(0, 0.2)  # a busy corner of the view
            animal = Box(x, y, x + dice.uniform(0.02, 0.2), y + dice.uniform(0.02, 0.2))
            camera.shoot(event, animal, *([Box(0.1, 0.1, 0.2, 0.2)] if number % 100 == 50 else []))
    rows = camera.rows()
    cells = [row[0] for row in camera.journal._connection.execute("SELECT cell FROM repeat WHERE state = 'suspect'")]
    assert max(cells.count(cell) for cell in cells) <= SUSPECTS
    assert len(rows) < GRID * GRID * SUSPECTS and len(rows) < 1000
    assert max(rows, key=lambda row: row[2])[2:] == (60, "repeat")


def test_a_number_never_comes_to_mean_another_place(camera: Camera) -> None:
    dice = random.Random(3)
    given: dict[int, Box] = {}
    with camera.journal.transaction():
        for _ in range(3 * SUSPECTS):
            wide, high = dice.uniform(0.01, 0.2), dice.uniform(0.01, 0.2)
            box = Box(0.53 - wide, 0.53 - high, 0.53 + wide, 0.53 + high)
            place = camera.place_of(camera.shoot(camera.event(), box))
            assert place is not None
            assert repeats.iou(given.setdefault(place, box), box) >= RULE.iou
    assert len(given) > SUSPECTS


def test_what_was_held_back_or_judged_is_not_forgotten(camera: Camera) -> None:
    for _ in range(3):
        camera.shoot(camera.event(), BRANCH)
    real = Box(0.35, 0.35, 0.37, 0.37)
    place = camera.place_of(camera.shoot(camera.event(), real))
    assert place is not None and camera.journal.repeats.judge(place, "real")
    with camera.journal.transaction():
        for number in range(200):
            side = 0.01 + number * 0.001
            camera.shoot(camera.event(), Box(0.36 - side / 2, 0.36 - side / 2, 0.36 + side / 2, 0.36 + side / 2))
    states = {row[0]: row[3] for row in camera.rows()}
    assert (states[1], states[place]) == ("repeat", "real")


def test_nobody_can_judge_a_place_that_is_not_there(camera: Camera) -> None:
    assert not camera.journal.repeats.judge(7, "real")


def test_the_search_for_a_place_goes_by_its_index(camera: Camera) -> None:
    plan = camera.journal._connection.execute(
        "EXPLAIN QUERY PLAN SELECT * FROM repeat WHERE camera = ? AND cell BETWEEN ? AND ?", ("hut", 1, 2)
    ).fetchall()
    assert "USING INDEX repeat_cell (camera=? AND cell>? AND cell<?)" in plan[0]["detail"]
