"""The whole way as processes: a real mosquitto, the daemon's command and the station's command."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml

from edge_runtime import status
from edge_runtime.errors import JournalError
from edge_runtime.settings import read_device
from edge_runtime.station.store import FILE_NAME, Reader
from tests.broker import Mosquitto
from tests.card_plan import EventTruth


class Program:
    """One of our commands as a process."""

    def __init__(self, log: Path, *command: str) -> None:
        self._log, self._command = log, (sys.executable, "-m", *command)
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> Program:
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(self._command, stdout=log, stderr=log)
        return self

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def kill(self) -> None:
        """SIGKILL."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(timeout=10)

    def stop(self) -> int:
        """SIGTERM; the exit code."""
        assert self._process is not None
        self._process.terminate()
        return self._process.wait(timeout=20)

    def wait(self, seconds: float) -> int:
        """Until it ends by itself; the exit code."""
        assert self._process is not None
        try:
            return self._process.wait(timeout=seconds)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"did not end within {seconds} s:\n{self.log()}") from None

    def log(self) -> str:
        return self._log.read_text()[-4000:]


class Field:
    """A device, a broker and a station in one folder."""

    def __init__(self, folder: Path, detector: Path) -> None:
        self.folder, self.card = folder, folder / "card"
        self.card.mkdir()
        # What a broker promised and did not write is gone with it: our own promises must hold without it.
        self.broker = Mosquitto(folder / "broker", options="persistence false")
        self.device_file, self.station_file = folder / "device.yaml", folder / "station.yaml"
        self.device_file.write_text(
            yaml.safe_dump(
                {
                    "device": "field-1",
                    "data": "device",
                    "cards": {"root": "card", "rescan_seconds": 1, "settle_seconds": 1},
                    "time_zone": "UTC",
                    "models": {"detector": str(detector), "classifier": "none", "threads": 1},
                    "repeats": "off",  # the plan's animals know sixteen places
                    "uplink": {
                        "port": self.broker.port,
                        "ack_timeout_seconds": 2,
                        "reconnect_min_seconds": 0.1,
                        "reconnect_max_seconds": 1,
                        "drain_seconds": 60,
                    },
                }
            )
        )
        self.station_file.write_text(
            yaml.safe_dump({"data": "station", "broker": {"port": self.broker.port}, "web": {"port": 0}})
        )
        self._daemons: list[Program] = []
        self.station = Program(
            folder / "station.log", "edge_runtime.station.cli", "serve", "-c", str(self.station_file)
        )

    def daemon(self, *options: str) -> Program:
        command = ("edge_runtime.cli", "run", "-c", str(self.device_file), *options)
        self._daemons.append(Program(self.folder / "device.log", *command))
        return self._daemons[-1]

    @property
    def store(self) -> Reader:
        return Reader(self.folder / "station" / FILE_NAME)

    def status(self) -> status.Status | None:
        try:
            return status.read(read_device(self.device_file))
        except JournalError:
            return None

    def events(self) -> list[EventTruth]:
        """What the station has: camera by camera, each in the order of the sequence numbers.

        A camera's last event stays open until the card is read, so cameras may overlap.
        """
        try:
            stored = self.store.recent_events(100_000)
        except JournalError:
            return []
        return [
            (event.camera, event.start_s or 0, event.images, tuple(sorted((c.label, c.count) for c in event.counts)))
            for event in sorted(stored, key=lambda event: (event.camera, event.sequence))
        ]

    def until(self, condition: Callable[[], bool], seconds: float, what: str) -> None:
        """Wait for something that must come true."""
        deadline = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > deadline:
                logs = "\n".join(file.read_text()[-3000:] for file in sorted(self.folder.glob("*.log")))
                raise AssertionError(f"not within {seconds} s: {what}\n{logs}")
            time.sleep(0.05)

    def close(self) -> None:
        for program in (*self._daemons, self.station, self.broker):
            program.kill()


@pytest.fixture
def field(tmp_path: Path, colour_bundle: Path) -> Iterator[Field]:
    made = Field(tmp_path, colour_bundle)
    yield made
    made.close()
