"""One whole process, from start to results written: how long, how much memory."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

_MEASURED = Path(__file__).with_name("measured.py")
_LAST_WORDS = 600


class ProcessFailed(Exception):
    """A command ended with an error; says what it said last."""


@dataclass(frozen=True)
class Run:
    """Megabytes are 10^6 bytes."""

    seconds: float
    cpu_seconds: float
    """User and system, all threads and waited-for children."""
    peak_mb: float
    """Largest resident set of the largest process."""
    output: str
    """What it wrote to stdout."""


def run(command: Sequence[str], environ: Mapping[str, str]) -> Run:
    """Run `command`, whose first word is a full path, to its end.

    Raises:
        ProcessFailed: its exit code was not 0.
    """
    with tempfile.TemporaryDirectory(prefix="camtrap-edge-run-") as name:
        report = Path(name) / "report.json"
        launch = [sys.executable, "-I", "-S", str(_MEASURED), str(report), *command]
        done = subprocess.run(launch, capture_output=True, text=True, errors="replace", env=dict(environ))
        if done.returncode != 0:
            raise ProcessFailed(f"ended with an error: {(done.stderr or done.stdout).strip()[-_LAST_WORDS:]}")
        return Run(**json.loads(report.read_text()), output=done.stdout)
