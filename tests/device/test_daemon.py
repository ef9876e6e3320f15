"""The loop while it runs for ever: it looks at the cards hourly here, so whatever happens sooner happened by itself."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from edge_runtime.daemon import Daemon
from edge_runtime.journal.journal import Journal
from edge_runtime.settings import Cards, DeviceSettings, Events, Uplink
from edge_runtime.uplink.link import Link
from edge_runtime.values import CardReport, Event
from tests.device.conftest import Bench

ANIMAL = {(1, 1): "animal"}
SETTINGS = DeviceSettings(
    device="bench",
    data="",
    cards=Cards(root="", rescan_seconds=3600, settle_seconds=1),
    time_zone="UTC",
    events=Events(gap_seconds=1),
    uplink=Uplink(port=1),  # nobody listens
)


class Running:
    """A daemon in a thread of its own."""

    def __init__(self, bench: Bench, settings: DeviceSettings) -> None:
        def open_journal() -> Journal:
            return Journal(bench.journal.file, device="bench")

        self._reader = open_journal()
        link = Link(settings.uplink, "bench", open_journal, models={}, time_zone="UTC")
        self._daemon = Daemon(settings, bench.journal, bench.pipeline, link)
        self._thread = threading.Thread(target=self._daemon.run)
        self._thread.start()

    def sent(self) -> list[Event | CardReport | None]:
        return [entry.summary for entry in self._reader.outbox.after(0, limit=1000)]

    def until(self, condition: Callable[[], bool], seconds: float = 20.0) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            assert self._thread.is_alive(), "the daemon has ended"
            assert time.monotonic() < deadline, "did not come true"
            time.sleep(0.02)

    def stop(self) -> None:
        self._daemon.stop()
        self._thread.join(20)
        assert not self._thread.is_alive()
        self._reader.close()


@pytest.fixture
def settings(bench: Bench) -> DeviceSettings:
    return msgspec.structs.replace(SETTINGS, cards=msgspec.structs.replace(SETTINGS.cards, root=str(bench.card)))


@pytest.fixture
def start(bench: Bench, settings: DeviceSettings) -> Iterator[Callable[[], Running]]:
    running: list[Running] = []

    def begin() -> Running:
        running.append(Running(bench, settings))
        return running[-1]

    yield begin
    for each in running:
        each.stop()


Start = Callable[[], Running]


def put(bench: Bench, name: str, seconds: float) -> Path:
    """As a camera does it: the whole file appears."""
    made = bench.shoot(f"../made/{Path(name).name}", ANIMAL, seconds=seconds)
    target = bench.card / name
    target.parent.mkdir(parents=True, exist_ok=True)
    return Path(shutil.move(made, target))


def events(running: Running) -> int:
    return sum(isinstance(summary, Event) for summary in running.sent())


def test_a_live_cameras_event_is_closed_and_reported_long_before_the_next_rescan(bench: Bench, start: Start) -> None:
    running = start()
    time.sleep(1.5)  # it has looked at the empty card and waits
    for number in range(3):
        put(bench, f"DCIM/{number}.JPG", seconds=number * 600)
        running.until(lambda count=number: events(running) == count + 1)
    running.until(lambda: isinstance(running.sent()[-1], CardReport))


def test_an_event_that_an_earlier_process_left_open_is_closed_and_reported(bench: Bench, start: Start) -> None:
    bench.shoot("DCIM/1.JPG", ANIMAL)
    bench.take_all()
    assert bench.sent() == []
    running = start()
    running.until(lambda: len(running.sent()) == 2)
    event, report = running.sent()
    assert isinstance(event, Event) and isinstance(report, CardReport) and (report.photos, report.events) == (1, 1)


def test_a_burst_that_goes_on_is_one_event(bench: Bench, start: Start) -> None:
    made = [bench.shoot(f"../made/{number}.JPG", ANIMAL, seconds=number) for number in range(8)]
    running = start()
    for file in made:  # far longer than the gap in all
        shutil.move(file, bench.card)
        time.sleep(0.25)
    running.until(lambda: events(running) == 1)
    assert [summary.photos for summary in running.sent() if isinstance(summary, Event)] == [8]


def test_a_camera_that_never_rests_does_not_hold_up_another_ones_event(bench: Bench, start: Start) -> None:
    running = start()
    put(bench, "OTHER/1.JPG", seconds=0)
    for number in range(40):
        put(bench, f"BUSY/{number}.JPG", seconds=number)
        time.sleep(0.3)
        if events(running):
            break
    assert [event.camera for event in running.sent() if isinstance(event, Event)] == ["OTHER"]


def test_the_last_event_of_a_card_that_was_pulled_is_closed(bench: Bench, start: Start) -> None:
    running = start()
    put(bench, "DCIM/1.JPG", seconds=0)
    running.until(lambda: bench.journal.file.exists() and len(running._reader.events.open()) == 1)
    shutil.rmtree(bench.card)
    running.until(lambda: events(running) == 1)


def test_a_new_video_is_reported_though_no_photo_came(bench: Bench, start: Start) -> None:
    running = start()
    (bench.card / "V.MP4").write_bytes(b"x")
    running.until(lambda: len(running.sent()) == 1)
    (report,) = running.sent()
    assert isinstance(report, CardReport) and report.videos == 1
