"""Candidates measured for real, each in a process of its own."""

from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path

import psutil
import pytest

from edge_runtime.bundles.bundle import Bundle
from edge_runtime.errors import EngineError
from edge_runtime.tuning import measuring, sample
from edge_runtime.tuning.measuring import Measured, Outcome
from edge_runtime.tuning.plan import Setup
from edge_runtime.tuning.sample import Sample
from edge_runtime.tuning.trial import Answer, Job
from tests.tuning.conftest import MakeBundle, answers_by_chance, finds_nothing, wants_a_terabyte

PIXELS = 4_000_000
ENGINES = frozenset({"onnxruntime"})


@pytest.fixture(scope="module")
def drawn(tuning_card: Path) -> Sample:
    return sample.draw(tuning_card, 16, max_pixels=PIXELS)


def measured(bundle: Bundle, drawn: Sample, *, cpus: int = 1, said: list[str] | None = None) -> Outcome:
    def progress(what: str, done: int, steps: int) -> None:
        assert 0 <= done <= steps
        if said is not None:
            said.append(what)

    return measuring.measure(
        bundle,
        drawn,
        ENGINES,
        cpus=cpus,
        max_pixels=PIXELS,
        decode="reduced",
        seconds=30,
        progress=progress,
        rounds=1,
    )


def of(outcome: Outcome, variant: str) -> list[Measured]:
    return [one for one in outcome.measured if one.setup.variant == variant]


def test_every_split_is_measured_and_the_best_of_them_is_chosen(make_bundle: MakeBundle, drawn: Sample) -> None:
    said: list[str] = []
    got = measured(make_bundle(), drawn, cpus=2, said=said)
    assert {(one.setup.threads, one.setup.streams) for one in got.measured} == {(1, 2), (2, 1), (1, 1)}
    assert not any(one.problem for one in got.measured) and got.photos == 16
    best = max(one.photos_per_s or 0 for one in got.measured)
    assert (got.chosen.photos_per_s or 0) >= (1 - measuring.ALIKE) * best
    assert all(one.peak_mb and 20 < one.peak_mb < 1000 for one in got.measured)
    assert said[0].startswith("reference: plain") and "round 1 of 1: plain 1x2" in said


def test_a_variant_that_loses_boxes_is_shown_and_not_chosen(make_bundle: MakeBundle, drawn: Sample) -> None:
    got = measured(make_bundle(blind=finds_nothing), drawn)
    (blind,) = of(got, "blind")
    assert blind.photos_per_s and blind.agreement
    assert blind.agreement.missed == blind.agreement.boxes > 5 and "of the reference's" in blind.problem
    assert got.chosen.setup.variant == "plain" and "too few to prove" in got.note


def test_a_variant_that_cannot_be_loaded_is_a_row_with_its_reason(make_bundle: MakeBundle, drawn: Sample) -> None:
    got = measured(make_bundle(broken=lambda model: model.graph.ClearField("node")), drawn)
    (broken,) = of(got, "broken")
    assert "cannot load the graph" in broken.problem and not broken.rounds
    assert got.chosen.setup.variant == "plain"


def test_a_variant_that_runs_out_of_memory_is_a_row_with_its_reason(make_bundle: MakeBundle, drawn: Sample) -> None:
    got = measured(make_bundle(greedy=wants_a_terabyte), drawn)
    (greedy,) = of(got, "greedy")
    assert "inference failed" in greedy.problem and "alloc" in greedy.problem.lower()
    assert got.chosen.setup.variant == "plain"


def test_several_at_once_must_answer_as_one_alone(make_bundle: MakeBundle, drawn: Sample) -> None:
    got = measured(make_bundle(dice=answers_by_chance), drawn, cpus=2)
    problems = {one.setup.streams: one.problem for one in of(got, "dice")}
    assert "otherwise when several" in problems[2]
    assert not any(one.problem for one in of(got, "plain"))


def test_a_choice_that_rests_on_few_rounds_says_so() -> None:
    setup = Setup("plain", "onnxruntime", 1, 1)
    assert "only 2 rounds" in measuring._few(Measured(setup, rounds=[9.0, 9.1]), 5)
    assert not measuring._few(Measured(setup, rounds=[9.0, 9.1, 9.2]), 5)
    assert not measuring._few(Measured(setup, rounds=[9.0]), 1)


def test_with_many_candidates_a_pass_has_fewer_photos_so_that_all_get_their_rounds() -> None:
    found = tuple(() for _ in range(40))
    right = Answer(seconds=2.0, found=found, peak_mb=1.0, differs=0)  # 20 photos a second
    assert measuring._affordable(right, 120 / 9) == 40
    assert measuring._affordable(right, 90 / 36) == 25
    assert measuring._affordable(right, 0.1) == 8


def test_where_nothing_can_be_run_every_reason_is_told(make_bundle: MakeBundle, drawn: Sample) -> None:
    bundle = make_bundle()
    bundle.path(bundle.manifest.variants[0]).write_bytes(b"no graph")
    with pytest.raises(EngineError, match="the reference cannot be run"):
        measured(bundle, drawn)


def test_a_process_that_is_killed_ends_nothing_else(make_bundle: MakeBundle, drawn: Sample) -> None:
    bundle = make_bundle()
    done = threading.Event()

    def kill() -> None:
        while not done.is_set():
            for child in psutil.Process().children():
                if "edge_runtime.tuning.trial" in " ".join(child.cmdline()):
                    os.kill(child.pid, signal.SIGKILL)
                    return
            time.sleep(0.005)

    killer = threading.Thread(target=kill)
    killer.start()
    try:
        with pytest.raises(measuring._TrialError, match="out of memory"):
            measuring.run(
                Job(str(bundle.folder), Setup("plain", "onnxruntime", 1, 1), drawn.photos, PIXELS), patience_s=60
            )
    finally:
        done.set()
        killer.join()


def test_a_process_that_takes_too_long_is_ended(make_bundle: MakeBundle, drawn: Sample) -> None:
    job = Job(str(make_bundle().folder), Setup("plain", "onnxruntime", 1, 1), drawn.photos, PIXELS)
    others = set(psutil.Process().children())
    with pytest.raises(measuring._TrialError, match="took longer than 0 s"):
        measuring.run(job, patience_s=0.01)
    assert not set(psutil.Process().children()) - others


def test_the_photos_are_only_read(make_bundle: MakeBundle, tuning_card: Path, drawn: Sample) -> None:
    def state() -> dict[str, tuple[int, int]]:
        return {str(p): (p.stat().st_size, p.stat().st_mtime_ns) for p in tuning_card.rglob("*")}

    before = state()
    measured(make_bundle(), drawn)
    assert state() == before


def test_a_name_that_is_not_utf_8_reaches_the_process(
    make_bundle: MakeBundle, tuning_card: Path, tmp_path: Path
) -> None:
    first = sample.draw(tuning_card, 1, max_pixels=PIXELS).photos[0]
    odd = tmp_path / "odd"
    odd.mkdir()
    (odd / os.fsdecode(b"\xff\xfe.jpg")).write_bytes(first.full_path.read_bytes())
    drawn = sample.draw(odd, 4, max_pixels=PIXELS)
    job = Job(str(make_bundle().folder), Setup("plain", "onnxruntime", 1, 1), drawn.photos, PIXELS)
    assert Job.from_json(job.to_json()) == job
    assert len(measuring.run(job, patience_s=60)[0].found) == 1
