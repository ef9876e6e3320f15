"""How long detectors take, measured in turn: the model alone and the whole of `detect`, one thread.

Rounds alternate between the detectors and rotate who begins, so that a machine that slows down slows all of them.
The median is the figure; the least of all runs tells how busy the machine was.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import util
from typing import Any

from edge_runtime import engines
from edge_runtime.bundles.bundle import Bundle
from edge_runtime.engines.onnxruntime_engine import OnnxRuntimeEngine
from edge_runtime.engines.openvino_engine import core
from edge_runtime.errors import EngineError
from edge_runtime.models.detector import Detector
from edge_runtime.models.preprocess import prepare
from edge_runtime.values import Frame

OPENVINO = "openvino"
ROUNDS = 60
_WARM_UP = 5

Run = Callable[[Frame], Any]


@dataclass(frozen=True, slots=True)
class Timing:
    """Milliseconds on one thread."""

    detector: str
    engine: str
    what: str
    """`model` (input tensor to output tensors) or `detect` (decoded photo to boxes)."""
    median_ms: float
    least_ms: float
    runs: int


def measure(bundles: Mapping[str, Bundle], frames: Sequence[Frame], *, rounds: int = ROUNDS) -> list[Timing]:
    """Time each bundle with ONNX Runtime, and its graph with OpenVINO where that is installed.

    Raises:
        EngineError, BundleError: a graph cannot be loaded or run.
    """
    jobs: dict[tuple[str, str, str], Run] = {}
    for name, bundle in bundles.items():
        jobs[name, OnnxRuntimeEngine.name, "model"] = _model(bundle, frames)
        jobs[name, OnnxRuntimeEngine.name, "detect"] = Detector(bundle, threads=1).detect
        if util.find_spec(OPENVINO):
            jobs[name, OPENVINO, "model"] = _openvino(bundle, frames)
    taken = _in_turn(jobs, frames, rounds)
    return [Timing(*key, statistics.median(ms), min(ms), len(ms)) for key, ms in taken.items()]


def _in_turn(
    jobs: Mapping[tuple[str, str, str], Run], frames: Sequence[Frame], rounds: int
) -> dict[tuple[str, str, str], list[float]]:
    taken: dict[tuple[str, str, str], list[float]] = {key: [] for key in jobs}
    order = list(jobs)
    for number in range(_WARM_UP + rounds):
        frame = frames[number % len(frames)]
        for key in order[number % len(order) :] + order[: number % len(order)]:
            started = time.perf_counter()
            jobs[key](frame)
            elapsed = time.perf_counter() - started
            if number >= _WARM_UP:
                taken[key].append(elapsed * 1000)
    return taken


def _model(bundle: Bundle, frames: Sequence[Frame]) -> Run:
    graph = engines.open_graph(bundle, threads=1)
    tensors = _tensors(bundle, frames)
    outputs = bundle.manifest.output.tensors
    return lambda frame: graph.run(tensors[id(frame)], outputs)


def _openvino(bundle: Bundle, frames: Sequence[Frame]) -> Run:
    path = bundle.path(bundle.variant(frozenset({OnnxRuntimeEngine.name})))
    # Where the CPU has bfloat16, OpenVINO would compute float graphs in it by itself.
    settings = {"INFERENCE_NUM_THREADS": 1, "PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": "f32"}
    try:
        compiled = core().compile_model(str(path), "CPU", settings)
    except RuntimeError as error:
        raise EngineError(OPENVINO, path, f"cannot load the graph: {error}") from error
    tensors = _tensors(bundle, frames)
    return lambda frame: compiled([tensors[id(frame)]])


def _tensors(bundle: Bundle, frames: Sequence[Frame]) -> dict[int, Any]:
    manifest = bundle.manifest
    return {id(frame): prepare(frame.pixels, manifest.input, manifest.preprocess)[0] for frame in frames}
