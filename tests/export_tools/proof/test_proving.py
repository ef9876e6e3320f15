"""A variant from its making to its proof, on real graphs."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from torch import nn

from edge_runtime.bundles.bundle import Bundle
from export_tools.looks import inputs
from export_tools.model import Model
from export_tools.proof import proving, speed, trial
from export_tools.proof.embedders import EmbedderJudge
from export_tools.proof.evidence import Judge
from export_tools.variants import VARIANTS
from export_tools.variants.protocol import FloatGraph
from tests.export_tools.proof import nets

INT8 = VARIANTS["onnxruntime-int8"]


def exported(folder: Path, *, planted: bool) -> tuple[FloatGraph, Bundle, Judge]:
    graph = nets.embedder(folder / "net.onnx", planted=planted)
    described = nets.description()
    model = Model("net", nn.Identity(), ("embedding",), described, any_batch=True)
    tensors = inputs(nets.crops(20, seed=1), described.input, described.preprocess)
    reference = trial.of_description(described, graph, engine="onnxruntime", precision="fp32")
    return FloatGraph(model, graph, frozenset(), tensors), reference, EmbedderJudge(reference, nets.crops(120))


def test_a_sound_net_passes_in_int8_with_nothing_in_float(tmp_path: Path) -> None:
    source, reference, judge = exported(tmp_path, planted=False)
    made = INT8.make(source, tmp_path)
    evidence = judge.evidence(trial.with_variant(reference, made.graph, engine="onnxruntime", precision="int8"))
    assert not [check for check in evidence.checks if check.failed]
    assert 0 < evidence.loss < 0.005


def test_the_layer_whose_weights_ruin_int8_is_the_one_that_goes_back_to_float(tmp_path: Path) -> None:
    source, reference, judge = exported(tmp_path, planted=True)
    made = INT8.make(source, tmp_path)
    ruined = judge.evidence(trial.with_variant(reference, made.graph, engine="onnxruntime", precision="int8"))
    assert any(check.failed for check in ruined.checks)
    proven = proving.prove(INT8, source, tmp_path, judge, reference, source.calibration)
    kept = [kept.node for kept in proven.graph.kept_float]
    # ONNX Runtime's WeightBiasQuantization rounds a float convolution between two quantized ones again as it loads the
    # graph; where an engine leaves that on, a neighbour has to be in float as well.
    assert nets.PLANTED in kept and len(kept) <= 2
    assert not [check for check in proven.evidence.checks if check.failed]
    assert proven.graph.proof is not None and proven.graph.proof.samples == 120


def test_a_graph_is_as_fast_as_itself(tmp_path: Path) -> None:
    source, reference, _ = exported(tmp_path, planted=False)
    timing = speed.measure(reference, reference, source.calibration, rounds=40)
    assert timing.runs == 40 and timing.ms > 0 and timing.machine
    assert timing.speedup == pytest.approx(1.0, abs=0.5)


def test_the_reference_beside_itself_has_lost_nothing(tmp_path: Path) -> None:
    _, reference, judge = exported(tmp_path, planted=False)
    evidence = judge.evidence(reference)
    assert evidence.loss == pytest.approx(0.0, abs=1e-6)
    assert {measure.name: measure.value for measure in evidence.measures}["same most alike crop"] == 1.0


def test_the_reference_itself_gets_a_latency_and_no_verdict(tmp_path: Path) -> None:
    source, reference, judge = exported(tmp_path, planted=False)
    proven = proving.prove(VARIANTS["onnxruntime-fp32"], source, tmp_path, judge, reference, source.calibration)
    assert proven.passed and proven.verdict.gate == "none"
    assert proven.graph.proof is not None and proven.graph.proof.latency_ms


def test_without_photos_to_compare_on_there_is_no_verdict(tmp_path: Path) -> None:
    source, reference, _ = exported(tmp_path, planted=True)
    proven = proving.prove(VARIANTS["onnxruntime-int8-arm64"], source, tmp_path, None, reference, source.calibration)
    assert proven.verdict.gate == "none" and "no photos" in proven.verdict.reasons[0]


@pytest.mark.parametrize(
    ("name", "here"), [("onnxruntime-int8", True), ("tensorrt-int8", False), ("tensorrt-fp16", False)]
)
def test_only_what_this_machine_runs_as_its_target_would_is_timed(name: str, here: bool) -> None:
    assert proving.timed_here(VARIANTS[name]) is here


def test_nodes_that_the_family_keeps_in_float_are_named(tmp_path: Path) -> None:
    source, reference, judge = exported(tmp_path, planted=True)
    kept = dataclasses.replace(source, float_nodes=frozenset({"conv3", nets.PLANTED}))
    proven = proving.prove(INT8, kept, tmp_path, judge, reference, source.calibration)
    assert [one.node for one in proven.graph.kept_float] == ["conv3", nets.PLANTED]
    assert not [check for check in proven.evidence.checks if check.failed]
