"""A detector that tells when it has prepared its input and when the graph has run; else the very same."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from edge_runtime.bundles.bundle import Bundle
from edge_runtime.engines import Graph
from edge_runtime.engines.protocol import Tensor
from edge_runtime.laps import Lap
from edge_runtime.models.detector import Detector


class TimedDetector(Detector):
    """A detector on one thread. As `Detector`.

    Args:
        lap: called at the end of `prepare` and of `infer`; for use by one thread.
    """

    def __init__(self, bundle: Bundle, lap: Lap) -> None:
        super().__init__(bundle, threads=1)
        self._graph = _TimedGraph(self._graph, lap)


class _TimedGraph(Graph):
    def __init__(self, graph: Graph, lap: Lap) -> None:
        super().__init__(graph, graph.variant, graph.path, streams=1)
        self._lap = lap

    def run(self, image: NDArray[np.float32], outputs: Sequence[str]) -> list[Tensor]:
        self._lap("prepare")
        result = super().run(image, outputs)
        self._lap("infer")
        return result
