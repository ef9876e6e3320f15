"""From a network in PyTorch to the float32 ONNX graph, and proof that both answer alike."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx.version_converter
import torch
from numpy.typing import NDArray

from edge_runtime.engines.onnxruntime_engine import OnnxRuntimeEngine
from edge_runtime.errors import CamtrapEdgeError
from export_tools.model import Model
from export_tools.variants.preparing import COMPUTING, LEAST_OPSET

OPSET = 17
BATCH = "batch"
"""Name of the free dimension of a graph that takes any number of images."""
_MOVED, _MOST_MOVED = 1e-4, 300
"""A share of the largest value from which on a candidate is looked for elsewhere, and how many at most."""


@dataclass(frozen=True)
class Parity:
    """How far ONNX Runtime's outputs are from PyTorch's on the same inputs."""

    output: str
    inputs: int
    largest: float
    """Absolute difference."""
    scale: float
    """The largest absolute value that PyTorch gives: a difference of 1e-3 is nothing to a box of 1,280 pixels."""


def export(model: Model, graph: Path) -> frozenset[str]:
    """Write the float32 graph: static height and width, batch 1 or, where the model says so, free.

    Returns the names of the nodes that belong to `model.float_modules`.

    Raises:
        CamtrapEdgeError: PyTorch cannot export the network, or one of `float_modules` has no node.
    """
    assert model.network is not None
    spec = model.description.input
    image = torch.zeros(1, 3, spec.height, spec.width)
    written = io.BytesIO()
    free = {name: {0: BATCH} for name in (spec.tensor, *model.outputs)} if model.any_batch else None
    try:
        with warnings.catch_warnings(), torch.no_grad():
            # Each trace warns of every size that it takes for constant, which is what a static graph wants.
            warnings.simplefilter("ignore")
            torch.onnx.export(
                model.network.eval(),
                (image,),
                written,
                input_names=[spec.tensor],
                output_names=list(model.outputs),
                dynamic_axes=free,
                opset_version=OPSET,
                dynamo=False,
            )
    except (RuntimeError, ValueError, TypeError, torch.onnx.errors.OnnxExporterError) as error:
        raise CamtrapEdgeError(f"{model.family}: PyTorch cannot export the network to ONNX: {error}") from error
    exported = onnx.load_model_from_string(written.getvalue())
    _name_nodes(exported)
    graph.write_bytes(exported.SerializeToString())
    return _float_nodes(exported, model.float_modules)


def parity(model: Model, graph: Path, tensors: Iterable[NDArray[np.float32]]) -> list[Parity]:
    """Run PyTorch and ONNX Runtime on the same inputs [1, 3, H, W]; one entry per output."""
    assert model.network is not None
    session = OnnxRuntimeEngine().open(graph, input_name=model.description.input.tensor, threads=2)
    largest, scale, count = [0.0] * len(model.outputs), [0.0] * len(model.outputs), 0
    for tensor in tensors:
        with torch.no_grad():
            expected = [output.numpy() for output in model.network(torch.from_numpy(tensor))]
        given = session.run(tensor, model.outputs)
        if model.description.task == "detector":
            given = _in_order(expected, given)
        for place, (one, other) in enumerate(zip(expected, given, strict=True)):
            largest[place] = max(largest[place], float(np.abs(one - other).max(initial=0.0)))
            scale[place] = max(scale[place], float(np.abs(one).max(initial=0.0)))
        count += 1
    return [Parity(name, count, *pair) for name, *pair in zip(model.outputs, largest, scale, strict=True)]


def _in_order(expected: Sequence[NDArray[np.float32]], given: Sequence[NDArray[np.float32]]) -> list[NDArray[Any]]:
    """The candidates [1, A, ...] of `given` in the order of `expected`.

    A transformer's queries are sorted by score, so two that are equally sure may change places by rounding alone.
    """
    one, other = (np.concatenate([output[0] for output in outputs], axis=1) for outputs in (expected, given))
    size = np.maximum(1.0, np.abs(one).max(axis=0, initial=0.0))
    moved = np.flatnonzero((np.abs(one - other) / size).max(axis=1) > _MOVED)
    order = np.arange(len(one))
    left = list(moved)
    for row in moved if len(moved) <= _MOST_MOVED else ():
        nearest = min(left, key=lambda place: float(np.abs(one[row] - other[place]).sum()))
        order[row] = nearest
        left.remove(nearest)
    return [output[:, order] for output in given]


def take(graph: Path, target: Path) -> None:
    """Copy a graph that exists already; one of an older opset than INT8 needs is written anew in `OPSET`.

    Raises:
        CamtrapEdgeError: it cannot be converted.
    """
    loaded = onnx.load(str(graph))
    opset = next(entry.version for entry in loaded.opset_import if entry.domain in ("", "ai.onnx"))
    if opset < LEAST_OPSET:
        try:
            loaded = onnx.version_converter.convert_version(loaded, OPSET)
        except (RuntimeError, ValueError) as error:
            raise CamtrapEdgeError(f"{graph}: opset {opset} cannot be converted to {OPSET}: {error}") from error
    _name_nodes(loaded)
    target.write_bytes(loaded.SerializeToString())


def last_layers(graph: Path) -> frozenset[str]:
    """Names of the computing nodes after which nothing is computed but a decode: the ends of a detector's head."""
    loaded = onnx.load(str(graph)).graph
    ends: set[str] = set()
    readers: dict[str, list[onnx.NodeProto]] = {}
    for node in loaded.node:
        for name in node.input:
            readers.setdefault(name, []).append(node)

    leads_on: dict[str, bool] = {}
    for node in reversed(loaded.node):  # a graph's nodes are in order
        after = [reader for name in node.output for reader in readers.get(name, ())]
        here = node.op_type in COMPUTING
        leads_on[node.output[0]] = here or any(leads_on[reader.output[0]] for reader in after)
        if here and not any(leads_on[reader.output[0]] for reader in after):
            ends.add(node.name)
    return frozenset(ends)


def _name_nodes(exported: onnx.ModelProto) -> None:
    """Give a name to each node that has none: a manifest names what stays in float."""
    for place, node in enumerate(exported.graph.node):
        if not node.name:
            node.name = f"{node.op_type}_{place}"


def _float_nodes(exported: onnx.ModelProto, modules: Sequence[str]) -> frozenset[str]:
    found: dict[str, set[str]] = {module: set() for module in modules}
    for node in exported.graph.node:
        if node.op_type not in COMPUTING:
            continue
        places = [_module_of(node.name), *node.input[1:2]]
        for module in modules:
            if any(place == module or place.startswith(f"{module}.") for place in places):
                found[module].add(node.name)
    absent = [module for module, nodes in found.items() if not nodes]
    if absent:
        raise CamtrapEdgeError(f"no node of the graph belongs to {', '.join(absent)}, which must stay in float")
    return frozenset(name for nodes in found.values() for name in nodes)


def _module_of(node: str) -> str:
    """The qualified name of the module that a node comes from, by the scope in its name.

    A container repeats its own name: `/head/cv3.0/cv3.0.2/Conv` is of `head.cv3.0.2`.
    """
    parts: list[str] = []
    for part in node.strip("/").split("/")[:-1]:
        if parts and part.startswith(f"{parts[-1]}."):
            parts[-1] = part
        else:
            parts.append(part)
    return ".".join(parts)
