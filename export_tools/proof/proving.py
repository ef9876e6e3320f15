"""One variant from its making to its proof: made, compared, mended where it fails, timed, judged."""

from __future__ import annotations

import dataclasses
import platform
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from edge_runtime.bundles.bundle import Bundle
from edge_runtime.bundles.manifest import KeptFloat
from export_tools import looks as look_at
from export_tools import samples
from export_tools.bundle_writer import Graph
from export_tools.looks import Look
from export_tools.proof import gate, revert, speed, trial
from export_tools.proof.classifiers import ClassifierJudge
from export_tools.proof.detectors import DetectorJudge
from export_tools.proof.embedders import EmbedderJudge
from export_tools.proof.evidence import Evidence, Judge, worst
from export_tools.proof.gate import Verdict
from export_tools.proof.truths import Truths
from export_tools.samples import Sample
from export_tools.variants.protocol import FloatGraph, Made, Variant

RANKED_ON = 32
"""Samples, those that changed most, on which layers are ranked."""
REFERENCE = "onnxruntime-fp32"


@dataclass(frozen=True, eq=False)
class Proven:
    """A variant, ready for the bundle writer; whether it goes in is up to its verdict."""

    graph: Graph
    verdict: Verdict
    evidence: Evidence

    @property
    def passed(self) -> bool:
        """No bar was missed."""
        return self.verdict.gate != "failed"


@dataclass(frozen=True, slots=True)
class _Seen:
    """One look at a graph, as `revert` asks for it."""

    evidence: Evidence
    verdict: Verdict

    @property
    def passed(self) -> bool:
        return self.verdict.gate != "failed"

    @property
    def loss(self) -> float:
        return self.evidence.loss


class WithFeatures:
    """A classifier's judge that shows its features' figures too. They pass no gate: nobody said what they are for."""

    def __init__(self, answers: Judge, features: Judge) -> None:
        self._answers, self._features = answers, features

    def evidence(self, bundle: Bundle) -> Evidence:
        evidence, features = self._answers.evidence(bundle), self._features.evidence(bundle)
        named = [msgspec.structs.replace(one, name=f"features: {one.name}") for one in features.measures]
        return dataclasses.replace(evidence, measures=(*evidence.measures, *named))

    def part(self, places: Sequence[int]) -> Judge:
        # A part ranks layers, by the answers alone.
        return self._answers.part(places)


def judge_for(
    reference: Bundle, evaluation: Sequence[Sample], truths: Truths | None = None, looks: Sequence[Look] | None = None
) -> Judge:
    """The judge of the reference's task.

    Args:
        evaluation: photos, or crops for a classifier or embedder.
        truths: what is on them. A detector is judged by photos of which it is known; by all where there is no truth.
        looks: for a classifier or embedder, what it is shown, in place of `evaluation`: animals that a detector found
            (`looks.animals`).

    Raises:
        SamplesError: nothing is left to compare on.
        EngineError, BundleError: the reference cannot be loaded or run.
    """
    manifest = reference.manifest
    if manifest.task == "detector":
        known = [(sample, truths.boxes(sample) if truths else None) for sample in evaluation]
        chosen = [pair for pair in known if truths is None or pair[1] is not None]
        _refuse_none(evaluation, len(chosen))
        frames = look_at.frames([Look(sample) for sample, _ in chosen])
        return DetectorJudge(reference, frames, None if truths is None else [true for _, true in chosen if true])
    shown, labels = (truths or Truths({})).looks(evaluation)
    if looks is not None:
        shown, labels = list(looks), [None] * len(looks)
    _refuse_none(evaluation, len(shown))
    crops = look_at.crops(shown, manifest.crop)
    groups = [look.sample.name for look in shown]
    if manifest.task == "embedder":
        return EmbedderJudge(reference, crops, groups)
    answers = ClassifierJudge(reference, crops, labels)
    return WithFeatures(answers, EmbedderJudge(reference, crops, groups)) if manifest.embedding else answers


def prove(
    variant: Variant,
    source: FloatGraph,
    work: Path,
    judge: Judge | None,
    reference: Bundle,
    tensors: Sequence[NDArray[np.float32]],
    *,
    seconds: float = revert.SECONDS,
) -> Proven:
    """Make `variant`, compare it with the reference, mend it where it fails, and time it where this machine can.

    Args:
        work: a folder of the variant's own, where ranges are kept between its graphs.
        judge: of the reference, `judge_for`; None where there is nothing to compare on, and then there is no verdict.
        reference: the float32 graph on trial (`trial.of_description`).
        tensors: some inputs for the timing, at least one.
        seconds: after that no further layer is given back to float.

    Raises:
        VariantRefusedError, CamtrapEdgeError: it cannot be made or run; says why.
    """

    kept: tuple[KeptFloat, ...] = ()
    notes: tuple[str, ...] = ()
    if judge is None or variant.name == REFERENCE:
        made, seen = variant.make(source, work), _nothing_seen(variant)
    else:
        made, kept, notes, seen = _mended(variant, source, work, judge, reference, seconds)
    timing = None
    if timed_here(variant):
        timing = speed.measure(_on_trial(variant, reference, made), reference, tensors)
    verdict = gate.judge_speed(seen.verdict, variant.precision, timing)
    proof = gate.proof(REFERENCE, seen.evidence, verdict, timing, notes)
    always = tuple(
        KeptFloat(node=node, reason="the family's rule: this layer is never quantized")
        for node in _own(source, variant)
    )
    graph = Graph(
        made.graph,
        variant.name,
        variant.engine,
        variant.precision,
        files=made.files,
        checked=made.notes,
        kept_float=(*always, *kept),
        proof=proof,
    )
    return Proven(graph, verdict, seen.evidence)


def _mended(
    variant: Variant, source: FloatGraph, work: Path, judge: Judge, reference: Bundle, seconds: float
) -> tuple[Made, tuple[KeptFloat, ...], tuple[str, ...], _Seen]:
    """The variant as it is where it passes, else with what had to go back to float."""

    def look(made: Made) -> _Seen:
        evidence = judge.evidence(_on_trial(variant, reference, made))
        return _Seen(evidence, gate.judge(evidence))

    made = variant.make(source, work)
    seen = look(made)
    if seen.passed or not made.quantized:
        return made, (), (), seen
    changed = judge.part(worst(seen.evidence.each, RANKED_ON))
    improved = revert.improve(
        make=lambda nodes: variant.make(source, work, also_float=nodes),
        judge=look,
        quick=lambda tried: changed.evidence(_on_trial(variant, reference, tried)).loss,
        quantized=made.quantized,
        seconds=seconds,
    )
    return improved.made, improved.kept_float, improved.notes, look(improved.made)


def _on_trial(variant: Variant, reference: Bundle, made: Made) -> Bundle:
    return trial.with_variant(reference, made.graph, engine=variant.proven_with, precision=variant.precision)


def _nothing_seen(variant: Variant) -> _Seen:
    why = "it is what the others are compared with" if variant.name == REFERENCE else "no photos to compare on"
    return _Seen(Evidence(0, (), (), 0.0, ()), Verdict("none", (why,)))


def timed_here(variant: Variant) -> bool:
    """Whether this machine is what the variant is for: TensorRT's graphs and those for another processor are not."""
    arm = platform.machine().lower() in ("aarch64", "arm64")
    return variant.engine == variant.proven_with and (arm or not variant.name.endswith("-arm64"))


def _own(source: FloatGraph, variant: Variant) -> list[str]:
    return sorted(source.float_nodes) if variant.precision == "int8" else []


def _refuse_none(evaluation: Sequence[Sample], left: int) -> None:
    if not left:
        where = evaluation[0].file.parent if evaluation else Path()
        raise samples.SamplesError(where, "nothing to compare on", hint="does the truth name these photos?")
