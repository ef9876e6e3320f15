"""How long one inference takes beside the reference's, on one thread, the two in turn."""

from __future__ import annotations

import platform
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge_runtime import engines
from edge_runtime.bundles.bundle import Bundle

ROUNDS = 30
SECONDS = 20.0
"""No further round begins after that, except the first `_LEAST`."""
_LEAST = 5
_WARM_UP = 2


@dataclass(frozen=True, slots=True)
class Timing:
    """Medians of milliseconds."""

    ms: float
    reference_ms: float
    runs: int
    machine: str

    @property
    def speedup(self) -> float:
        return self.reference_ms / self.ms


def measure(
    bundle: Bundle,
    reference: Bundle,
    tensors: Sequence[NDArray[np.float32]],
    *,
    rounds: int = ROUNDS,
    seconds: float = SECONDS,
) -> Timing:
    """Time the first variant of both, input tensor to output tensors.

    They take turns and change who begins, so that other load on the machine meets both alike.

    Args:
        tensors: inputs, at least one.

    Raises:
        EngineError, BundleError: one of them cannot be loaded or run.
    """
    graphs = [engines.open_graph(one, threads=1) for one in (bundle, reference)]
    outputs = [_outputs(one) for one in (bundle, reference)]
    taken: list[list[float]] = [[], []]
    begun = time.monotonic()
    for turn in range(_WARM_UP + rounds):
        if turn >= _WARM_UP + _LEAST and time.monotonic() - begun > seconds:
            break
        for place in (0, 1) if turn % 2 else (1, 0):
            start = time.perf_counter()
            graphs[place].run(tensors[turn % len(tensors)], outputs[place])
            if turn >= _WARM_UP:
                taken[place].append((time.perf_counter() - start) * 1000)
    return Timing(statistics.median(taken[0]), statistics.median(taken[1]), len(taken[0]), machine())


def machine() -> str:
    """The processor's name as Linux tells it, else its architecture."""
    for file, key in ((Path("/proc/cpuinfo"), "model name"), (Path("/proc/device-tree/model"), "")):
        try:
            text = file.read_text(encoding="utf-8", errors="replace").strip("\0\n ")
        except OSError:
            continue
        lines = [line.partition(":")[2].strip() for line in text.splitlines() if key and line.startswith(key)]
        if lines or (text and not key):
            return lines[0] if lines else text
    return platform.machine()


def _outputs(bundle: Bundle) -> tuple[str, ...]:
    manifest = bundle.manifest
    embedding = (manifest.embedding.tensor,) if manifest.embedding else ()
    return (*manifest.output.tensors, *embedding)
