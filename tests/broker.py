"""A real mosquitto for tests: its own port, its own files, started, stopped and killed at will."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from pathlib import Path

import pytest

from edge_runtime.settings import Broker
from edge_runtime.tryout.ports import free_port

PROGRAM = shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin:/opt/homebrew/sbin")
START_SECONDS = 10.0


class Mosquitto:
    """One broker. The port stays the same over restarts; persistent sessions survive `stop` and `kill`.

    Args:
        folder: for its configuration, its log and what it persists.
        port: any free one by default.
        options: further lines of mosquitto.conf.
    """

    def __init__(self, folder: Path, port: int | None = None, *, options: str = "") -> None:
        if PROGRAM is None:
            pytest.skip("mosquitto is not installed (Debian: apt-get install mosquitto)")
        folder.mkdir(parents=True, exist_ok=True)
        self.port = port or free_port()
        self._log = folder / "mosquitto.log"
        self._config = folder / "mosquitto.conf"
        access = "" if "allow_anonymous" in options else "allow_anonymous true\n"
        # `autosave_on_changes` with an interval of 1 writes the database after every change, so that a kill -9 of
        # the broker tests what a broker promises when its persistence is set up with care.
        self._config.write_text(
            f"listener {self.port} 127.0.0.1\n{access}persistence true\npersistence_location {folder}/\n"
            f"autosave_interval 1\nautosave_on_changes true\nuser root\n{options}\n"
        )
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def settings(self) -> Broker:
        return Broker(host="127.0.0.1", port=self.port)

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self) -> Mosquitto:
        assert PROGRAM is not None
        with self._log.open("ab") as log:
            self._process = subprocess.Popen([PROGRAM, "-c", str(self._config)], stdout=log, stderr=log)
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
                return self
            except OSError:
                if not self.running or time.monotonic() > deadline:
                    raise AssertionError(f"mosquitto did not start: {self._log.read_text()[-2000:]}") from None
                time.sleep(0.02)

    def stop(self) -> None:
        """SIGTERM: it writes its database and goes."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(timeout=10)

    def kill(self) -> None:
        """SIGKILL: what it had not written is gone."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(timeout=10)

    def restart(self) -> None:
        self.stop()
        self.start()

    def __enter__(self) -> Mosquitto:
        return self.start()

    def __exit__(self, *error: object) -> None:
        self.kill()
