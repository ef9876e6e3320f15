"""Why a detector's decode is not quantized: boxes and scores share one scale there, and the scores are lost."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="the exporter's packages are an extra: make workstation-env")

import torch

from edge_runtime.models.preprocess import prepare
from edge_runtime.values import Frame
from export_tools import loaders, onnx_export
from export_tools.accuracy import running
from export_tools.checkpoints import reading
from export_tools.model import Model, Request
from export_tools.proof import trial
from export_tools.proof.detectors import SHARE, DetectorJudge
from export_tools.variants import VARIANTS, onnxruntime_variants, preparing, qdq, ranges
from export_tools.variants.protocol import FloatGraph

DECODE = ("Mul", "Add", "Sub", "Div", "Sigmoid", "Concat", "Slice", "Reshape", "Transpose", "Pow")
FOLDERS = ("generic", "animl_southwest", "serengeti_burst")


class OneTensor(torch.nn.Module):
    """The layout in which YOLOv5 is usually exported: boxes and scores in one tensor."""

    def __init__(self, network: torch.nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, image: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        together = torch.cat(self.network(image), dim=2)
        return together[..., :4], together[..., 4:]


@pytest.fixture(scope="module")
def model(assets: Path) -> Model:
    weights = assets / "weights" / "yolov5n" / "yolov5n.pt"
    if not weights.is_file():
        pytest.skip(f"no YOLOv5n weights: {weights} is missing")
    request = Request(weights, "detector", size=(416, 320), parity="ultralytics")
    return loaders.load(reading.read(weights), request)


@pytest.fixture(scope="module")
def frames(assets: Path) -> list[Frame]:
    photos = [file for name in FOLDERS for file in sorted((assets / "photos" / name).iterdir())]
    return [running.read(file) for file in photos if file.suffix.lower() in (".jpg", ".jpeg") and file.stat().st_size]


def recall(source: FloatGraph, graph: Path, frames: list[Frame]) -> tuple[float, int]:
    """The share of the float graph's boxes that `graph` finds too, and how many there are."""
    described = source.model.description
    reference = trial.of_description(
        described, source.graph, engine="onnxruntime", precision="fp32", labels=source.model.labels
    )
    tried = trial.with_variant(reference, graph, engine="onnxruntime", precision="int8")
    measures = {one.name: one for one in DetectorJudge(reference, frames).evidence(tried).measures}
    return measures[SHARE].value, measures[SHARE].n


@pytest.mark.slow
def test_int8_keeps_the_recall_with_the_decode_in_float_and_loses_it_with_the_decode_quantized(
    model: Model, frames: list[Frame], assets: Path, tmp_path: Path
) -> None:
    graph = tmp_path / "float.onnx"
    float_nodes = onnx_export.export(model, graph)
    spec, rule = model.description.input, model.description.preprocess
    photos = sorted((assets / "training" / "images").glob("*.jpg"))[::180]
    calibration = [prepare(running.read(photo).pixels, spec, rule)[0] for photo in photos]
    source = FloatGraph(model, graph, float_nodes, calibration)
    kept, n = recall(source, VARIANTS["onnxruntime-int8"].make(source, tmp_path).graph, frames)
    assert n >= 15
    assert kept >= 0.85

    whole = replace(model, network=OneTensor(model.network).eval(), float_modules=())
    shared = tmp_path / "shared.onnx"
    onnx_export.export(whole, shared)
    ready = preparing.prepared(shared, tmp_path)
    scheme = replace(onnxruntime_variants.U8S8, op_types=(*onnxruntime_variants.QUANTIZED, *DECODE))
    measured = ranges.measured(ready, calibration, tmp_path)
    ruined = tmp_path / "ruined.onnx"
    qdq.quantize(ready, ruined, measured, scheme)
    lost, _ = recall(FloatGraph(whole, shared, frozenset(), calibration), ruined, frames)
    assert lost <= 0.1
