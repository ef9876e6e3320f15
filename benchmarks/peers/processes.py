"""One whole process, from start to results written: how long, how much memory."""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

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
    """Run `command` to its end.

    Raises:
        ProcessFailed: its exit code was not 0.
    """
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        started = time.monotonic()
        process = subprocess.Popen(command, stdout=out, stderr=err, env=dict(environ))
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.monotonic() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        said = []
        for stream in (out, err):
            stream.seek(0)
            said.append(stream.read().decode(errors="replace"))
    if process.returncode != 0:
        raise ProcessFailed(f"ended with {process.returncode}: {(said[1] or said[0]).strip()[-_LAST_WORDS:]}")
    return Run(seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024 / 1e6, said[0])
