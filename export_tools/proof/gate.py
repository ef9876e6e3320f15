"""Whether a variant may be shipped: the bars, and what is said where there is too little to judge by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from edge_runtime.bundles.manifest import Proof
from export_tools.proof.evidence import Evidence
from export_tools.proof.speed import Timing

Gate = Literal["passed", "failed", "none"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the gate says."""

    gate: Gate
    reasons: tuple[str, ...]
    """Of a failure what failed; of a pass what it does not rest on; of none why there is no verdict."""
    shortfall: float = 0.0
    """By how much the failed checks miss their bars, summed."""


def judge(evidence: Evidence) -> Verdict:
    """Hold the decisions against their bars."""
    failed = [check for check in evidence.checks if check.failed]
    if failed:
        return Verdict("failed", tuple(map(str, failed)), sum(check.shortfall for check in failed))
    if not any(check.n for check in evidence.checks):
        return Verdict("none", ("the reference decides nothing on these samples: nothing could be compared",))
    unproven = tuple(f"too few to prove it: {check}" for check in evidence.checks if check.unproven)
    return Verdict("passed", unproven)


def judge_speed(verdict: Verdict, precision: str, timing: Timing | None) -> Verdict:
    """The same verdict, failed where a quantized variant is not faster than the reference; INT8 has no other use.

    A variant that cannot be timed here (TensorRT's) is not judged, and FP16 is shipped for its size.
    """
    if timing is None or precision != "int8" or timing.speedup > 1:
        return verdict
    reason = f"not faster: {timing.ms:.1f} ms beside {timing.reference_ms:.1f} ms of the reference, one thread each"
    failures = verdict.reasons if verdict.gate == "failed" else ()
    return Verdict("failed", (*failures, reason), verdict.shortfall)


def proof(
    against: str, evidence: Evidence, verdict: Verdict, timing: Timing | None, notes: Sequence[str] = ()
) -> Proof:
    """What a manifest says of it."""
    return Proof(
        against=against,
        samples=evidence.samples,
        measures=evidence.measures,
        gate=verdict.gate,
        reasons=(*verdict.reasons, *notes),
        speedup=round(timing.speedup, 3) if timing else None,
        latency_ms=round(timing.ms, 3) if timing else None,
        machine=timing.machine if timing else "",
    )
