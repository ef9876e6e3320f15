"""What quantizing changed, counted in decisions, and how sure the classifier must be before it names a species."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge_runtime.engines.onnxruntime_engine import OnnxRuntimeEngine
from edge_runtime.models.heads.scores import softmax
from export_tools.default_models.lite0_network import INPUT, OUTPUT

Probabilities = NDArray[np.float64]
"""[N, names + 1]: the summed probability of each name; the last column is everything that is no animal."""

_Z = 1.959964
"""Standard normal quantile of a 95 % interval."""


@dataclass(frozen=True)
class Share:
    """A count out of a number, with its 95 % interval (Wilson 1927)."""

    count: int
    of: int
    share: float
    low: float
    high: float


@dataclass(frozen=True)
class Agreement:
    """INT8 beside FP32 on the same crops."""

    class_same: Share
    """The most probable of the 1,000 classes is the same."""
    name_same: Share
    """The most probable name (or "no animal") is the same."""
    decision_same: Share
    """What the device would say is the same: this name, or none."""
    name_changed: Share
    """Both name a species, and not the same one."""
    mean_shift: float
    """Mean absolute change of the probability of FP32's most probable name, 0..1."""


@dataclass(frozen=True)
class Naming:
    """What is named at one threshold."""

    threshold: float
    named: Share
    """Crops of species that ImageNet has, which are given any name."""
    right: Share
    """Of these names, the right ones."""
    outside_named: Share
    """Crops of animals that ImageNet lacks, which are given a name all the same (always wrong)."""
    right_of_all: Share
    """Of all names given, to either, the right ones."""


def wilson(count: int, of: int) -> Share:
    """The share `count / of` with its 95 % score interval; all zeros where `of` is 0."""
    if of == 0:
        return Share(0, 0, 0.0, 0.0, 0.0)
    share = count / of
    centre = (share + _Z**2 / (2 * of)) / (1 + _Z**2 / of)
    half = _Z / (1 + _Z**2 / of) * math.sqrt(share * (1 - share) / of + _Z**2 / (4 * of**2))
    return Share(count, of, round(share, 4), round(max(0.0, centre - half), 4), round(min(1.0, centre + half), 4))


class NameTable:
    """Sums class probabilities by name, as the device's classifier does."""

    def __init__(self, by_class: Sequence[str]) -> None:
        self.names = tuple(dict.fromkeys(name for name in by_class if name))
        place = {name: index for index, name in enumerate(self.names)}
        self._sum = np.zeros((len(by_class), len(self.names) + 1))
        self._sum[np.arange(len(by_class)), [place.get(name, len(self.names)) for name in by_class]] = 1

    def summed(self, probabilities: NDArray[np.float32]) -> Probabilities:
        summed: Probabilities = probabilities @ self._sum
        return summed

    def decisions(self, summed: Probabilities, threshold: float) -> list[str]:
        """The name that the device gives each crop, empty for none."""
        best = summed.argmax(axis=1)
        sure = summed.max(axis=1) >= threshold
        return [
            self.names[index] if yes and index < len(self.names) else "" for index, yes in zip(best, sure, strict=True)
        ]


def run(graph: Path, tensors: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
    """Class probabilities [N, classes] of `tensors` (each [1, 3, H, W]), one at a time as on the device."""
    session = OnnxRuntimeEngine().open(graph, input_name=INPUT, threads=2)
    return np.concatenate([softmax(session.run(tensor, [OUTPUT])) for tensor in tensors])


def latency_ms(graphs: Sequence[Path], tensor: NDArray[np.float32], *, rounds: int = 60) -> list[float]:
    """Median milliseconds of one inference with one thread, per graph; the graphs take turns, so that other load on
    the machine meets them alike."""
    sessions = [OnnxRuntimeEngine().open(graph, input_name=INPUT, threads=1) for graph in graphs]
    times: list[list[float]] = [[] for _ in graphs]
    for turn in range(rounds + 5):
        for session, taken in zip(sessions, times, strict=True):
            start = time.perf_counter()
            session.run(tensor, [OUTPUT])
            if turn >= 5:  # the first runs allocate
                taken.append((time.perf_counter() - start) * 1000)
    return [round(statistics.median(taken), 2) for taken in times]


def compare(table: NameTable, float32: NDArray[np.float32], int8: NDArray[np.float32], threshold: float) -> Agreement:
    """Compare class probabilities [N, classes] of the two graphs over the same crops."""
    names32, names8 = table.summed(float32), table.summed(int8)
    said32, said8 = table.decisions(names32, threshold), table.decisions(names8, threshold)
    rows, best = np.arange(len(names32)), names32.argmax(axis=1)

    def share(same: Sequence[bool] | NDArray[np.bool_]) -> Share:
        return wilson(int(np.count_nonzero(same)), len(float32))

    return Agreement(
        class_same=share(float32.argmax(axis=1) == int8.argmax(axis=1)),
        name_same=share(best == names8.argmax(axis=1)),
        decision_same=share([a == b for a, b in zip(said32, said8, strict=True)]),
        name_changed=share([bool(a and b and a != b) for a, b in zip(said32, said8, strict=True)]),
        mean_shift=round(float(np.abs(names32[rows, best] - names8[rows, best]).mean()), 4),
    )


def naming(
    table: NameTable, summed: Probabilities, species: Sequence[tuple[str, ...] | None], threshold: float
) -> Naming:
    """What would be named at `threshold`, against what the crops are known to show (`KnownCrop.species`)."""
    said = table.decisions(summed, threshold)
    inside = [(name, right) for name, right in zip(said, species, strict=True) if right]
    outside = [name for name, right in zip(said, species, strict=True) if right == ()]
    named = [(name, right) for name, right in inside if name]
    hits, wrong_outside = sum(name in right for name, right in named), sum(bool(name) for name in outside)
    return Naming(
        threshold=threshold,
        named=wilson(len(named), len(inside)),
        right=wilson(hits, len(named)),
        outside_named=wilson(wrong_outside, len(outside)),
        right_of_all=wilson(hits, len(named) + wrong_outside),
    )
