"""The ranges that a graph's tensors take on calibration pictures: smallest and largest value (MinMax)."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from edge_runtime.bundles.bundle import sha256_of
from edge_runtime.errors import CamtrapEdgeError

if TYPE_CHECKING:
    import onnx

Ranges = Mapping[str, tuple[float, float]]
"""Tensor name to its smallest and its largest value."""


def measured(prepared: Path, tensors: Sequence[NDArray[np.float32]], work: Path) -> Ranges:
    """Ranges of every float tensor but weights; measured once for each folder `work` and kept there.

    One picture is in memory at a time, and of each tensor only its range is kept. A range may hold NaN or infinite
    values, where the graph does.

    Args:
        prepared: a graph from `preparing.prepared`.
        tensors: calibration inputs, each with a batch of 1.

    Raises:
        CamtrapEdgeError: there are no calibration inputs.
    """
    file = work / "ranges.json"
    kept = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    if kept.get("graph") != sha256_of(prepared):
        if not len(tensors):
            raise CamtrapEdgeError("INT8 needs the ranges that real photos give: name some with --calibrate DIR")
        kept = {"graph": sha256_of(prepared), "pictures": len(tensors), "ranges": _measure(prepared, tensors)}
        partial = file.with_suffix(".partial")
        partial.write_text(json.dumps(kept), encoding="utf-8")
        partial.replace(file)
    return {name: (low, high) for name, (low, high) in kept["ranges"].items()}


def _measure(prepared: Path, tensors: Iterable[NDArray[np.float32]]) -> dict[str, tuple[float, float]]:
    import onnx
    import onnxruntime
    from tqdm import tqdm

    model = onnx.load(str(prepared))
    input_name = model.graph.input[0].name
    names = _tensors_of(model)
    _watch(model, names)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    # Level 1: what is fused further on is not there to be watched.
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    # In the default order the smallest and largest values come last, and every tensor waits for them in memory.
    options.execution_order = onnxruntime.ExecutionOrder.PRIORITY_BASED
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    watched = [f"{name}{end}" for name in names for end in (_LOW, _HIGH)]
    seen = []
    for tensor in tqdm(tensors, desc="calibrating", unit="picture", disable=None):
        seen.append(np.array(session.run(watched, {input_name: tensor}), np.float32).reshape(-1, 2))
    every = np.stack(seen)
    lows, highs = every[:, :, 0].min(axis=0), every[:, :, 1].max(axis=0)
    return {name: (float(low), float(high)) for name, low, high in zip(names, lows, highs, strict=True)}


_LOW, _HIGH = "/smallest", "/largest"


def _tensors_of(model: onnx.ModelProto) -> list[str]:
    """Names of the graph's float tensors, no weights, in its order."""
    import onnx

    values = [*model.graph.value_info, *model.graph.input, *model.graph.output]
    floats = {value.name for value in values if value.type.tensor_type.elem_type == onnx.TensorProto.FLOAT}
    names = [entry.name for entry in model.graph.input] + [name for node in model.graph.node for name in node.output]
    return [name for name in names if name in floats]


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
