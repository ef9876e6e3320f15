"""What all commands share, as a shell sees it."""

from __future__ import annotations

import subprocess
import sys


def test_a_reader_who_leaves_ends_the_command_without_a_word() -> None:
    command = [sys.executable, "-m", "edge_runtime.station.cli", "decode", "--examples", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as running:
        assert running.stdout is not None and running.stderr is not None
        running.stdout.close()
        said = running.stderr.read()
        assert (running.wait(timeout=60), said) == (141, b"")
