"""The ranges that a graph's tensors take on calibration pictures: smallest and largest value (MinMax)."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from edge_runtime.bundles.bundle import sha256_of
from edge_runtime.errors import CamtrapEdgeError

if TYPE_CHECKING:
    import onnx

log = logging.getLogger(__name__)

Ranges = Mapping[str, tuple[float, float]]
"""Tensor name to its smallest and its largest value."""


def measured(prepared: Path, tensors: Sequence[NDArray[np.float32]], op_types: Iterable[str], work: Path) -> Ranges:
    """Ranges of what nodes of `op_types` read and write; measured once for each folder `work` and kept there.

    One picture is in memory at a time, and of each tensor only its range is kept.

    Args:
        prepared: a graph from `preparing.prepared`.
        tensors: calibration inputs, each with a batch of 1.

    Raises:
        CamtrapEdgeError: there are no calibration inputs, or a tensor holds NaN or infinite values.
    """
    file = work / "ranges.json"
    types = sorted(set(op_types))
    kept = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    fits = kept.get("graph") == sha256_of(prepared) and set(types) <= set(kept.get("op_types", ()))
    if not fits:
        if not len(tensors):
            raise CamtrapEdgeError("INT8 needs the ranges that real photos give: name some with --calibrate DIR")
        kept = {"graph": sha256_of(prepared), "op_types": types, "pictures": len(tensors)}
        kept["ranges"] = _measure(prepared, tensors, types)
        partial = file.with_suffix(".partial")
        partial.write_text(json.dumps(kept), encoding="utf-8")
        partial.replace(file)
    return {name: (low, high) for name, (low, high) in kept["ranges"].items()}


def _measure(
    prepared: Path, tensors: Iterable[NDArray[np.float32]], op_types: Sequence[str]
) -> dict[str, tuple[float, float]]:
    import onnx
    import onnxruntime
    from tqdm import tqdm

    model = onnx.load(str(prepared))
    input_name = model.graph.input[0].name
    names = _tensors_of(model, op_types)
    _watch(model, names)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    # Level 1: what is fused further on is not there to be watched.
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    watched = [f"{name}{end}" for name in names for end in (_LOW, _HIGH)]
    seen = []
    for tensor in tqdm(tensors, desc="calibrating", unit="picture", disable=None):
        seen.append(np.array(session.run(watched, {input_name: tensor}), np.float32).reshape(-1, 2))
    every = np.stack(seen)
    for place, name in enumerate(names):
        if not np.isfinite(every[:, place]).all():
            raise CamtrapEdgeError(f"{prepared.name}: the tensor '{name}' holds NaN or infinite values on a photo")
    lows, highs = every[:, :, 0].min(axis=0), every[:, :, 1].max(axis=0)
    return {name: (float(low), float(high)) for name, low, high in zip(names, lows, highs, strict=True)}


_LOW, _HIGH = "/smallest", "/largest"


def _tensors_of(model: onnx.ModelProto, op_types: Sequence[str]) -> list[str]:
    """Names of the float tensors, no weights, that nodes of these types read or write; in the graph's order."""
    import onnx

    values = [*model.graph.value_info, *model.graph.input, *model.graph.output]
    floats = {value.name for value in values if value.type.tensor_type.elem_type == onnx.TensorProto.FLOAT}
    weights = {tensor.name for tensor in model.graph.initializer}
    nodes = [node for node in model.graph.node if node.op_type in op_types]
    names = [name for node in nodes for name in (*node.input, *node.output)]
    return [name for name in dict.fromkeys(names) if name in floats - weights]


def _watch(model: onnx.ModelProto, names: Sequence[str]) -> None:
    """Let the graph give the smallest and largest value of each of these tensors.

    They are taken where the tensor is made, so that its memory is free again when its last reader is done.
    """
    from onnx import TensorProto, helper

    wanted, nodes = set(names), list(model.graph.node)

    def watch(name: str) -> list[onnx.NodeProto]:
        pairs = (("ReduceMin", _LOW), ("ReduceMax", _HIGH)) if name in wanted else ()
        return [helper.make_node(kind, [name], [f"{name}{end}"], keepdims=0) for kind, end in pairs]

    watched = [node for entry in model.graph.input for node in watch(entry.name)]
    for node in nodes:
        watched += [node, *(new for name in node.output for new in watch(name))]
    del model.graph.node[:]
    model.graph.node.extend(watched)
    for name in names:
        for end in (_LOW, _HIGH):
            model.graph.output.append(helper.make_tensor_value_info(f"{name}{end}", TensorProto.FLOAT, []))
