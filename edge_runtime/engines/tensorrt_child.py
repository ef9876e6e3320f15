"""The process that builds one engine, which tensorrt_build.py starts.

    python -m edge_runtime.engines.tensorrt_child PACKAGE GRAPH INPUT MAJOR MINOR FILE PARENT

PACKAGE is the TensorRT, INPUT the name of the graph's input, MAJOR and MINOR the compute capability, FILE the number of
the open file for the engine, PARENT the process that wants it. It tells lines of JSON: `share` and `phase` as it gets
on, last `built` or a `problem`.
"""

from __future__ import annotations

import ctypes
import json
import logging
import os
import signal
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

from edge_runtime.engines import tensorrt_progress, tensorrt_runtime
from edge_runtime.engines.tensorrt_build import BATCH, NAME, WORKSPACE, why
from edge_runtime.engines.tensorrt_progress import Report
from edge_runtime.engines.tensorrt_runtime import RTX, Runtime
from edge_runtime.errors import EngineError

_PR_SET_PDEATHSIG = 1
_LONGEST_PHASE = 200


def main() -> None:
    package, graph, input_name, major, minor, file, parent = sys.argv[1:]
    _depend_on(int(parent))
    answers = os.dup(1)
    # What a library writes to standard output must not come between the lines.
    os.dup2(2, 1)
    logging.basicConfig(format="%(message)s")
    logging.getLogger("edge_runtime").setLevel(logging.DEBUG)

    def tell(**told: object) -> None:
        os.write(answers, json.dumps(told).encode("ascii") + b"\n")

    def report(share: float, phase: str) -> None:
        # A line of up to PIPE_BUF bytes goes through a pipe whole or not at all.
        tell(share=share, phase=phase[:_LONGEST_PHASE])

    runtime, capability = tensorrt_runtime.imported(package), (int(major), int(minor))
    try:
        engine = _built(runtime, Path(graph), input_name=input_name, capability=capability, report=report)
        with os.fdopen(int(file), "wb") as stream:
            stream.write(engine)
        tell(built=True)
    except EngineError as error:
        tell(problem=error.problem)
    except OSError as error:
        tell(problem=f"cannot write the engine: {error.strerror}; free some space")
    logging.shutdown()
    # The system takes all back at once: there is no need to trust TensorRT's own way out.
    os._exit(0)


def _depend_on(parent: int) -> None:
    """End with the process that wants the engine, and before it where memory runs out."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, ctypes.c_ulong(signal.SIGKILL))
    if os.getppid() != parent:
        os._exit(1)
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000", encoding="ascii")


def _built(runtime: Runtime, graph: Path, *, input_name: str, capability: tuple[int, int], report: Report) -> Any:
    """The engine, as memory of TensorRT that can be read like bytes."""
    trt = runtime.trt
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
    _set_profile(builder, config, network.get_input(0), graph)
    config.progress_monitor = tensorrt_progress.monitor(trt, report)
    engine = builder.build_serialized_network(network, config)
    if engine is None:
        raise EngineError(NAME, graph, f"no engine can be built: {why(runtime)}")
    return engine


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


if __name__ == "__main__":
    main()
