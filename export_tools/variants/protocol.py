"""What a variant is made from, and what making one gives."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from export_tools.model import Model


@dataclass(frozen=True, eq=False)
class FloatGraph:
    """The float32 ONNX graph of a model, and what is needed to quantize it."""

    model: Model
    graph: Path
    """As exported: static height and width, batch 1 or free, constants folded, no Q/DQ."""
    float_nodes: frozenset[str]
    """Names of its nodes that stay in float whatever is quantized (`Model.float_modules`)."""
    calibration: Sequence[NDArray[np.float32]] = ()
    """Pre-processed inputs [1, 3, H, W] of real photos or crops; empty where none were given."""


@dataclass(frozen=True)
class Made:
    """One variant's graph."""

    graph: Path
    quantized: tuple[str, ...] = ()
    """Names of nodes of the float graph that were quantized: what could still go back to float."""
    notes: tuple[str, ...] = ()
    """What was seen while making or checking it: "parsed and built by TensorRT RTX 1.7 for SM 8.6"."""
    files: tuple[Path, ...] = field(default=())
    """Further files that belong to it (OpenVINO's weights), beside the graph."""


class Variant(Protocol):
    """One way to ship a graph."""

    name: str
    """As in a manifest: `onnxruntime-int8`."""
    engine: str
    precision: Literal["fp32", "fp16", "int8"]
    proven_with: str
    """The engine that runs the graph on a workstation for the proof: TensorRT graphs are run by ONNX Runtime."""

    def missing(self) -> str | None:
        """What has to be installed first, as a sentence; None where nothing is missing."""
        ...

    def make(self, source: FloatGraph, work: Path, *, also_float: Collection[str] = ()) -> Made:
        """Make the graph inside the folder `work`. Ranges are measured once per `work` and kept there.

        Args:
            also_float: names of nodes of the float graph that went back to float.

        Raises:
            CamtrapEdgeError: it cannot be made; says why. VariantRefusedError: the engine's own checks refuse it.
        """
        ...
