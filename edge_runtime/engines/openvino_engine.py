"""OpenVINO on the CPU: Intel and ARM boards; an extra (`pip install openvino`)."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from functools import cache
from importlib import import_module
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_runtime.engines.protocol import Tensor
from edge_runtime.errors import EngineError
from edge_runtime.laps import Lap, no_lap

PRECISION_KEY = ("camtrap_edge", "precision")
"""Where an OpenVINO graph says, in its `rt_info`, that it was made for 16-bit arithmetic: "fp16"."""


class OpenVinoEngine:
    """Opens OpenVINO graphs (`.xml` with its `.bin` beside it) and ONNX graphs with OpenVINO's CPU plugin."""

    name = "openvino"

    def open(self, graph: Path, *, input_name: str, threads: int, streams: int = 1) -> OpenVinoSession:
        try:
            model = core().read_model(str(graph))
            inputs = [next(iter(sorted(port.get_names())), "") for port in model.inputs]
            if inputs != [input_name]:
                raise EngineError(self.name, graph, f"has the inputs {inputs}, the bundle names '{input_name}'")
            how = settings(threads, streams, precision=_precision(model))
            compiled = core().compile_model(model, "CPU", how)
            session = OpenVinoSession(compiled, graph, input_name, streams=streams)
        except ImportError as error:
            raise EngineError(self.name, graph, "OpenVINO is not installed: pip install openvino") from error
        except (RuntimeError, TypeError, ValueError) as error:  # what OpenVINO's bindings raise
            raise EngineError(self.name, graph, f"cannot load the graph: {_first_lines(error)}") from error
        return session


class OpenVinoSession:
    """One graph compiled by OpenVINO, with its asynchronous requests: one for each inference at a time."""

    def __init__(self, compiled: Any, graph: Path, input_name: str, *, streams: int) -> None:
        self._compiled, self._graph, self._input = compiled, graph, input_name
        self._idle: SimpleQueue[Any] = SimpleQueue()
        for _ in range(streams):
            self._idle.put(compiled.create_infer_request())

    def run(self, image: NDArray[np.float32], outputs: Sequence[str], lap: Lap = no_lap) -> list[Tensor]:
        request = self._idle.get()
        try:
            # Shared: the tensor is only read while the request runs.
            request.start_async({self._input: image}, share_inputs=True)
            request.wait()
            # Copied: the next inference writes into the same memory.
            results = [np.array(request.get_tensor(name).data) for name in outputs]
            lap("infer")
            return results
        except (RuntimeError, TypeError, ValueError) as error:  # as above
            raise EngineError(OpenVinoEngine.name, self._graph, f"inference failed: {_first_lines(error)}") from error
        finally:
            self._idle.put(request)


def settings(threads: int, streams: int = 1, *, precision: str) -> dict[str, Any]:
    """How a graph is compiled.

    Args:
        threads: of one inference.
        streams: inferences at once.
        precision: `f32` or `f16`, in which what is not INT8 is computed. Where a CPU has 16-bit arithmetic, OpenVINO
            would take it by itself, and answers would differ from what the bundle's proof says.
    """
    return {
        "NUM_STREAMS": streams,
        "INFERENCE_NUM_THREADS": threads * streams,
        "INFERENCE_PRECISION_HINT": precision,
        # Pinned threads lose where other programs want the same core; one photo at a time wins nothing by it.
        "ENABLE_CPU_PINNING": False,
    }


def import_quietly() -> Any:
    """The module `openvino`, without the package that reports its use to its maker.

    OpenVINO and NNCF do without `openvino_telemetry` where it cannot be imported. It sends unless somebody opted out.

    Raises:
        ImportError: OpenVINO is not installed.
    """
    sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]  # Python's way to say "cannot be imported"
    return import_module("openvino")


def core() -> Any:
    """The one `openvino.Core` of this process.

    Each one's CPU plugin gives its thread another stack for signals and, when it goes, the one from before. Where an
    older core went first that one is gone, and the next signal that Python handles would be a segmentation fault.

    Raises:
        ImportError: OpenVINO is not installed.
    """
    return _core_of(import_quietly())


@cache
def _core_of(openvino: Any) -> Any:
    return openvino.Core()


def _precision(model: Any) -> str:
    path = list(PRECISION_KEY)
    made_for_half = model.has_rt_info(path) and model.get_rt_info(path).astype(str) == "fp16"
    # Asked for f16 on a CPU that has only bfloat16, OpenVINO takes that: 3 digits instead of 4.
    return "f16" if made_for_half and "FP16" in core().get_property("CPU", "OPTIMIZATION_CAPABILITIES") else "f32"


def _first_lines(error: Exception) -> str:
    """What went wrong, without OpenVINO's list of the C++ places that it passed."""
    lines = [line.strip() for line in str(error).splitlines()]
    return " ".join(line for line in lines if line and not line.startswith(("Exception from", "Check '")))[:400]
