"""Who is compared with whom, and who waits for whom, with looks that take as long as the test wants."""

from __future__ import annotations

import io
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from edge_runtime.errors import CardGoneError
from edge_runtime.prefilter import turns
from edge_runtime.prefilter.turns import Turn
from edge_runtime.values import Capture, FileStamp, Photo

GAP_S = 60


@dataclass(frozen=True)
class Shot:
    """A photo by what it shows: `scene` is an even gray; `found` is what the detector would say."""

    scene: int = 100
    time_s: int | None = 0
    camera: str = "CAM"
    size: tuple[int, int] = (320, 240)
    found: bool = False
    copy_of: int | None = None
    fails: bool = False
    known: bool = False

    @property
    def jpeg(self) -> bytes:
        stream = io.BytesIO()
        pixels = np.full((self.size[1], self.size[0], 3), 100, np.uint8)
        pixels[40:200, 40:80] = self.scene
        Image.fromarray(pixels).save(stream, "JPEG")
        return stream.getvalue()


class Card:
    """Looks at shots as the pipeline does; keeps what was inferred and how many were in hand at once."""

    def __init__(self, shots: Sequence[Shot], infer: Callable[[int], None] = lambda number: None) -> None:
        self.shots, self.infer = shots, infer
        self.inferred: set[int] = set()

    def look(self, number: int, /, *, turn: Turn) -> str:
        shot = self.shots[number]
        if shot.known:
            return "known"
        data = shot.jpeg
        picture = number if shot.copy_of is None else shot.copy_of
        capture = Capture(shot.time_s, "exif", "", "", "", *shot.size)
        stamp = FileStamp(Path("/card"), PurePosixPath(f"{number}.jpg"), 1, 1)
        photo = Photo(stamp, picture.to_bytes(32, "big"), shot.camera, capture)
        with Image.open(io.BytesIO(data)) as image:
            if turn.nothing_changed(photo, data, image):
                return "passed over"
        self.infer(number)
        if shot.fails:
            raise CardGoneError(Path("/card"), "pulled")
        self.inferred.add(number)
        turn.looked(empty=not shot.found)
        return "found" if shot.found else "empty"

    def run(self, workers: int) -> list[str]:
        ahead = workers + 8 if workers > 1 else 1
        ready = turns.in_order(range(len(self.shots)), self.look, workers=workers, ahead=ahead, gap_s=GAP_S)
        return [result for group in ready for _, result in group]


@pytest.mark.parametrize(
    ("second", "becomes"),
    [
        (Shot(time_s=1), "passed over"),
        (Shot(time_s=GAP_S), "passed over"),
        (Shot(time_s=GAP_S + 1), "empty"),
        (Shot(time_s=None), "empty"),
        (Shot(time_s=1, camera="OTHER"), "empty"),
        (Shot(time_s=1, size=(320, 248)), "empty"),
        (Shot(time_s=1, scene=130), "empty"),
        (Shot(time_s=1, known=True), "known"),
    ],
)
def test_only_the_same_view_of_the_same_burst_is_passed_over(second: Shot, becomes: str) -> None:
    assert Card([Shot(), second]).run(1) == ["empty", becomes]


def test_frames_are_compared_with_the_last_that_was_inferred_so_that_slow_changes_add_up() -> None:
    creeping = [Shot(scene=100 + step, time_s=step) for step in range(12)]
    seen = Card(creeping).run(1)
    assert seen[0] == "empty" and "passed over" in seen and seen.count("empty") >= 2


def test_nothing_is_passed_over_while_something_was_found_however_still_it_stands() -> None:
    still = [Shot(scene=160, time_s=second, found=True) for second in range(5)]
    assert Card(still).run(1) == ["found"] * 5
    assert Card([Shot(), Shot(scene=160, time_s=1, found=True), Shot(time_s=2), Shot(time_s=3)]).run(1) == [
        "empty",
        "found",
        "empty",
        "passed over",
    ]


def test_a_burst_goes_on_from_frame_to_frame_however_long_it_lasts() -> None:
    seen = Card([Shot(time_s=50 * number) for number in range(10)]).run(1)
    assert seen == ["empty"] + ["passed over"] * 9


@pytest.mark.parametrize("between", [Shot(known=True), Shot(time_s=1, copy_of=0)])
def test_behind_a_photo_that_is_known_there_is_no_reference(between: Shot) -> None:
    last = Card([Shot(), between, Shot(time_s=2), Shot(time_s=3)]).run(1)[2:]
    assert last == ["empty", "passed over"]


shots = st.lists(
    st.builds(
        Shot,
        scene=st.sampled_from([100, 160]),
        time_s=st.integers(0, 200),
        camera=st.sampled_from(["A", "A", "B"]),
        found=st.booleans(),
        copy_of=st.none() | st.integers(0, 3),
        known=st.sampled_from([False, False, False, True]),
    ),
    max_size=25,
)


@settings(deadline=None, max_examples=40)
@given(shots, st.integers(2, 5), st.randoms(use_true_random=False))
def test_however_many_work_and_however_long_each_takes_the_results_are_those_of_one(
    card: list[Shot], workers: int, chance: object
) -> None:
    card = sorted(card, key=lambda shot: shot.camera)
    delays = [chance.random() * 0.004 for _ in card]  # type: ignore[attr-defined]
    assert Card(card, lambda number: time.sleep(delays[number])).run(workers) == Card(card).run(1)


def test_while_a_burst_waits_for_its_first_frame_other_bursts_are_inferred() -> None:
    other_began = threading.Event()

    def infer(number: int) -> None:
        if number == 0:
            assert other_began.wait(20), "the waiting frames held up the other burst"
        if number == 6:
            other_began.set()

    empty = [Shot(time_s=second) for second in range(6)]
    card = Card([*empty, *(Shot(time_s=1000 + second) for second in range(2))], infer)
    assert card.run(2) == ["empty", *["passed over"] * 5, "empty", "passed over"]


def test_frames_that_differ_do_not_wait_for_each_other() -> None:
    both = threading.Barrier(2, timeout=20)
    card = Card([Shot(found=True), Shot(scene=160, time_s=1, found=True)], lambda number: both.wait() and None)
    assert card.run(2) == ["found", "found"]


def test_no_more_are_in_hand_than_there_are_workers() -> None:
    in_hand, most, lock = 0, 0, threading.Lock()

    def infer(number: int) -> None:
        nonlocal in_hand, most
        with lock:
            in_hand += 1
            most = max(most, in_hand)
        time.sleep(0.005)
        with lock:
            in_hand -= 1

    card = Card([Shot(scene=100 + 50 * (number % 2), time_s=number) for number in range(30)], infer)
    card.run(3)
    assert most == 3


def test_a_frame_that_fails_lets_those_behind_it_go_on() -> None:
    card = Card([Shot(), Shot(scene=160, time_s=1, fails=True), *(Shot(scene=160, time_s=2) for _ in range(9))])
    with pytest.raises(CardGoneError):
        card.run(3)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("look")]


def test_stopping_in_the_middle_leaves_no_one_waiting() -> None:
    for _ in range(60):
        card = Card([Shot(time_s=second) for second in range(40)], lambda number: time.sleep(0.001))
        running: Iterator[object] = turns.in_order(range(40), card.look, workers=2, ahead=10, gap_s=GAP_S)
        next(running)
        running.close()  # type: ignore[attr-defined]
        assert not [thread for thread in threading.enumerate() if thread.name.startswith("look")]
