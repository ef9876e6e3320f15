"""One process of a measurement: `python -m benchmarks.worker`.

Takes a `Job` from standard input and answers on standard output, one `Line` of JSON each: how many queries are done now
and then, at last the process' samples, or a problem in their place. Alone in its process, a model's memory is its own,
and what makes it crash ends nothing else.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import TextIO

import msgspec
import psutil

from benchmarks import looking
from benchmarks.document.schema import Process, Scenario, Warmup
from benchmarks.looking import Looker, Split
from benchmarks.scenarios import MEASURES, ONE_QUERY
from benchmarks.scenarios.protocol import Samples, Task
from benchmarks.statistics import warmup
from edge_runtime.bundles import bundle as bundles
from edge_runtime.device import children, memory
from edge_runtime.engines import engine_cache
from edge_runtime.errors import CamtrapEdgeError
from edge_runtime.tuning.plan import Setup
from edge_runtime.values import FileStamp

_TELLS_EVERY_S = 0.5
_FEW = 3
"""Queries of a warm-up at least, however slow the model is."""


class Job(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What to measure, and on which photos."""

    bundle: str
    variant: str
    engine: str
    threads: int
    streams: int
    scenario: Scenario
    card: str
    photos: tuple[tuple[str, int, int], ...]
    """Path below `card`, size, time of change in ns: as the scan saw it."""
    seconds: float
    queries: int
    warm_up_s: float
    """No further query for warming up is begun after so long."""
    zero_ns: int
    """Of the monotonic clock: what times in the answer count from."""
    spawned_ns: int

    @property
    def stamps(self) -> list[FileStamp]:
        return [FileStamp(Path(self.card), PurePosixPath(path), size, ns) for path, size, ns in self.photos]


class Line(msgspec.Struct, frozen=True, omit_defaults=True):
    """One line of an answer."""

    done: int | None = None
    """Queries so far."""
    problem: str = ""
    process: Process | None = None
    exit_code: int = 1


def main() -> int:
    """Do the job; returns the exit code, 0 also where a problem was told."""
    memory.return_large_blocks()
    children.go_first_where_memory_runs_out()
    # Runtimes print what they like on standard output; only answers may be there.
    with os.fdopen(os.dup(1), "w", encoding="utf-8") as answers:
        os.dup2(2, 1)
        try:
            job = msgspec.json.decode(sys.stdin.buffer.read(), type=Job)
            _say(answers, Line(process=_work(job, answers)))
        except CamtrapEdgeError as error:
            _say(answers, Line(problem=str(error), exit_code=error.exit_code))
        except MemoryError:
            _say(answers, Line(problem="out of memory"))
    return 0


def _work(job: Job, answers: TextIO) -> Process:
    setup = Setup(job.variant, job.engine, job.threads, job.streams)
    bundle = bundles.load(Path(job.bundle), task=None).only(job.variant)
    engines_before, opening = _built_engines(), time.monotonic_ns()
    looker = looking.load(bundle, threads=job.threads, streams=job.streams)
    memory.trim()
    loaded = time.monotonic_ns()
    stamps = job.stamps
    task = Task(looker, setup, stamps, job.seconds, job.queries, job.spawned_ns)
    if job.scenario in ONE_QUERY:
        # Nothing may be warm before the burst; the first inference is told apart afterwards.
        warmed = Warmup(queries=0, converged=False)
        samples, usage = _measured(job, task, answers)
        first_ns = _first_inference(looker, stamps[0])
    else:
        first_ns = _first_inference(looker, stamps[0])
        warmed = _warm_up(looker, stamps[0], job.warm_up_s)
        samples, usage = _measured(job, task, answers)
    return Process(
        started_ns=job.spawned_ns - job.zero_ns,
        engine_build_ns=loaded - opening if _built_engines() - engines_before else None,
        load_ns=loaded - job.spawned_ns,
        first_inference_ns=first_ns,
        warmup=warmed,
        photo=tuple(samples.photo),
        start_ns=tuple(start - job.zero_ns for start in samples.start_ns),
        samples_ns={stage: tuple(each) for stage, each in samples.ns.items()},
        photos=samples.photos,
        wall_ns=usage.wall_ns,
        cpu_ns=usage.cpu_ns,
        others_cpu_share=usage.others,
        peak_rss_bytes=children.peak_bytes(),
    )


def _measured(job: Job, task: Task, answers: TextIO) -> tuple[Samples, _Usage]:
    samples, usage = Samples(), _Usage(since_ns=job.spawned_ns if job.scenario == "trap" else time.monotonic_ns())
    with _telling(samples, answers):
        MEASURES[job.scenario](task, samples)
    usage.end()
    return samples, usage


class _Usage:
    """Processor time from here to `end`: this process' own, and the share of the machine's that others took."""

    def __init__(self, since_ns: int) -> None:
        self._since, self._machine, self._own = since_ns, psutil.cpu_times(), time.process_time_ns()
        self._began = time.monotonic_ns()
        self.wall_ns = self.cpu_ns = 0
        self.others: float | None = None

    def end(self) -> None:
        now, own = time.monotonic_ns(), time.process_time_ns() - self._own
        self.wall_ns, self.cpu_ns = now - self._since, own
        passed = (now - self._began) / 1e9 * (os.cpu_count() or 1)
        busy = _busy(psutil.cpu_times()) - _busy(self._machine)
        # The kernel counts in hundredths of a second: what is too short says nothing.
        if passed > 0.5:
            self.others = min(1.0, max(0.0, (busy - own / 1e9) / passed))


def _busy(times: object) -> float:
    """Seconds in which a processor worked, or its hypervisor gave it to somebody else."""
    names = ("user", "nice", "system", "irq", "softirq", "steal")  # guests' time is part of the users'
    return float(sum(getattr(times, name, 0.0) for name in names))


def _first_inference(looker: Looker, stamp: FileStamp) -> int:
    split = Split()
    looker.look(stamp, split)
    return split.ns["infer"]


def _warm_up(looker: Looker, stamp: FileStamp, seconds: float) -> Warmup:
    """Look at one photo until that takes the same time again and again."""
    until = time.monotonic() + seconds
    taken: list[int] = []
    while len(taken) < warmup.MOST and not warmup.converged(taken):
        if len(taken) >= _FEW and time.monotonic() >= until:
            break
        split = Split()
        looker.look(stamp, split)
        taken.append(split.whole_ns)
    return Warmup(queries=len(taken), converged=warmup.converged(taken))


@contextlib.contextmanager
def _telling(samples: Samples, answers: TextIO) -> Iterator[None]:
    """Tell how many queries are done, now and then."""
    over = threading.Event()

    def tell() -> None:
        while not over.wait(_TELLS_EVERY_S):
            _say(answers, Line(done=len(samples.photo)))

    thread = threading.Thread(target=tell, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _built_engines() -> frozenset[str]:
    """What lies in the folder of engines that were built here."""
    with contextlib.suppress(OSError):
        return frozenset(file.name for file in engine_cache.cache_folder().iterdir())
    return frozenset()


def _say(answers: TextIO, line: Line) -> None:
    answers.write(msgspec.json.encode(line).decode() + "\n")
    answers.flush()


if __name__ == "__main__":
    sys.exit(main())
