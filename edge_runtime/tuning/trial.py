"""One candidate looks at the sample in a process of its own: `python -m edge_runtime.tuning.trial`.

Takes a job from standard input and answers on standard output, one JSON object a line: `{"loaded": true}` once the
model is there, then an `Answer`, or `{"problem": ...}` in place of either. Alone in its process, a candidate's memory
is its own, and what makes it crash ends nothing else.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath
from typing import Any, TextIO
from zoneinfo import ZoneInfo

from edge_runtime import overlap
from edge_runtime.bundles import bundle as bundles
from edge_runtime.device import children, memory
from edge_runtime.errors import CamtrapEdgeError
from edge_runtime.journal.journal import FILE_NAME, Journal
from edge_runtime.models.detector import Detector
from edge_runtime.pipeline import FINISHED_AHEAD, Pipeline
from edge_runtime.recording import Failed, Look, Seen
from edge_runtime.rules import Rules
from edge_runtime.settings import Decode
from edge_runtime.tuning.plan import Setup
from edge_runtime.values import Box, Detection, FailureKind, FileStamp

LEAST_PHOTOS = 8
"""So many are looked at however slow the model is."""
_WINDOW = 8
_WINDOWS = 8
_CONVERGED = 0.1
_ALONE = 12
"""Photos that are looked at once more by a single thread."""


@dataclass(frozen=True, slots=True)
class Job:
    """What to run and on which photos."""

    bundle: str
    setup: Setup
    photos: tuple[FileStamp, ...]
    max_pixels: int
    decode: Decode = "reduced"
    limit_s: float | None = None
    """After so many seconds no further photo is taken; None for all."""
    least_s: float = 0.0
    """A pass shorter than so many seconds is done again, until all are as long."""
    alone: bool = False
    """Also look at some of them with one thread, and compare."""

    def to_json(self) -> str:
        files = [(str(one.card), str(one.path), one.size, one.mtime_ns) for one in self.photos]
        return json.dumps({**asdict(self), "photos": files})

    @staticmethod
    def from_json(text: str) -> Job:
        told = json.loads(text)
        told["setup"] = Setup(**told["setup"])
        told["photos"] = tuple(FileStamp(Path(c), PurePosixPath(p), size, t) for c, p, size, t in told["photos"])
        return Job(**told)


@dataclass(frozen=True, slots=True)
class Answer:
    """What one process saw."""

    seconds: float
    """Of one pass over the photos, the mean where there were several; without loading and warming up."""
    found: tuple[tuple[Detection, ...], ...]
    """By photo, in the job's order; as many as were looked at. Nothing for a photo that cannot be read."""
    peak_mb: float
    differs: int
    """Photos whose answer was another one when they were looked at alone."""

    def to_json(self) -> str:
        found = [[(one.category, one.confidence, *asdict(one.box).values()) for one in photo] for photo in self.found]
        return json.dumps({**asdict(self), "found": found})

    @staticmethod
    def from_dict(told: dict[str, Any]) -> Answer:
        found = [tuple(Detection(kind, sure, Box(*box)) for kind, sure, *box in photo) for photo in told["found"]]
        return Answer(told["seconds"], tuple(found), told["peak_mb"], told["differs"])


def main() -> int:
    """Do the job; returns the exit code, 0 also where a problem was told."""
    memory.return_large_blocks()
    children.go_first_where_memory_runs_out()
    # Runtimes print what they like on standard output; only answers may be there.
    with os.fdopen(os.dup(1), "w", encoding="utf-8") as answers:
        os.dup2(2, 1)
        try:
            _work(Job.from_json(sys.stdin.read()), answers)
        except CamtrapEdgeError as error:
            _say(answers, json.dumps({"problem": str(error)}))
        except MemoryError:
            _say(answers, json.dumps({"problem": "out of memory"}))
    return 0


def _work(job: Job, answers: TextIO) -> None:
    setup = job.setup
    bundle = bundles.load(Path(job.bundle), task="detector").only(setup.variant)
    detector = Detector(bundle, threads=setup.threads, streams=setup.streams)
    _say(answers, json.dumps({"loaded": True}))
    confident = bundle.manifest.thresholds.confident
    rules = Rules(ZoneInfo("UTC"), (), job.max_pixels, gap_s=60, confident=confident, decode=job.decode)
    with tempfile.TemporaryDirectory(prefix="camtrap-edge-tune-") as folder:
        # Empty, and stays so: a photo that is in the journal is not looked at again.
        journal = Journal(Path(folder) / FILE_NAME, device="tune")
        try:
            pipeline = Pipeline(journal, detector, None, rules, workers=setup.workers)
            _warm_up(pipeline, job.photos[:_WINDOW], setup)
            found, seconds, passes = [], 0.0, 0
            while not passes or (job.limit_s is None and seconds < job.least_s):
                started = time.perf_counter()
                found = _pass(pipeline, job.photos, setup, limit_s=job.limit_s)
                seconds, passes = seconds + time.perf_counter() - started, passes + 1
            peak_mb = (children.peak_bytes() or 0) / 1e6
            alone = [_detections(pipeline.look((stamp, True))) for stamp in job.photos[: _ALONE if job.alone else 0]]
        finally:
            journal.close()
    differs = sum(one != other for one, other in zip(alone, found, strict=False))
    _say(answers, Answer(seconds / passes, tuple(found), peak_mb, differs).to_json())


def _warm_up(pipeline: Pipeline, photos: Sequence[FileStamp], setup: Setup) -> None:
    """Look at a few photos again and again until that takes as long as it did the time before."""
    before = 0.0
    for _ in range(_WINDOWS):
        started = time.perf_counter()
        _pass(pipeline, photos, setup)
        seconds = time.perf_counter() - started
        if abs(seconds - before) <= _CONVERGED * before:
            return
        before = seconds


def _pass(
    pipeline: Pipeline, photos: Sequence[FileStamp], setup: Setup, *, limit_s: float | None = None
) -> list[tuple[Detection, ...]]:
    started = time.perf_counter()

    def work() -> Iterator[tuple[FileStamp, bool]]:
        for index, stamp in enumerate(photos):
            if limit_s is not None and index >= LEAST_PHOTOS and time.perf_counter() - started > limit_s:
                return
            yield stamp, True

    ahead = setup.workers + FINISHED_AHEAD
    with contextlib.closing(overlap.in_order(work(), pipeline.look, workers=setup.workers, ahead=ahead)) as looks:
        return [_detections(look) for ready in looks for _, look in ready]


def _detections(look: Look) -> tuple[Detection, ...]:
    """Raises CamtrapEdgeError where the inference failed: that is the candidate's fault, not the photo's."""
    if isinstance(look, Failed) and look.kind is FailureKind.INFERENCE:
        raise CamtrapEdgeError(look.problem)
    return look.detections if isinstance(look, Seen) else ()


def _say(answers: TextIO, line: str) -> None:
    answers.write(line + "\n")
    answers.flush()


if __name__ == "__main__":
    sys.exit(main())
