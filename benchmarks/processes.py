"""Running a worker process, and hearing what it has to say."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Callable

import msgspec

from benchmarks.document.schema import Process
from benchmarks.worker import Job, Line
from edge_runtime.device import children
from edge_runtime.errors import CamtrapEdgeError

OnDone = Callable[[int], None]
"""Called with the queries that are done so far."""


class WorkerError(CamtrapEdgeError):
    """A worker process came to no answer."""

    def __init__(self, problem: str, *, exit_code: int = 1) -> None:
        self.exit_code = exit_code
        super().__init__(problem)


def run(job: Job, on_done: OnDone) -> Process:
    """Do a job in a fresh process.

    Raises:
        WorkerError: the process told a problem or crashed; what it said last is in the text.
    """
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as errors:
        # A session of its own: an interrupt is for us, who end it below.
        worker = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            start_new_session=True,
        )
        try:
            last = _talk(worker, job, on_done)
        finally:
            if worker.poll() is None and sys.exc_info()[0] is not None:
                worker.kill()
            worker.wait()
            for pipe in (worker.stdin, worker.stdout):
                if pipe is not None:
                    pipe.close()
        if last.problem:
            raise WorkerError(last.problem, exit_code=last.exit_code)
        if last.process is None:
            errors.seek(0)
            raise WorkerError(f"the process {children.why_it_ended(worker.returncode, errors.read())}")
        return last.process


def _talk(worker: subprocess.Popen[bytes], job: Job, on_done: OnDone) -> Line:
    assert worker.stdin is not None and worker.stdout is not None
    try:
        worker.stdin.write(msgspec.json.encode(job))
        worker.stdin.close()
    except BrokenPipeError:
        return Line()
    line = Line()
    for text in worker.stdout:
        line = msgspec.json.decode(text, type=Line)
        if line.done is not None:
            on_done(line.done)
    return line
