"""What passes, what fails, and what is called unproven."""

from __future__ import annotations

import pytest

from export_tools.accuracy.intervals import wilson
from export_tools.proof import gate
from export_tools.proof.evidence import Check, Evidence, from_share
from export_tools.proof.speed import Timing


def evidence(*checks: Check) -> Evidence:
    return Evidence(10, (), checks, 0.0, ())


def recall(count: int, of: int) -> Check:
    return from_share("recall", wilson(count, of), least=0.99, enough=100)


@pytest.mark.parametrize(
    ("count", "of", "verdict"),
    [
        (100, 100, "passed"),
        (198, 200, "passed"),
        (197, 200, "failed"),
        (99, 100, "passed"),
        (39, 40, "passed"),  # one of 40 is more than 1 %, and may be chance
        (30, 40, "failed"),  # that is no chance
        (0, 3, "failed"),
        (0, 0, "none"),
    ],
)
def test_the_bar_is_one_in_a_hundred_and_chance_is_told_from_loss(count: int, of: int, verdict: str) -> None:
    assert gate.judge(evidence(recall(count, of))).gate == verdict


def test_a_pass_on_too_few_names_their_number_and_the_interval() -> None:
    (reason,) = gate.judge(evidence(recall(40, 40))).reasons
    assert "too few" in reason and "of 40" in reason and "0.9124 to 1.0000" in reason


def test_a_pass_on_enough_says_nothing_more() -> None:
    assert gate.judge(evidence(recall(300, 300))).reasons == ()


def test_one_failed_check_is_enough_and_is_the_one_that_is_named() -> None:
    verdict = gate.judge(evidence(recall(300, 300), Check("cosine", 0.9, 0.88, 0.92, 300, 0.995, 100)))
    assert verdict.gate == "failed"
    assert len(verdict.reasons) == 1 and verdict.reasons[0].startswith("cosine: 0.9000 of 300")
    assert verdict.shortfall == pytest.approx(0.095)


def test_a_check_that_goes_by_its_interval_alone_fails_only_beyond_chance() -> None:
    assert not Check("drift", -0.02, -0.05, 0.01, 500, -0.01, 0).failed
    assert Check("drift", -0.04, -0.06, -0.02, 500, -0.01, 0).failed


@pytest.mark.parametrize(
    ("precision", "ms", "verdict"), [("int8", 4.0, "passed"), ("int8", 12.0, "failed"), ("fp16", 12.0, "passed")]
)
def test_int8_that_is_not_faster_is_refused(precision: str, ms: float, verdict: str) -> None:
    passed = gate.judge(evidence(recall(300, 300)))
    judged = gate.judge_speed(passed, precision, Timing(ms, 10.0, 30, "a processor"))
    assert judged.gate == verdict
    assert not judged.reasons or "12.0 ms beside 10.0 ms" in judged.reasons[0]


def test_what_cannot_be_timed_here_is_not_judged_by_time() -> None:
    passed = gate.judge(evidence(recall(300, 300)))
    assert gate.judge_speed(passed, "int8", None) == passed


def test_a_proof_carries_verdict_and_timing() -> None:
    verdict = gate.judge(evidence(recall(30, 30)))
    proof = gate.proof("onnxruntime-fp32", evidence(recall(30, 30)), verdict, Timing(5.0, 10.0, 30, "x"), ("a note",))
    assert (proof.gate, proof.speedup, proof.latency_ms, proof.machine) == ("passed", 2.0, 5.0, "x")
    assert "too few" in proof.reasons[0] and proof.reasons[1] == "a note"
