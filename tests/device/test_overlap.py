"""Several photos in hand at once: order, back-pressure, failures and the end in the middle."""

from __future__ import annotations

import shutil
import sqlite3
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge_runtime import batch, overlap
from edge_runtime.errors import CardGoneError
from edge_runtime.intake import scan
from edge_runtime.pipeline import FINISHED_AHEAD, Outcome, Work
from edge_runtime.values import FileStamp
from tests.device.conftest import RULES, Bench

ANIMAL = {(1, 1): "animal"}
EVENTS, PHOTOS = 12, 3


def shoot_card(bench: Bench) -> None:
    """Events of three photos each, in scan order, a minute and more apart; every third photo empty."""
    for event in range(EVENTS):
        for number in range(PHOTOS):
            cells = ANIMAL if number else {}
            bench.shoot(f"CAM/IMG_{event * PHOTOS + number:04d}.JPG", cells, seconds=event * 120 + number)


def results(bench: Bench) -> list[object]:
    return [(result.path, result.failure, result.detections) for result in bench.journal.ledger.results()]


def test_four_workers_record_exactly_what_one_does(bench: Bench, tmp_path: Path) -> None:
    shoot_card(bench)
    (bench.card / "CAM/IMG_0004.JPG").write_bytes(b"this is no picture")
    shutil.copyfile(bench.card / "CAM/IMG_0001.JPG", bench.card / "CAM/IMG_0002_COPY.JPG")
    one = bench.take_all()
    bench.pipeline.close_events()
    expected, events = results(bench), bench.events()
    bench.journal.close()

    bench.restart(tmp_path / "other")
    bench.rebuild(workers=4)
    assert bench.take_all() == one
    bench.pipeline.close_events()
    assert results(bench) == expected and bench.events() == events
    assert len(events) == EVENTS


def test_copies_looked_at_at_once_are_one_photo(bench: Bench) -> None:
    bench.rebuild(workers=4)
    file = bench.shoot("1.JPG", ANIMAL)
    for number in range(2, 6):
        shutil.copyfile(file, bench.card / f"{number}.JPG")
    assert bench.take_all() == [Outcome.FOUND] + [Outcome.DUPLICATE] * 4


def test_no_more_of_the_card_is_taken_in_hand_than_the_workers_and_a_few(bench: Bench) -> None:
    shoot_card(bench)
    bench.rebuild(workers=2)
    read = 0

    def work() -> Iterator[Work]:
        nonlocal read
        for stamp in scan.scan(bench.card).photos:
            read += 1
            yield stamp, True

    taken = 0
    for _ in bench.pipeline.take_all(work()):
        taken += 1
        assert read - taken <= 2 * (2 + FINISHED_AHEAD)
    assert taken == read == EVENTS * PHOTOS


def test_a_caller_who_stops_in_the_middle_leaves_whole_photos_and_the_rest_for_the_next_run(bench: Bench) -> None:
    shoot_card(bench)
    bench.rebuild(workers=3)
    work = [(stamp, True) for stamp in scan.scan(bench.card).photos]
    running = bench.pipeline.take_all(work)
    for _ in range(5):
        next(running)
    running.close()
    done = len(list(bench.journal.ledger.results()))
    assert 5 <= done < EVENTS * PHOTOS
    assert not at_work()
    assert bench.take_all().count(Outcome.DUPLICATE) == done
    bench.pipeline.close_events()
    assert len(bench.events()) == EVENTS


def test_a_card_that_vanishes_keeps_what_came_before_it_and_nothing_of_what_came_after(bench: Bench) -> None:
    for name in ("A/1.JPG", "A/2.JPG", "B/1.JPG", "C/1.JPG"):
        bench.shoot(name, ANIMAL)
    work = [(stamp, True) for stamp in scan.scan(bench.card).photos]
    shutil.rmtree(bench.card / "B")
    bench.rebuild(workers=3)
    with pytest.raises(CardGoneError):
        list(bench.pipeline.take_all(work))
    assert [str(result.path) for result in bench.journal.ledger.results()] == ["A/1.JPG", "A/2.JPG"]


def at_work() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.startswith("look")]


def test_whoever_breaks_off_leaves_nobody_at_work_who_would_ask_a_closed_journal(bench: Bench, tmp_path: Path) -> None:
    shoot_card(bench)

    def break_off(stamp: FileStamp, outcome: Outcome) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt) as caught:
        batch.process(
            bench.card,
            tmp_path / "results.json",
            detector=bench.detector,
            classifier=None,
            rules=RULES,
            workers=3,
            on_start=lambda files, resumed: None,
            on_outcome=break_off,
        )
    assert caught.value.__traceback__ and not at_work()


def test_photos_whose_transaction_fails_are_all_taken_again(bench: Bench) -> None:
    shoot_card(bench)
    bench.rebuild(workers=3)
    database = bench.journal._connection
    full = "WHEN (SELECT COUNT(*) FROM photo) >= 7 BEGIN SELECT RAISE(ABORT, 'full'); END"
    database.execute(f"CREATE TRIGGER full BEFORE INSERT ON photo {full}")
    with pytest.raises(sqlite3.Error, match="full") as caught:
        bench.take_all()
    # What holds the error holds the frames that it came through: it must not be their end that stops the threads.
    assert caught.value.__traceback__ and not at_work()
    assert bench.journal.ledger.totals().photos <= 7
    database.execute("DROP TRIGGER full")
    bench.take_all()
    bench.pipeline.close_events()
    assert bench.journal.ledger.totals().photos == EVENTS * PHOTOS
    assert [event[2] for event in bench.events()] == [PHOTOS] * EVENTS


def test_results_come_in_order_however_long_each_takes() -> None:
    def work(number: int) -> int:
        time.sleep(0.02 if number % 3 == 0 else 0)
        return number * number

    ready = list(overlap.in_order(range(30), work, workers=4, ahead=8))
    assert [pair for group in ready for pair in group] == [(number, number * number) for number in range(30)]
    assert any(len(group) > 1 for group in ready)


def test_an_error_comes_at_its_turn_after_all_that_was_before_it() -> None:
    def work(number: int) -> int:
        if number == 5:
            raise ValueError("five")
        return number

    seen: list[int] = []
    with pytest.raises(ValueError, match="five"):
        for group in overlap.in_order(range(30), work, workers=4, ahead=8):
            seen += [number for number, _ in group]
    assert seen == [0, 1, 2, 3, 4]
