"""The station when something fails under it: its broker, its disk, itself."""

from __future__ import annotations

import itertools
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from edge_runtime.station.store import FILE_NAME, Reader, Store
from tests.broker import Mosquitto
from tests.station.device import Device, connected, device_at, event, eventually, ingesting, sequences


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
