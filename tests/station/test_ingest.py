"""The station against a real broker: what it acknowledges it holds, whatever fails in between."""

from __future__ import annotations

import itertools
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from edge_runtime.errors import ConfigError
from edge_runtime.settings import Broker, StationSettings
from edge_runtime.station.ingest import Ingest
from edge_runtime.station.store import FILE_NAME, Reader, Store
from edge_runtime.station.values import Gap, StoredCardReport, StoredEvent
from edge_runtime.uplink import topics
from tests.broker import Mosquitto, free_port
from tests.station.device import Device, book, card, event, eventually, message, status

BOOK = book()


@contextmanager
def ingesting(store: Store, broker: Broker, **hooks: Callable[..., None]) -> Iterator[Ingest]:
    ingest = Ingest(StationSettings(data=str(store.file.parent), broker=broker), store, **hooks)
    ingest.start()
    try:
        yield ingest
    finally:
        ingest.stop()


@contextmanager
def device_at(broker: Mosquitto, codebook=BOOK) -> Iterator[Device]:  # type: ignore[no-untyped-def]
    device = Device(broker.port, codebook)
    try:
        yield device
    finally:
        device.close()


def connected(ingest: Ingest) -> None:
    eventually(lambda: ingest.health().connected, "the station is connected")


def sequences(store: Reader) -> list[int]:
    return sorted(each.sequence for each in store.recent_events(10_000))


def test_what_is_acknowledged_is_stored_and_the_gap_is_named(store: Store, broker: Mosquitto) -> None:
    with ingesting(store, broker.settings) as ingest, device_at(broker) as device:
        connected(ingest)
        device.introduce(1, 6)
        device.send(1, [event(0), event(1)])
        device.send(5, [event(4)])
        device.send(4, [event(3)])
        device.send(1, [event(0)])
        eventually(lambda: device.acknowledged == {1, 2, 4, 5}, "all four are acknowledged")
        assert sequences(store) == [1, 2, 4, 5]
        assert store.gaps("ridge") == [Gap(3, 3, awaited=True)]
        device.send(3, [event(2)])
        eventually(lambda: device.acknowledged == {1, 2, 3, 4, 5}, "the gap is filled")


def test_listeners_hear_of_events_and_card_reports_that_can_be_read_back(store: Store, broker: Mosquitto) -> None:
    events: list[StoredEvent] = []
    cards: list[StoredCardReport] = []

    def hear(arrived: StoredEvent) -> None:
        assert arrived in Reader(store.file).recent_events(10)
        events.append(arrived)

    with (
        ingesting(store, broker.settings, on_event=hear, on_card_report=cards.append) as ingest,
        device_at(broker) as device,
    ):
        connected(ingest)
        device.introduce(1, 3)
        device.send(1, [event(0)])
        device.send(2, [card(photos=1204)])
        eventually(lambda: bool(events and cards), "both were heard of")
        assert (events[0].camera, cards[0].photos) == ("cam7", 1204)


def test_a_listener_that_fails_does_not_stop_the_station(store: Store, broker: Mosquitto) -> None:
    def fail(arrived: StoredEvent) -> None:
        raise RuntimeError(arrived.camera)

    with ingesting(store, broker.settings, on_event=fail) as ingest, device_at(broker) as device:
        connected(ingest)
        device.introduce(1, 3)
        device.send(1, [event(0)])
        device.send(2, [event(1)])
        eventually(lambda: device.acknowledged == {1, 2}, "both are acknowledged")


def test_an_unknown_codebook_is_asked_for_and_then_releases_what_was_held(store: Store, broker: Mosquitto) -> None:
    with ingesting(store, broker.settings) as ingest, device_at(broker) as device:
        connected(ingest)
        device.publish(topics.status("ridge"), status(BOOK, 1, 2))
        device.send(1, [event(0)])
        eventually(lambda: any(ack.wants_codebook for ack in device.acks), "the station asks for the codebook")
        asked = device.acks[-1]
        assert int.from_bytes(asked.codebook, "big") == BOOK.wire_id << 18
        assert store.totals().held == 1
        device.publish(topics.codebook("ridge"), BOOK.to_bytes())
        eventually(lambda: device.acknowledged == {1}, "it is acknowledged")
        assert (sequences(store), store.totals().held) == ([1], 0)


def test_a_newer_format_is_held_and_not_acknowledged(store: Store, broker: Mosquitto) -> None:
    with ingesting(store, broker.settings) as ingest, device_at(broker) as device:
        connected(ingest)
        device.introduce(1, 3)
        device.publish(topics.events("ridge"), b"\xff\x01\x02")
        device.send(2, [event(1)])
        eventually(lambda: 2 in device.acknowledged, "the one behind it is acknowledged")
        assert device.acknowledged == {2}
        assert store.totals().held == 1


def test_garbage_on_every_topic_is_counted_and_the_rest_goes_on(store: Store, broker: Mosquitto) -> None:
    with ingesting(store, broker.settings) as ingest, device_at(broker) as device:
        connected(ingest)
        device.introduce(1, 2)
        for kind in topics.FROM_DEVICE:
            device.publish(topics.topic("ridge", kind), b"\x00" + random.Random(4).randbytes(300))
            device.publish(topics.topic("ridge", kind), b"\x00" * 200_000)
        device.publish("ct/1/NO-device/e", b"\x20")
        device.send(1, [event(0)])
        eventually(lambda: device.acknowledged == {1}, "the good one is acknowledged")
        assert store.totals().bad == 9


def test_a_conflict_is_kept_and_the_number_stays_acknowledged(store: Store, broker: Mosquitto) -> None:
    with ingesting(store, broker.settings) as ingest, device_at(broker) as device:
        connected(ingest)
        device.introduce(1, 2)
        device.send(1, [event(0, label=1)])
        device.send(1, [event(0, label=2)])
        eventually(lambda: store.totals().conflicts == 1, "the conflict is kept")
        eventually(lambda: device.acknowledged == {1}, "the number is acknowledged")
        assert [each.counts[0].label for each in store.recent_events(9)] == ["leopard"]


def test_a_station_that_comes_back_tells_every_device_at_once_where_it_stands(store: Store, broker: Mosquitto) -> None:
    with ingesting(store, broker.settings) as ingest, device_at(broker) as device:
        connected(ingest)
        device.introduce(1, 9)
        device.send(1, [event(0)])
        device.send(3, [event(2)])
        eventually(lambda: device.acknowledged == {1, 3}, "the two are acknowledged")
    with device_at(broker) as device, ingesting(store, broker.settings):
        eventually(lambda: device.acknowledged == {1, 3}, "the device hears again what is here")


def test_what_was_sent_while_the_station_was_away_arrives_when_it_is_back(store: Store, broker: Mosquitto) -> None:
    with ingesting(store, broker.settings) as ingest, device_at(broker) as device:
        connected(ingest)
        device.introduce(1, 30)
        device.send(1, [event(0)])
        eventually(lambda: device.acknowledged == {1}, "the first is acknowledged")
        ingest.stop()
        for sequence in range(2, 30):
            device.send(sequence, [event(sequence)])
        with ingesting(store, broker.settings):
            eventually(lambda: device.acknowledged == set(range(1, 30)), "the others are acknowledged")
    assert sequences(store) == list(range(1, 30))
    assert store.totals().duplicates == 0


def test_the_station_waits_for_a_broker_that_is_down_and_survives_its_restarts(store: Store, tmp_path: Path) -> None:
    broker = Mosquitto(tmp_path / "broker")
    with ingesting(store, broker.settings) as ingest:
        eventually(lambda: "refused" in ingest.health().link_problem, "the problem is told")
        try:
            for sequence in range(1, 4):
                broker.start()
                connected(ingest)
                with device_at(broker) as device:
                    device.introduce(1, 4)
                    device.send(sequence, [event(sequence)])
                    eventually(lambda device=device, upto=sequence: upto in device.acknowledged, "acknowledged")
                broker.kill()
                eventually(lambda: not ingest.health().connected, "the loss is noticed")
        finally:
            broker.kill()
    assert sequences(store) == [1, 2, 3]


def test_a_wrong_password_is_told_and_a_missing_password_file_ends_the_start(store: Store, tmp_path: Path) -> None:
    (tmp_path / "passwords").write_text("")
    (tmp_path / "wrong").write_text("wrong\n")
    options = f"allow_anonymous false\npassword_file {tmp_path / 'passwords'}"
    with Mosquitto(tmp_path / "broker", options=options) as broker:
        wrong = Broker(port=broker.port, user="station", password_file=str(tmp_path / "wrong"))
        with ingesting(store, wrong) as ingest:
            eventually(lambda: "refused" in ingest.health().link_problem, "the refusal is told")
    missing = Broker(port=free_port(), user="station", password_file=str(tmp_path / "missing"))
    with pytest.raises(ConfigError, match="missing"), ingesting(store, missing):
        pass


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of one megabyte."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        pytest.skip("mounting a small file system needs root")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def test_on_a_full_disk_nothing_is_acknowledged_and_all_comes_in_once_there_is_space(
    tiny_disk: Path, broker: Mosquitto
) -> None:
    store = Store(tiny_disk / FILE_NAME)
    with ingesting(store, broker.settings) as ingest, device_at(broker) as device:
        connected(ingest)
        device.introduce(1, 60)
        device.send(1, [event(0)])
        eventually(lambda: device.acknowledged == {1}, "the first is acknowledged")
        ballast = tiny_disk / "ballast"
        with ballast.open("wb", buffering=0) as stream, pytest.raises(OSError, match="No space"):
            while True:
                stream.write(bytes(4096))
        # More in one message than the pages that the store's files still have room for.
        for start in range(2, 52, 10):
            device.send(start, [event(number) for number in range(start, start + 10)])
        eventually(lambda: "full" in ingest.health().store_problem, "the full disk is told")
        held = set(sequences(store))
        assert device.acknowledged <= held
        assert held != set(range(1, 52))
        ballast.unlink()
        eventually(lambda: device.acknowledged == set(range(1, 52)), "all are acknowledged")
        assert ingest.health().store_problem == ""
    assert sequences(store) == list(range(1, 52))
    assert store.totals().duplicates == 0
    store.close()


def test_what_could_not_be_stored_is_not_confirmed_to_the_broker_either(tiny_disk: Path, broker: Mosquitto) -> None:
    store = Store(tiny_disk / FILE_NAME)
    with ingesting(store, broker.settings) as ingest, device_at(broker) as device:
        connected(ingest)
        device.introduce(1, 60)
        device.send(1, [event(0)])
        eventually(lambda: device.acknowledged == {1}, "the first is acknowledged")
        ballast = tiny_disk / "ballast"
        with ballast.open("wb", buffering=0) as stream, pytest.raises(OSError, match="No space"):
            while True:
                stream.write(bytes(4096))
        for start in range(2, 52, 10):
            device.send(start, [event(number) for number in range(start, start + 10)])
        eventually(lambda: "full" in ingest.health().store_problem, "the full disk is told")
    # The station is gone with what it could not store; the device says nothing again, only the broker has it.
    ballast.unlink()
    with ingesting(store, broker.settings):
        eventually(lambda: sequences(store) == list(range(1, 52)), "the broker delivers again")
    store.close()


class StationProcess:
    """`edge-station serve` as a process of its own."""

    def __init__(self, folder: Path, port: int) -> None:
        self._config = folder / "station.yaml"
        self._config.write_text(f"data: data\nbroker: {{port: {port}}}\nweb: {{port: 0}}\n")
        self._log = (folder / "station.log").open("ab")
        self.reader = Reader(folder / "data" / FILE_NAME)
        self.start()

    def start(self) -> None:
        command = [sys.executable, "-m", "edge_runtime.station.cli", "serve", "-c", str(self._config)]
        self._process = subprocess.Popen(command, stdout=self._log, stderr=self._log)

    def kill(self) -> None:
        self._process.send_signal(signal.SIGKILL)
        self._process.wait(timeout=10)

    def close(self) -> None:
        self.kill()
        self._log.close()


def test_a_station_killed_again_and_again_loses_nothing_and_doubles_nothing(tmp_path: Path, broker: Mosquitto) -> None:
    chance = random.Random(7)
    with closing(StationProcess(tmp_path, broker.port)) as station, device_at(broker) as device:
        device.introduce(1, 322)
        deliver(device, {1}, chance)
        for last in range(41, 322, 40):
            wanted = set(range(1, last + 1))
            killer = threading.Timer(chance.uniform(0.0, 0.12), station.kill)
            killer.start()
            deliver(device, wanted, chance, killer=killer)
            killer.join()
            assert device.acknowledged <= set(sequences(station.reader))
            station.start()
            deliver(device, wanted, chance)
        assert sequences(station.reader) == sorted(wanted)
        totals = station.reader.totals()
        assert (totals.events, totals.conflicts, totals.held, totals.bad) == (len(wanted), 0, 0, 0)


def deliver(device: Device, wanted: set[int], chance: random.Random, *, killer: threading.Timer | None = None) -> None:
    """Like a device: send what is not acknowledged, in another packing each time, until it is or the killer struck."""
    deadline = time.monotonic() + 60
    while killer.is_alive() if killer else device.acknowledged != wanted:
        assert time.monotonic() < deadline, f"{len(device.acknowledged)} of {len(wanted)} are acknowledged"
        for first in sorted(wanted - device.acknowledged)[:: chance.randint(1, 3)]:
            run = itertools.takewhile(wanted.__contains__, range(first, first + 3))
            device.send(first, [event(number) for number in run])
        time.sleep(0.02)


def test_the_status_is_needed_before_numbers_are_believed(store: Store, broker: Mosquitto) -> None:
    with ingesting(store, broker.settings) as ingest, device_at(broker) as device:
        connected(ingest)
        device.publish(topics.codebook("ridge"), BOOK.to_bytes())
        device.publish(topics.events("ridge"), message(BOOK, 70_001, [event(0)]))
        eventually(lambda: store.totals().held == 1, "it is held")
        device.publish(topics.status("ridge"), status(BOOK, 70_001, 70_002))
        eventually(lambda: sequences(store) == [70_001], "it has its full number")
