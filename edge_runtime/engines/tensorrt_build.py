"""From an ONNX graph, with its precision written into it, to a serialized engine for one GPU."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from edge_runtime.engines import tensorrt_progress
from edge_runtime.engines.engine_cache import Facts
from edge_runtime.engines.tensorrt_cuda import Gpu
from edge_runtime.engines.tensorrt_progress import Report
from edge_runtime.engines.tensorrt_runtime import RTX, Runtime
from edge_runtime.errors import EngineError

NAME = "tensorrt"
"""The engine's, in a manifest."""
BATCH = 1
"""Of a graph with a free batch, in the only optimization profile: the device looks at one picture at a time."""
WORKSPACE = 1 << 30
"""Bytes that a layer may take for a while. By default all of the GPU's, which on a Jetson is the board's own memory."""


def facts(runtime: Runtime, gpu: Gpu, graph_sha256: str) -> Facts:
    """Everything that can change an engine."""
    return {
        "graph_sha256": graph_sha256,
        "runtime": runtime.package,
        "runtime_version": runtime.version,
        "gpu": gpu.name,
        "compute_capability": f"{gpu.capability[0]}.{gpu.capability[1]}",
        "multiprocessors": gpu.multiprocessors,
        "l2_cache_bytes": gpu.l2_cache_bytes,
        "driver": gpu.driver,
        "cuda": gpu.cuda,
        "power_mode": gpu.power_mode,
        "strongly_typed": True,
        "tf32": False,
        "workspace_bytes": WORKSPACE,
        "profile": f"batch {BATCH}..{BATCH}",
    }


def build(runtime: Runtime, graph: Path, *, input_name: str, capability: tuple[int, int], report: Report) -> bytes:
    """Parse `graph` and build an engine for a GPU of `capability`.

    Raises:
        EngineError: it is refused, names the nodes; or TensorRT cannot build it, or has not enough memory.
        KeyboardInterrupt: the user ended it.
    """
    trt = runtime.trt
    runtime.complaints.clear()
    try:
        builder = trt.Builder(runtime.logger)
    except TypeError as error:  # the bindings' word for a constructor that gave nothing
        raise EngineError(NAME, graph, f"TensorRT cannot start: {why(runtime)}") from error
    network = builder.create_network(1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED))
    parser = trt.OnnxParser(network, runtime.logger)
    if not parser.parse_from_file(str(graph)):
        raise EngineError(NAME, graph, _refused(runtime, parser))
    names = [network.get_input(place).name for place in range(network.num_inputs)]
    if names != [input_name]:
        raise EngineError(NAME, graph, f"has the inputs {names}, the bundle names '{input_name}'")
    config = builder.create_builder_config()
    # What the graph keeps in float32 is to be as exact as where it was proven.
    config.clear_flag(trt.BuilderFlag.TF32)
    config.set_memory_pool_limit(trt.MemoryPoolType.WORKSPACE, WORKSPACE)
    if runtime.package == RTX:
        config.num_compute_capabilities = 1
        config.set_compute_capability(runtime.target(capability), 0)
    image = network.get_input(0)
    _set_profile(builder, config, image, graph)
    watching = tensorrt_progress.monitor(trt, report)
    config.progress_monitor = watching
    with _interruptible(watching):
        engine = builder.build_serialized_network(network, config)
    if watching.stopped is not None:
        raise watching.stopped
    if engine is None:
        raise EngineError(NAME, graph, f"no engine can be built: {why(runtime)}")
    return bytes(engine)


@contextmanager
def _interruptible(watching: Any) -> Iterator[None]:
    """Have Ctrl-C end the build at its next step: raised in the middle of TensorRT's own code it would crash."""
    if threading.current_thread() is not threading.main_thread():
        yield  # which alone gets signals
        return

    def note(*_: object) -> None:
        watching.stopped = KeyboardInterrupt()

    before = signal.signal(signal.SIGINT, note)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.SIG_DFL if before is None else before)


def _set_profile(builder: Any, config: Any, image: Any, graph: Path) -> None:
    batch, *rest = image.shape
    if any(size < 0 for size in rest):
        raise EngineError(NAME, graph, f"its input has the shape {(batch, *rest)}: only the batch may be free")
    if batch == -1:
        profile = builder.create_optimization_profile()
        shape = (BATCH, *rest)
        profile.set_shape(image.name, shape, shape, shape)
        config.add_optimization_profile(profile)


def _refused(runtime: Runtime, parser: Any) -> str:
    errors = [parser.get_error(place) for place in range(parser.num_errors)]
    told = [
        f"'{error.node_name()}' ({error.node_operator()}): {(error.desc().splitlines() or [''])[0]}"
        for error in errors[:3]
    ]
    more = [f"and {len(errors) - 3} more"] if len(errors) > 3 else []
    return f"TensorRT {runtime.version} refuses the graph: {'; '.join(told + more)}; export the bundle again"


def why(runtime: Runtime) -> str:
    """What TensorRT said of its last failure, and what to do where memory was too little."""
    advice = "; close other programs, or take a smaller variant" if runtime.complaints.of_memory else ""
    return f"{runtime.complaints}{advice}"
