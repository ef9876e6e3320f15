"""What quantizing changed, counted in decisions and in neighbours."""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge_runtime.bundles.manifest import Thresholds
from edge_runtime.engines.onnxruntime_engine import OnnxRuntimeEngine
from edge_runtime.models.heads.scores import softmax
from edge_runtime.models.taxonomy import Taxonomy
from edge_runtime.values import Species
from export_tools.accuracy.intervals import Share, wilson
from export_tools.default_models.lite0_network import FEATURES, INPUT, OUTPUT
from export_tools.proof.embedders import neighbours


@dataclass(frozen=True)
class Outputs:
    """What a graph gives for a list of crops."""

    probabilities: NDArray[np.float32]
    """[N, classes]."""
    features: NDArray[np.float32]
    """[N, D], not normalised."""


@dataclass(frozen=True)
class Agreement:
    """INT8 beside FP32 on the same crops."""

    class_same: Share
    """The most probable of the classes is the same."""
    label_same: Share
    """The most probable label (or "no animal") is the same."""
    answer_same: Share
    """What the device would say is the same: this label or taxon, or nothing."""
    contradicted: Share
    """Both answer, and neither answer is the other or a coarser form of it."""
    mean_shift: float
    """Mean absolute change of the probability of FP32's most probable label, 0..1."""


@dataclass(frozen=True)
class EmbeddingAgreement:
    """INT8 features beside FP32 features of the same crops."""

    cosine_median: float
    cosine_low: float
    """5 % of the crops have a lower one."""
    neighbour_changed: Share
    """Another crop of the list is the most alike."""


def run(graph: Path, tensors: Sequence[NDArray[np.float32]]) -> Outputs:
    """What `graph` gives for `tensors` (each [1, 3, H, W]), one at a time as on the device."""
    session = OnnxRuntimeEngine().open(graph, input_name=INPUT, threads=2)
    given = [session.run(tensor, [OUTPUT, FEATURES]) for tensor in tensors]
    return Outputs(
        np.concatenate([softmax(logits) for *logits, _ in given]), np.concatenate([features for _, features in given])
    )


def directions(features: NDArray[np.float32]) -> NDArray[np.float64]:
    """[N, D] to vectors of length 1, as `Embedder` does."""
    vectors = features.astype(np.float64)
    normalised: NDArray[np.float64] = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return normalised


def latency_ms(graphs: Sequence[Path], tensor: NDArray[np.float32], *, rounds: int = 60) -> list[float]:
    """Median milliseconds of one inference with one thread, per graph; the graphs take turns, so that other load on
    the machine meets them alike."""
    sessions = [OnnxRuntimeEngine().open(graph, input_name=INPUT, threads=1) for graph in graphs]
    times: list[list[float]] = [[] for _ in graphs]
    for turn in range(rounds + 5):
        for session, taken in zip(sessions, times, strict=True):
            start = time.perf_counter()
            session.run(tensor, [OUTPUT, FEATURES])
            if turn >= 5:  # the first runs allocate
                taken.append((time.perf_counter() - start) * 1000)
    return [round(statistics.median(taken), 2) for taken in times]


def compare(taxonomy: Taxonomy, float32: Outputs, int8: Outputs, thresholds: Thresholds) -> Agreement:
    """Compare the two graphs' probabilities over the same crops."""
    summed32 = np.stack([taxonomy.summed(row) for row in float32.probabilities])
    summed8 = np.stack([taxonomy.summed(row) for row in int8.probabilities])
    said32, said8 = (
        [taxonomy.answer(row, species=thresholds.species, rollup=thresholds.rollup) for row in summed]
        for summed in (summed32, summed8)
    )
    rows, best = np.arange(len(summed32)), summed32.argmax(axis=1)
    names = [(_name(a), _name(b)) for a, b in zip(said32, said8, strict=True)]

    def share(same: Sequence[bool] | NDArray[np.bool_]) -> Share:
        return wilson(int(np.count_nonzero(same)), len(summed32))

    return Agreement(
        class_same=share(float32.probabilities.argmax(axis=1) == int8.probabilities.argmax(axis=1)),
        label_same=share(best == summed8.argmax(axis=1)),
        answer_same=share([a == b for a, b in names]),
        contradicted=share([_contradict(taxonomy, a, b) for a, b in names]),
        mean_shift=round(float(np.abs(summed32[rows, best] - summed8[rows, best]).mean()), 4),
    )


def compare_embeddings(float32: Outputs, int8: Outputs, groups: Sequence[str]) -> EmbeddingAgreement:
    """Compare the two graphs' features over the same crops; `groups` as for `neighbours`."""
    vectors32, vectors8 = directions(float32.features), directions(int8.features)
    cosines = (vectors32 * vectors8).sum(axis=1)
    changed = neighbours(vectors32, groups) != neighbours(vectors8, groups)
    return EmbeddingAgreement(
        cosine_median=round(float(np.median(cosines)), 4),
        cosine_low=round(float(np.quantile(cosines, 0.05)), 4),
        neighbour_changed=wilson(int(np.count_nonzero(changed)), len(changed)),
    )


def _name(answer: Species | None) -> str:
    return answer.name if answer else ""


def _contradict(taxonomy: Taxonomy, a: str, b: str) -> bool:
    return bool(a and b and a != b) and a not in taxonomy.coarser[b] and b not in taxonomy.coarser[a]
