"""ONNX Runtime on the CPU."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from edge_runtime.device import cpu
from edge_runtime.engines.protocol import Tensor
from edge_runtime.errors import EngineError

_DISABLED = ["WeightBiasQuantization"]
"""It rounds the weights of a float convolution between two INT8 ones, with one scale for all of its channels: what a
bundle keeps in float would not stay in float."""


class OnnxRuntimeEngine:
    """Opens ONNX graphs with ONNX Runtime's CPU provider."""

    name = "onnxruntime"

    def open(self, graph: Path, *, input_name: str, threads: int, streams: int = 1) -> OnnxRuntimeSession:
        # Nothing to set for `streams`: a session runs in whatever threads call it.
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

    def run(self, image: NDArray[np.float32], outputs: Sequence[str]) -> list[Tensor]:
        try:
            result: list[Tensor] = self._session.run(list(outputs), {self._input: image})
        except Exception as error:  # as above
            raise EngineError(OnnxRuntimeEngine.name, self._graph, f"inference failed: {error}") from error
        return result


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
    # Spinning threads burn a battery between two photos and win nothing (45 ms of CPU per gap against 0.1).
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_session_config_entry("session.inter_op.allow_spinning", "0")
    if int8_saturates:
        # Sums go badly wrong without it. With VNNI it changes nothing but the time, which it doubles.
        options.add_session_config_entry("session.x64quantprecision", "1")
    return options
