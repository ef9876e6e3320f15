"""The way of a measurement: look at the board, let every subject's processes take turns, put the documents together.

Someone who reads this file knows what a document rests on. Each process is fresh; in each round every subject has one,
in another order each time, so that what grows warm or busy does not always meet the same one.
"""

from __future__ import annotations

import random
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from functools import partial

from benchmarks import accuracy, boundaries, energy, processes, profiles
from benchmarks.board import conditions, fingerprint, sensors, throttling
from benchmarks.board.telemetry import Telemetry
from benchmarks.document.schema import (
    SCHEMA,
    Accuracy,
    Conditions,
    Document,
    Process,
    Profile,
    Run,
    Runtime,
    Scenario,
    Series,
    Throttle,
    Verdict,
)
from benchmarks.document.summary import key_of, summarised, throughput
from benchmarks.photo_set import Photos
from benchmarks.processes import WorkerError
from benchmarks.profiles import Length
from benchmarks.scenarios import ONE_QUERY
from benchmarks.statistics.verdict import judge
from benchmarks.subject import Subject
from benchmarks.worker import Job
from edge_runtime.device import page_cache, throttle_bits
from edge_runtime.device.host import Host
from edge_runtime.errors import CamtrapEdgeError
from edge_runtime.tuning import machine

IDLE_S = 5.0
"""How long a board's power is read before anything runs; it is not where there is no such sensor."""
TELEMETRY_S = 0.5
COLD_S = 1.0
"""Of doing nothing before a burst or a card."""
_NO_LIMIT_S = 1e9

Progress = Callable[[str, float, float], None]
"""Called with what is being done, the seconds of measuring done and those in all."""


@dataclass(frozen=True, slots=True)
class Order:
    """What was asked for."""

    scenario: Scenario
    profile: Profile
    length: Length
    cpus: int
    seed: int
    argv: tuple[str, ...]
    tool_version: str
    git_sha: str | None
    ambient_c: float | None = None
    supply: str | None = None


@dataclass(slots=True)
class Taken:
    """What one subject's processes gave."""

    subject: Subject
    processes: list[Process] = field(default_factory=list)
    problem: str = ""
    """Why it was given up."""
    exit_code: int = 0
    document: Document | None = None
    """None where no process came to an end."""


@dataclass(frozen=True, slots=True)
class _Board:
    """What the board said, before, during and after."""

    conditions: Conditions
    telemetry: tuple[Series, ...]
    throttle: Throttle
    idle: energy.Window | None


@dataclass(slots=True)
class _Way:
    """How far the measurement is: resting, warming and rounds one after the other, so that the time left is of all."""

    progress: Progress
    whole_s: float
    behind_s: float = 0.0

    def tell(self, what: str, done_s: float) -> None:
        """Of the part under way, seconds."""
        self.progress(what, min(self.behind_s + done_s, self.whole_s), self.whole_s)


def measure(
    subjects: Sequence[Subject], photos: Photos, order: Order, *, host: Host, progress: Progress
) -> tuple[list[Taken], bool]:
    """Measure every subject; returns what each gave, and whether the user ended it early (what was measured counts)."""
    zero_ns, started, batch = time.monotonic_ns(), _utc(), uuid.uuid4().hex
    taken = [Taken(subject) for subject in subjects]
    board_before = conditions.conditions(host, photos.stamps[0].card, ambient_c=order.ambient_c, supply=order.supply)
    interrupted, idle = False, None
    found, before = sensors.find(host), throttling.look(host)
    bits = partial(_bits, host) if before.bits is not None else None
    rest_s = IDLE_S if any(each.quantity in ("power_w", "energy_j") for each in found) else 0.0
    soak_s = 0.0 if order.scenario in ONE_QUERY else order.length.soak_s
    way = _Way(progress, rest_s + soak_s + order.length.seconds * len(taken))
    with Telemetry(found, interval_s=TELEMETRY_S, zero_ns=zero_ns, bits=bits) as telemetry:
        try:
            if rest_s:
                idle = _idle(rest_s, zero_ns, way)
                before = throttling.look(host)  # a clock that went down for want of work is not held back
            if soak_s:
                _soak(taken[0], photos, order, soak_s, zero_ns, way)
            _rounds(taken, photos, order, zero_ns, way)
        except KeyboardInterrupt:
            interrupted = True
    throttle = throttling.between(before, throttling.look(host), telemetry.seen_bits)
    board = _Board(board_before, telemetry.series(), throttle, idle)
    for each in taken:
        if each.processes:
            run = _run(order, batch, started, interrupted=interrupted)
            each.document = _document(each, photos, run, board, host, cpus=order.cpus)
    return taken, interrupted


def _bits(host: Host) -> int | None:
    return throttle_bits.read_bits(host)[1]


def _idle(rest_s: float, zero_ns: int, way: _Way) -> energy.Window:
    way.tell("reading idle power", 0.0)
    start = time.monotonic_ns() - zero_ns
    time.sleep(rest_s)
    way.behind_s += rest_s
    return start, time.monotonic_ns() - zero_ns


def _soak(taken: Taken, photos: Photos, order: Order, soak_s: float, zero_ns: int, way: _Way) -> None:
    length, began = replace(order.length, seconds=soak_s, queries=0, processes=1), time.monotonic()
    what = "warming the board"
    way.tell(what, 0.0)

    def tell(queries: int) -> None:
        way.tell(what, min(time.monotonic() - began, soak_s))

    try:
        processes.run(_job(taken.subject, photos, replace(order, length=length), zero_ns), tell)
    except WorkerError as error:
        taken.problem, taken.exit_code = str(error), error.exit_code
    way.behind_s += soak_s


def _rounds(taken: Sequence[Taken], photos: Photos, order: Order, zero_ns: int, way: _Way) -> None:
    """Let the subjects' processes take turns."""
    dice, began = random.Random(order.seed), time.monotonic()
    one_query = order.scenario in ONE_QUERY
    rounds = profiles.MOST_PROCESSES if one_query else order.length.processes
    whole_s = order.length.seconds * len(taken)
    each_s = order.length.seconds / rounds
    for number in range(rounds):
        live = [each for each in taken if not each.problem]
        if one_query and number >= profiles.LEAST_PROCESSES and time.monotonic() - began >= whole_s:
            break
        for place, each in enumerate(dice.sample(live, len(live))):
            done_s = time.monotonic() - began if one_query else (number * len(live) + place) * each_s
            what = f"round {number + 1}" + ("" if one_query else f" of {rounds}") + f": {each.subject}"
            way.tell(what, done_s)
            if one_query:
                _cool_down(each.subject, photos)
            started = time.monotonic()

            def tell(queries: int, what: str = what, done_s: float = done_s, started: float = started) -> None:
                way.tell(what, done_s + min(time.monotonic() - started, each_s))

            try:
                each.processes.append(processes.run(_job(each.subject, photos, order, zero_ns), tell))
            except WorkerError as error:
                each.problem = f"process {number + 1} of {each.subject}: {error}"
                each.exit_code = error.exit_code
    way.tell("done", whole_s)


def _cool_down(subject: Subject, photos: Photos) -> None:
    """What is asked of a sleeping board finds nothing at hand: neither the card's photos nor the graph."""
    variant = subject.bundle.only(subject.setup.variant).manifest.variants[0]
    graph = [subject.bundle.path(entry) for entry in (variant, *variant.files)]
    page_cache.forget([*graph, *(stamp.full_path for stamp in photos.stamps)])
    time.sleep(COLD_S)


def _job(subject: Subject, photos: Photos, order: Order, zero_ns: int) -> Job:
    length, setup = order.length, subject.setup
    seconds = length.seconds / length.processes
    official = order.profile == "official"
    return Job(
        bundle=str(subject.bundle.folder),
        variant=setup.variant,
        engine=setup.engine,
        threads=setup.threads,
        streams=setup.streams,
        scenario=order.scenario,
        card=str(photos.stamps[0].card),
        photos=tuple((str(each.path), each.size, each.mtime_ns) for each in photos.stamps),
        seconds=seconds,
        queries=-(-length.queries // length.processes),
        warm_up_s=_NO_LIMIT_S if official else seconds * profiles.WARM_UP_SHARE,
        zero_ns=zero_ns,
        spawned_ns=time.monotonic_ns(),
    )


def _document(taken: Taken, photos: Photos, run: Run, board: _Board, host: Host, *, cpus: int) -> Document:
    subject, engine = taken.subject, taken.subject.setup.engine
    model, boundary = subject.model(), boundaries.of(run.scenario, engine)
    told = None if run.interrupted else _accuracy(taken, photos, cpus=cpus)
    status, reasons = judge(taken.processes, board.throttle, on_gpu=engine in boundaries.ON_A_GPU)
    if taken.problem:
        status, reasons = ("inconclusive" if status == "stable" else status), (*reasons, taken.problem)
    if run.interrupted:
        status, reasons = ("inconclusive" if status == "stable" else status), (*reasons, "ended early by its user")
    runtime = Runtime(name=engine, version=machine.versions([engine])[engine], providers=_providers(engine))
    return Document(
        schema=SCHEMA,
        run=run,
        device=fingerprint.device(host),
        platform=fingerprint.platform(host, runtime),
        conditions=board.conditions,
        model=model,
        photos=photos.told,
        boundary=boundary,
        processes=tuple(taken.processes),
        stats=summarised(taken.processes),
        throughput_measured_ips=throughput(taken.processes),
        telemetry=board.telemetry,
        throttle=board.throttle,
        energy=energy.of_run(board.telemetry, taken.processes, board.idle),
        accuracy=told,
        verdict=Verdict(
            status=status,
            reasons=reasons,
            comparable_key=key_of(run.scenario, boundary, model, photos.told),
        ),
    )


def _accuracy(taken: Taken, photos: Photos, *, cpus: int) -> Accuracy | None:
    """None also where it could not be told: the problem stands beside what was measured, which is not lost."""
    try:
        return accuracy.measure(taken.subject, photos.stamps, photos.told, cpus=cpus)
    except (CamtrapEdgeError, KeyboardInterrupt) as error:
        why = str(error) or "interrupted"
        taken.problem, taken.exit_code = taken.problem or f"{taken.subject}: accuracy: {why}", 1
        return None


def _providers(engine: str) -> tuple[str, ...]:
    """What computes: all our engines are opened for one kind of processor each."""
    return ("GPU",) if engine in boundaries.ON_A_GPU else ("CPU",)


def _run(order: Order, batch: str, started: str, *, interrupted: bool) -> Run:
    return Run(
        id=uuid.uuid4().hex,
        batch=batch,
        started_utc=started,
        ended_utc=_utc(),
        tool_version=order.tool_version,
        git_sha=order.git_sha,
        argv=order.argv,
        seed=order.seed,
        scenario=order.scenario,
        profile=order.profile,
        interrupted=interrupted,
    )


def _utc() -> str:
    return datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
