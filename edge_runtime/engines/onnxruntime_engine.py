"""ONNX Runtime on the CPU."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from edge_runtime.device import cpu
from edge_runtime.engines.protocol import Tensor
from edge_runtime.errors import EngineError
from edge_runtime.laps import Lap, no_lap

_DISABLED = ["WeightBiasQuantization"]
"""It rounds the weights of a float convolution between two INT8 ones, with one scale for all of its channels: what a
bundle keeps in float would not stay in float."""

_AS_REQUESTED = 1
"""`kSameAsRequested` of ONNX Runtime's arenas; the other way is the next power of two."""


class OnnxRuntimeEngine:
    """Opens ONNX graphs with ONNX Runtime's CPU provider."""

    name = "onnxruntime"

    def open(self, graph: Path, *, input_name: str, threads: int, streams: int = 1) -> OnnxRuntimeSession:
        # Nothing to set for `streams`: a session runs in whatever threads call it.
        _share_memory()
        options = session_options(threads, int8_saturates=cpu.int8_saturates())
        try:
            session = onnxruntime.InferenceSession(
                str(graph), options, providers=["CPUExecutionProvider"], disabled_optimizers=_DISABLED
            )
        except Exception as error:  # what onnxruntime raises from C++ has no common base of its own
            raise EngineError(self.name, graph, f"cannot load the graph: {error}") from error
        inputs = [entry.name for entry in session.get_inputs()]
        if inputs != [input_name]:
            raise EngineError(self.name, graph, f"has the inputs {inputs}, the bundle names '{input_name}'")
        return OnnxRuntimeSession(session, graph, input_name)


class OnnxRuntimeSession:
    """One graph loaded by ONNX Runtime."""

    def __init__(self, session: Any, graph: Path, input_name: str) -> None:
        self._session, self._graph, self._input = session, graph, input_name

    def run(self, image: NDArray[np.float32], outputs: Sequence[str], lap: Lap = no_lap) -> list[Tensor]:
        try:
            result: list[Tensor] = self._session.run(list(outputs), {self._input: image})
        except Exception as error:  # as above
            raise EngineError(OnnxRuntimeEngine.name, self._graph, f"inference failed: {error}") from error
        lap("infer")
        return result


@cache
def _share_memory() -> None:
    """Let all sessions of this process take their tensors from one pool, which grows by what is asked for.

    Each session by itself would double its own pool whenever it is too small, and keep it: of YOLO11n at 640 pixels two
    inferences at once took 190 MB; so they take 130.
    """
    place = onnxruntime.OrtMemoryInfo(
        "Cpu", onnxruntime.OrtAllocatorType.ORT_ARENA_ALLOCATOR, 0, onnxruntime.OrtMemType.DEFAULT
    )
    onnxruntime.create_and_register_allocator(
        place,
        onnxruntime.OrtArenaCfg(
            {
                "max_mem": 0,
                "arena_extend_strategy": _AS_REQUESTED,
                "initial_chunk_size_bytes": 1 << 20,
                "max_dead_bytes_per_chunk": 1 << 20,
            }
        ),
    )


def session_options(threads: int, *, int8_saturates: bool) -> onnxruntime.SessionOptions:
    """How a session is opened.

    Args:
        threads: of one inference.
        int8_saturates: as `edge_runtime.device.cpu` tells it.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    # Laid out in advance, the tensors of each inference at once are a block of their own: more memory, no less time.
    options.enable_mem_pattern = False
    # Spinning threads burn a battery between two photos and win nothing (45 ms of CPU per gap against 0.1).
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_session_config_entry("session.inter_op.allow_spinning", "0")
    options.add_session_config_entry("session.use_env_allocators", "1")
    if int8_saturates:
        # Sums go badly wrong without it. With VNNI it changes nothing but the time, which it doubles.
        options.add_session_config_entry("session.x64quantprecision", "1")
    return options
