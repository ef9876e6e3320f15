"""`edge-bench run` for tests: in this process, and as one of its own."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks import cli
from benchmarks.document import reading
from benchmarks.document.schema import Document


def measured(output: Path, *arguments: object) -> list[Document]:
    """Run `edge-bench run` in this process; the documents that it wrote, sorted by name."""
    assert cli.main(["run", *map(str, arguments), "-o", str(output)]) == 0
    documents, problems = reading.read_all([output])
    assert not problems
    return [document for _, document in documents]


def started(output: Path, *arguments: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "benchmarks.cli", "run", *map(str, arguments), "-o", str(output)]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=_can_be_interrupted
    )


def _can_be_interrupted() -> None:
    # What a shell starts in the background ignores SIGINT, and so do its children.
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def wait_for_workers(run: subprocess.Popen[str], count: int) -> None:
    """Until `run` has started so many workers, those that have ended included."""
    seen: set[int] = set()
    until = time.monotonic() + 60
    while len(seen) < count:
        assert run.poll() is None and time.monotonic() < until, f"{len(seen)} of {count} workers were started"
        seen.update(workers_of(run.pid))
        time.sleep(0.1)


def workers_of(parent: int) -> Sequence[int]:
    told = subprocess.run(["ps", "-eo", "ppid,pid,args"], capture_output=True, text=True, check=True).stdout
    rows = [line.split(None, 2) for line in told.splitlines()[1:]]
    return [int(pid) for ppid, pid, words in rows if int(ppid) == parent and "benchmarks.worker" in words]
