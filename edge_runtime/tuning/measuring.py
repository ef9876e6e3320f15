"""Every candidate against every other: in turn, each time in a fresh process, until the time is up."""

from __future__ import annotations

import json
import random
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from edge_runtime.bundles.bundle import Bundle
from edge_runtime.device import children
from edge_runtime.errors import EngineError
from edge_runtime.settings import Decode
from edge_runtime.tuning import agreement, plan
from edge_runtime.tuning.agreement import Agreement, Found
from edge_runtime.tuning.plan import Setup
from edge_runtime.tuning.sample import Sample
from edge_runtime.tuning.trial import LEAST_PHOTOS, Answer, Job

ROUNDS = 5
ENOUGH_ROUNDS = 3
"""A median of fewer says little."""
HOPELESS_AT_FIRST, HOPELESS = 0.5, 0.75
"""A candidate with less than this share of the best one's photos per second, after its first round and after later
ones, is not measured again."""
ALIKE = 0.03
"""Candidates this near to the best are as good as it: of them the one with the smallest memory is chosen."""
_REFERENCE_SHARE = 0.15
"""Of the whole time, for the reference's own answers: they tell how many photos there is time for."""
_PASS_SHARE = 1 / 100
"""Of the whole time, for the passes of one process at least: short ones say little."""
_PATIENCE = 20.0
"""How many times longer than the reference a candidate may take before it is ended."""
_PATIENCE_SECONDS = 60.0

Progress = Callable[[str, int, int], None]
"""Called with what is being done, the steps done and the steps in all."""


@dataclass
class Measured:
    """One candidate and what its rounds gave."""

    setup: Setup
    rounds: list[float] = field(default_factory=list)
    """Photos per second."""
    loads: list[float] = field(default_factory=list)
    """Seconds from the process' start to the loaded model."""
    peak_mb: float | None = None
    agreement: Agreement | None = None
    problem: str = ""
    """Why it cannot be chosen."""

    @property
    def photos_per_s(self) -> float | None:
        return statistics.median(self.rounds) if self.rounds else None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What tuning one bundle gave."""

    chosen: Measured
    measured: tuple[Measured, ...]
    reference: str
    """The variant whose decisions counted as right."""
    photos: int
    """Of the sample, for which there was time."""
    note: str
    """What the choice does not rest on: too few boxes, too few rounds; empty where there were enough."""


class _TrialError(Exception):
    """A candidate's process came to no answer; the text says why."""


def measure(
    bundle: Bundle,
    sample: Sample,
    engines: frozenset[str],
    *,
    cpus: int,
    max_pixels: int,
    decode: Decode,
    seconds: float,
    progress: Progress,
    seed: int = 1,
    rounds: int = ROUNDS,
) -> Outcome:
    """Measure every candidate and choose.

    Args:
        engines: names of those that may be tried.
        cpus: CPU threads that inference may keep busy.
        seconds: when they are over no round is begun; every candidate is tried once if a first round fits at all.

    Raises:
        BundleError: nothing here runs the bundle.
        EngineError: no candidate could be run and agreed with the reference; says what was wrong with each.
    """
    deadline = time.monotonic() + seconds
    judge = plan.reference(bundle, engines)
    alone = Setup(judge.name, judge.engine, cpus, 1)
    candidates = [Measured(setup) for setup in plan.candidates(bundle, engines, cpus=cpus)]
    steps = len(candidates) * rounds + 1
    progress(f"reference: {alone}", 0, steps)
    job = Job(str(bundle.folder), alone, sample.photos, max_pixels, decode, limit_s=seconds * _REFERENCE_SHARE)
    try:
        right, _ = run(job, patience_s=max(seconds, _PATIENCE_SECONDS))
    except _TrialError as error:
        raise EngineError(judge.engine, bundle.path(judge), f"the reference cannot be run: {error}") from error
    photos = sample.photos[: _affordable(right, seconds / (len(candidates) * min(rounds, ENOUGH_ROUNDS)))]
    expected = right.found[: len(photos)]
    patience = max(_PATIENCE_SECONDS, _PATIENCE * right.seconds)
    dice, done, live = random.Random(seed), 1, list(candidates)
    for number in range(rounds):
        # Another order each time, so that what grows warm or slow does not always meet the same one.
        for one in dice.sample(live, len(live)):
            progress(f"round {number + 1} of {rounds}: {one.setup}", done, steps)
            if time.monotonic() > deadline:
                break
            twice = number == 0 and one.setup.streams > 1
            job = Job(
                str(bundle.folder), one.setup, photos, max_pixels, decode, least_s=seconds * _PASS_SHARE, alone=twice
            )
            _one_round(one, job, expected, bundle.manifest.thresholds.confident, patience)
            done += 1
        live = _worth_another(live, HOPELESS if number else HOPELESS_AT_FIRST)
        steps = done + len(live) * (rounds - number - 1)
        if not live or time.monotonic() > deadline:
            break
    for one in candidates:
        if not one.rounds and not one.problem:
            one.problem = f"not measured: {seconds:.0f} s were over (--seconds)"
    progress("done", done, done)
    best = _best(candidates, bundle)
    notes = "; ".join(filter(None, (_thin(candidates), _few(best, rounds))))
    return Outcome(best, tuple(candidates), judge.name, len(photos), notes)


def run(job: Job, *, patience_s: float) -> tuple[Answer, float]:
    """Run one job in a fresh process; returns its answer and the seconds until its model was loaded.

    Args:
        patience_s: a process that takes longer after loading is ended. Loading takes as long as it takes: an engine may
            have to be built.

    Raises:
        _TrialError: the process told a problem, crashed, or took too long.
    """
    command = [sys.executable, "-m", "edge_runtime.tuning.trial"]
    started = time.monotonic()
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as errors:
        process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, text=True, encoding="utf-8"
        )
        try:
            told = _talk(process, job, patience_s)
        finally:
            if process.poll() is None:
                process.kill()
            process.wait()
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    pipe.close()
        if "seconds" not in told:
            errors.seek(0)
            raise _TrialError(told.get("problem") or children.why_it_ended(process.returncode, errors.read()))
    return Answer.from_dict(told), told["loaded_at"] - started


def _talk(process: subprocess.Popen[str], job: Job, patience_s: float) -> dict[str, Any]:
    """What the process told last: its answer, or a problem, or nothing."""
    assert process.stdin is not None and process.stdout is not None
    try:
        process.stdin.write(job.to_json())
        process.stdin.close()
    except BrokenPipeError:
        return {}
    first = process.stdout.readline()
    told = json.loads(first) if first else {}
    if not told.get("loaded"):
        return dict(told)
    loaded_at = time.monotonic()
    timer = threading.Timer(patience_s, process.kill)
    timer.start()
    try:
        answer = process.stdout.readline()
    finally:
        timer.cancel()
    if answer:
        return {**json.loads(answer), "loaded_at": loaded_at}
    return {"problem": f"took longer than {patience_s:.0f} s"} if time.monotonic() - loaded_at >= patience_s else {}


def _affordable(right: Answer, trial_s: float) -> int:
    """How many photos a pass may have so that every candidate gets its rounds; half of a trial goes into loading,
    warming up and looking again."""
    rate = len(right.found) / right.seconds
    return min(len(right.found), max(LEAST_PHOTOS, int(rate * trial_s / 2)))


def _one_round(one: Measured, job: Job, right: Sequence[Found], threshold: float, patience: float) -> None:
    try:
        answer, load_s = run(job, patience_s=patience)
    except _TrialError as error:
        one.problem = str(error)
        return
    one.rounds.append(len(answer.found) / answer.seconds)
    one.loads.append(load_s)
    one.peak_mb = max(one.peak_mb or 0.0, answer.peak_mb)
    one.agreement = agreement.compare(right, answer.found, threshold=threshold)
    if answer.differs:
        one.problem = f"answers {answer.differs} photos otherwise when several are looked at at once"
    else:
        one.problem = one.agreement.problem


def _worth_another(live: Sequence[Measured], least: float) -> list[Measured]:
    sound = [one for one in live if not one.problem and one.photos_per_s]
    best = max((one.photos_per_s or 0.0 for one in sound), default=0.0)
    return [one for one in sound if (one.photos_per_s or 0.0) >= least * best]


def _best(candidates: Sequence[Measured], bundle: Bundle) -> Measured:
    sound = [one for one in candidates if one.rounds and not one.problem]
    if not sound:
        problems = "; ".join(f"{one.setup}: {one.problem}" for one in candidates)
        first = bundle.manifest.variants[0]
        raise EngineError(first.engine, bundle.path(first), f"no way to run it can be chosen: {problems}")
    best = max(one.photos_per_s or 0.0 for one in sound)
    alike = [one for one in sound if (one.photos_per_s or 0.0) >= (1 - ALIKE) * best]
    return min(alike, key=lambda one: (one.peak_mb or 0.0, -(one.photos_per_s or 0.0)))


def _few(best: Measured, rounds: int) -> str:
    if len(best.rounds) >= min(rounds, ENOUGH_ROUNDS):
        return ""
    return f"only {len(best.rounds)} rounds of the chosen one: more --seconds would tell better"


def _thin(candidates: Sequence[Measured]) -> str:
    boxes = max((one.agreement.boxes for one in candidates if one.agreement), default=0)
    if not boxes:
        return "the reference finds nothing on these photos: whether decisions agree could not be seen"
    if boxes < agreement.ENOUGH:
        return f"only {boxes} boxes to compare: too few to prove {agreement.LEAST:.0%}, enough to see a clear loss"
    return ""
