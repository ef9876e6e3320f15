"""One network on trial: its TensorRT variants made, and what NVIDIA's parser and builder say of them."""

from __future__ import annotations

import hashlib
import resource
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from edge_runtime.errors import CamtrapEdgeError
from edge_runtime.models.preprocess import prepare
from export_tools.model import Model, VariantRefusedError
from export_tools.variants import VARIANTS, qdq_lint
from export_tools.variants.preparing import COMPUTING, prepared
from export_tools.variants.protocol import FloatGraph
from export_tools.variants.ranges import measured

TRIED = tuple(name for name, variant in VARIANTS.items() if variant.engine == "tensorrt")


class NothingToBuildError(CamtrapEdgeError):
    """The network cannot be on trial here: a file is not at hand, or it has no graph that TensorRT could take."""


@dataclass(frozen=True)
class Verdict:
    """What became of one variant."""

    outcome: Literal["built", "refused", "none", "failed"]
    """`refused` by the lint, the parser or the builder; `none`: there was nothing to build; `failed`: it broke down."""
    reason: str = ""
    seconds: float = 0.0
    quantized: int = 0
    """Nodes."""
    lint: tuple[str, ...] = ()
    """What the project's own lint found in the graph; empty where it is clean."""

    @property
    def proven(self) -> bool:
        return self.outcome in ("built", "none")


@dataclass(frozen=True)
class Answer:
    """What came out of one trial."""

    name: str
    family: str
    network: str
    weights: str
    input: str = ""
    """Width x height, pixels."""
    batch: str = ""
    parameters: int = 0
    """Of the graph's computing nodes: norms folded, what only training needs left out."""
    verdicts: dict[str, Verdict] = field(default_factory=dict)
    seconds: float = 0.0
    memory: int = 0
    """Bytes at most, of the trial or of the builder."""

    @property
    def proven(self) -> bool:
        return bool(self.verdicts) and all(verdict.proven for verdict in self.verdicts.values())


@dataclass(frozen=True, eq=False)
class Subject:
    """A float graph as the exporter makes it."""

    model: Model
    graph: Path
    float_nodes: frozenset[str]


def photos(model: Model) -> list[NDArray[np.float32]]:
    """Three photographs as inputs [1, 3, H, W]; what they show does not matter here."""
    import skimage.data

    spec, rule = model.description.input, model.description.preprocess
    shown = (skimage.data.chelsea(), skimage.data.astronaut(), skimage.data.coffee())
    return [prepare(np.ascontiguousarray(one), spec, rule)[0] for one in shown]


def judge(subject: Subject, work: Path) -> dict[str, Verdict]:
    """Make each TensorRT variant inside `work`, and have it parsed and built.

    Raises:
        CamtrapEdgeError: the graph cannot be run at all.
    """
    source = FloatGraph(subject.model, subject.graph, subject.float_nodes, photos(subject.model))
    # Ranges are measured here, so that no variant's seconds hold them.
    measured(prepared(source.graph, work), source.calibration, work)
    return {name: _tried(name, source, work) for name in TRIED}


def _tried(name: str, source: FloatGraph, work: Path) -> Verdict:
    begun = time.monotonic()
    outcome: Literal["built", "refused", "failed"]
    quantized = 0
    try:
        made = VARIANTS[name].make(source, work)
    except VariantRefusedError as error:
        outcome, reason = "refused", error.reason
    except CamtrapEdgeError as error:
        outcome, reason = "failed", str(error)
    else:
        outcome, reason, quantized = "built", made.notes[-1], len(made.quantized)
    graph = work / f"{name}.onnx"
    found = tuple(str(finding) for finding in qdq_lint.lint(graph)) if graph.exists() else ()
    return Verdict(outcome, reason, round(time.monotonic() - begun, 1), quantized, found)


def parameters(subject: Subject, work: Path) -> int:
    """Constants that the computing nodes of the exported graph read; what several nodes share counts once."""
    import onnx

    graph = onnx.load(str(prepared(subject.graph, work))).graph
    read = {name for node in graph.node if node.op_type in COMPUTING for name in node.input[1:]}
    sizes = {
        hashlib.sha256(array.tobytes()).digest(): array.size
        for array in (onnx.numpy_helper.to_array(tensor) for tensor in graph.initializer if tensor.name in read)
    }
    return sum(sizes.values())


def most_memory() -> int:
    """Bytes at most of this process, or of one that it started."""
    users = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    return max(resource.getrusage(user).ru_maxrss for user in users) * 1024
