"""Where a photo's time goes on this device: stage by stage with one thread, and all threads together."""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from edge_runtime.device import page_cache
from edge_runtime.journal.journal import FILE_NAME, Journal
from edge_runtime.laps import STAGES, Stage, StopWatch
from edge_runtime.pipeline import Pipeline
from edge_runtime.tuning.advice import Circumstances, advise
from edge_runtime.values import FileStamp

ROUNDS = 3
_COPIES: tuple[Stage, ...] = ("h2d", "d2h")
"""Where there is a GPU."""
MakePipeline = Callable[[Journal], Pipeline]
Progress = Callable[[str, int, int], None]
"""Called with what is being done, the steps done and the steps in all."""


@dataclass(frozen=True, slots=True)
class StageTime:
    """One stage with one thread."""

    stage: Stage
    median_ms: float
    """Over the photos; of each photo the median over the rounds."""
    share: float
    """Of all stages' time, summed over the photos, 0..1."""


@dataclass(frozen=True, slots=True)
class Slowness:
    """Where the time goes."""

    photos: int
    mean_megabytes: float
    stages: tuple[StageTime, ...]
    cpus: int
    floor_photos_per_s: float
    """Decoding and inference alone, one thread each, spread evenly over `cpus`."""
    reached_photos_per_s: float
    """By the whole way with all threads, on the same photos in the same run; median of the rounds."""
    dominates: Stage
    advice: str

    @property
    def of_the_floor(self) -> float:
        return self.reached_photos_per_s / self.floor_photos_per_s


def measure(
    photos: Sequence[FileStamp],
    watch: StopWatch,
    single: MakePipeline,
    overlapped: MakePipeline,
    *,
    cpus: int,
    data: Path,
    now: Circumstances,
    progress: Progress,
    rounds: int = ROUNDS,
) -> Slowness:
    """Bring `photos` into throw-away journals on the disk of `data`, one thread and all threads in turn.

    The system's memory of the files is dropped before each round, so that reading is reading from the card.

    Args:
        watch: is told the stages of what `single` makes.
        single: makes the pipeline whose stages are timed, on one thread.
        overlapped: makes the one that works as the device does.
        cpus: CPU threads that inference may keep busy.
        data: a folder on the disk whose commits are timed; only a temporary folder is made in it.
        now: what the advice depends on.

    Raises:
        CamtrapEdgeError: the disk cannot be written, the card vanished.
    """
    steps = len(photos) * 2 * (rounds + 1)
    taken: list[list[dict[Stage, float]]] = []
    together: list[float] = []
    # One round more than are counted: the first of each warms up.
    for number in range(rounds + 1):
        name = f"round {number} of {rounds}" if number else "warming up"
        done = len(photos) * 2 * number
        progress(f"{name}: stage by stage", done, steps)
        page_cache.forget(stamp.full_path for stamp in photos)
        with _throw_away(data) as journal:
            pipeline = single(journal)
            taken.append([_timed(pipeline, stamp, watch) for stamp in photos])
        progress(f"{name}: all threads", done + len(photos), steps)
        page_cache.forget(stamp.full_path for stamp in photos)
        with _throw_away(data) as journal:
            pipeline = overlapped(journal)
            started = time.perf_counter()
            with closing(pipeline.take_all((stamp, True) for stamp in photos)) as outcomes:
                for _ in outcomes:
                    pass
            together.append(time.perf_counter() - started)
    progress("done", steps, steps)
    return _summed(photos, taken[1:], together[1:], cpus, now)


def _timed(pipeline: Pipeline, stamp: FileStamp, watch: StopWatch) -> dict[Stage, float]:
    watch.take()
    look = pipeline.look((stamp, True), watch)
    watch.restart()
    pipeline.record([((stamp, True), look)])
    watch("journal")
    return watch.take()


def _summed(
    photos: Sequence[FileStamp],
    rounds: Sequence[Sequence[dict[Stage, float]]],
    together: Sequence[float],
    cpus: int,
    now: Circumstances,
) -> Slowness:
    each = {
        stage: [statistics.median(one[index][stage] for one in rounds) for index in range(len(photos))]
        for stage in STAGES
    }
    sums = {stage: sum(seconds) for stage, seconds in each.items()}
    whole = sum(sums.values())
    there = [stage for stage in STAGES if sums[stage] or stage not in _COPIES]
    alone = sums["decode"] + sums["infer"] + sum(sums[stage] for stage in _COPIES)
    dominates = max(STAGES, key=lambda stage: sums[stage])
    megabytes = sum(stamp.size for stamp in photos) / 1e6
    return Slowness(
        photos=len(photos),
        mean_megabytes=megabytes / len(photos),
        stages=tuple(StageTime(s, statistics.median(each[s]) * 1000, sums[s] / whole) for s in there),
        cpus=cpus,
        floor_photos_per_s=cpus * len(photos) / alone,
        reached_photos_per_s=len(photos) / statistics.median(together),
        dominates=dominates,
        advice=advise(dominates, now, card_mb_s=megabytes / max(sums["read"], 1e-9)),
    )


@contextmanager
def _throw_away(data: Path) -> Iterator[Journal]:
    data.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="why-slow-", dir=data) as folder:
        journal = Journal(Path(folder) / FILE_NAME, device="why-slow")
        try:
            yield journal
        finally:
            journal.close()
