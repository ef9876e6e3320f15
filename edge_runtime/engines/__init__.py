"""Runtimes that execute a graph. One file each; adding one touches one new file and one line here."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module, util
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge_runtime.bundles.bundle import Bundle
from edge_runtime.bundles.manifest import Variant
from edge_runtime.engines.protocol import Engine, Session, Tensor
from edge_runtime.errors import EngineError

_ENGINES = {
    # name in a manifest: (module of the runtime itself, our file, class)
    "onnxruntime": ("onnxruntime", "edge_runtime.engines.onnxruntime_engine", "OnnxRuntimeEngine"),
    "openvino": ("openvino", "edge_runtime.engines.openvino_engine", "OpenVinoEngine"),
}


def available() -> frozenset[str]:
    """Names of the engines whose runtime is installed here."""
    return frozenset(name for name, (runtime, _, _) in _ENGINES.items() if util.find_spec(runtime))


def get(name: str) -> Engine:
    """The engine called `name`, one of `available()`."""
    _, module, attribute = _ENGINES[name]
    engine: Engine = getattr(import_module(module), attribute)()
    return engine


class Graph:
    """One variant of a bundle, loaded by the engine that it is for."""

    def __init__(self, session: Session, variant: Variant, path: Path) -> None:
        self._session, self.variant, self.path = session, variant, path

    def run(self, image: NDArray[np.float32], outputs: Sequence[str]) -> list[Tensor]:
        """As `Session.run`."""
        return self._session.run(image, outputs)

    def error(self, problem: str) -> EngineError:
        """An error about this graph, for whoever finds its outputs wrong."""
        return EngineError(self.variant.engine, self.path, problem)


def open_graph(bundle: Bundle, *, threads: int) -> Graph:
    """Load the bundle's first variant that an installed engine runs.

    Raises:
        BundleError: no installed engine runs any of its variants.
        EngineError: the graph cannot be loaded.
    """
    variant = bundle.variant(available())
    path = bundle.path(variant)
    session = get(variant.engine).open(path, input_name=bundle.manifest.input.tensor, threads=threads)
    return Graph(session, variant, path)
