"""Runtimes that execute a graph. One file each; adding one touches one new file and one line here."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib import import_module, util
from pathlib import Path
from threading import BoundedSemaphore

import numpy as np
from numpy.typing import NDArray

from edge_runtime.bundles.bundle import Bundle
from edge_runtime.bundles.manifest import Variant
from edge_runtime.engines import tensorrt_runtime
from edge_runtime.engines.protocol import Engine, Session, Tensor
from edge_runtime.errors import EngineError
from edge_runtime.laps import Lap, no_lap


def _installed(module: str) -> Callable[[], bool]:
    return lambda: util.find_spec(module) is not None


_ENGINES: dict[str, tuple[Callable[[], bool], str, str]] = {
    # name in a manifest: (whether it can run here, our file, class)
    "onnxruntime": (_installed("onnxruntime"), "edge_runtime.engines.onnxruntime_engine", "OnnxRuntimeEngine"),
    "openvino": (_installed("openvino"), "edge_runtime.engines.openvino_engine", "OpenVinoEngine"),
    "tensorrt": (tensorrt_runtime.usable, "edge_runtime.engines.tensorrt_engine", "TensorRtEngine"),
}


def available() -> frozenset[str]:
    """Names of the engines that can run here: installed, and with the hardware that they need."""
    return frozenset(name for name, (usable, _, _) in _ENGINES.items() if usable())


def get(name: str) -> Engine:
    """The engine called `name`, one of `available()`."""
    _, module, attribute = _ENGINES[name]
    engine: Engine = getattr(import_module(module), attribute)()
    return engine


class Graph:
    """One variant of a bundle, loaded by the engine that it is for."""

    def __init__(self, session: Session, variant: Variant, path: Path, *, streams: int) -> None:
        self._session, self.variant, self.path = session, variant, path
        self._idle = BoundedSemaphore(streams)

    def run(self, image: NDArray[np.float32], outputs: Sequence[str], lap: Lap = no_lap) -> list[Tensor]:
        """As `Session.run`, from any number of threads: they wait for a free stream."""
        with self._idle:
            return self._session.run(image, outputs, lap)

    def error(self, problem: str) -> EngineError:
        """An error about this graph, for whoever finds its outputs wrong."""
        return EngineError(self.variant.engine, self.path, problem)


def open_graph(bundle: Bundle, *, threads: int, streams: int = 1) -> Graph:
    """Load the bundle's first variant that an installed engine runs.

    Args:
        threads: CPU threads of one inference.
        streams: inferences at once.

    Raises:
        BundleError: no installed engine runs any of its variants.
        EngineError: the graph cannot be loaded.
    """
    variant = bundle.variant(available())
    path = bundle.path(variant)
    tensor = bundle.manifest.input.tensor
    session = get(variant.engine).open(path, input_name=tensor, threads=threads, streams=streams)
    return Graph(session, variant, path, streams=streams)
