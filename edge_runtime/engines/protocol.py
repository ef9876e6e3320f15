"""The narrow boundary between a graph and the runtime that executes it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from edge_runtime.laps import Lap, no_lap

Tensor = NDArray[Any]


class Session(Protocol):
    """One loaded graph. `run` may be called by as many threads at once as it was opened for (`streams`)."""

    def run(self, image: NDArray[np.float32], outputs: Sequence[str], lap: Lap = no_lap) -> list[Tensor]:
        """Run the graph on one input tensor, shape as the bundle's `input` says with the batch first.

        Args:
            lap: called at the end of `infer`, and where there is a GPU of `h2d` before and of `d2h` after it.

        Returns the tensors named `outputs`, in that order.

        Raises:
            EngineError: the runtime refused or ran out of memory.
        """
        ...


class Engine(Protocol):
    """A runtime."""

    name: str

    def open(self, graph: Path, *, input_name: str, threads: int, streams: int = 1) -> Session:
        """Load `graph`.

        Args:
            threads: CPU threads of one inference.
            streams: inferences at once.

        Raises:
            EngineError: the runtime cannot load it, or it has no input called `input_name`.
        """
        ...
