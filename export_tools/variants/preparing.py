"""The float graph made ready to be quantized: constants folded, shapes known, no two nodes sharing weights."""

from __future__ import annotations

from collections.abc import Collection
from importlib import util
from pathlib import Path
from typing import TYPE_CHECKING

from edge_runtime.bundles.bundle import sha256_of
from edge_runtime.errors import CamtrapEdgeError

if TYPE_CHECKING:
    import onnx

COMPUTING = ("Conv", "ConvTranspose", "Gemm", "MatMul")
"""The operators that do nearly all of a network's arithmetic."""
LEAST_OPSET = 13
"""From here on QuantizeLinear has an axis, which weights per channel need."""


def missing(*packages: str) -> str | None:
    """A sentence that says how to install what is not there of `packages`; None where all of them are."""
    absent = [package for package in packages if util.find_spec(package) is None]
    return f"{', '.join(absent)} missing: pip install 'camtrap-edge[export]'" if absent else None


def prepared(graph: Path, work: Path) -> Path:
    """The prepared graph of `graph`, made once for each folder `work`. Nodes that are left keep their names.

    Raises:
        CamtrapEdgeError: ONNX Runtime cannot load the graph, or its opset is too old.
    """
    file = work / f"prepared-{sha256_of(graph)[:16]}.onnx"
    if not file.exists():
        partial = file.with_suffix(".partial")
        _prepare(graph, partial)
        partial.replace(file)
    return file


def tail(model: onnx.ModelProto, keep_float: Collection[str]) -> set[str]:
    """Names of the nodes after the last computing ones that may leave float32: a detector's decode, a pooling.

    Boxes in pixels are numerically much larger than scores: here nothing is rounded.

    Args:
        keep_float: names of computing nodes that do not count, so that they are part of the tail where nothing but
            float follows.
    """
    feeding: set[str] = set()
    after = set()
    for node in reversed(model.graph.node):
        computes = node.op_type in COMPUTING and node.name not in keep_float
        if computes or feeding.intersection(node.output):
            feeding.update(node.input)
        else:
            after.add(node.name)
    return after


def _prepare(graph: Path, file: Path) -> None:
    import onnx

    _fold(graph, file)
    model = onnx.load(str(file))
    opset = next(entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx"))
    if opset < LEAST_OPSET:
        raise CamtrapEdgeError(f"{graph}: opset {opset} cannot be quantized; export it with {LEAST_OPSET} or later")
    _only_used_domains(model)
    _own_weights(model)
    onnx.save(onnx.shape_inference.infer_shapes(model), str(file))


def _fold(graph: Path, folded: Path) -> None:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.optimized_model_filepath = str(folded)
    options.log_severity_level = 3
    try:
        # A MatMul that was merged with the Add after it would come back under another name.
        onnxruntime.InferenceSession(
            str(graph), options, providers=["CPUExecutionProvider"], disabled_optimizers=["MatMulAddFusion"]
        )
    except Exception as error:  # what onnxruntime raises from C++ has no common base of its own
        raise CamtrapEdgeError(f"{graph}: no graph that ONNX Runtime can load: {error}") from error


def _only_used_domains(model: onnx.ModelProto) -> None:
    """Drop the domains that ONNX Runtime lists without using them, which other parsers stumble over."""
    used = {node.domain for node in model.graph.node} | {""}
    kept = [entry for entry in model.opset_import if entry.domain in used]
    del model.opset_import[:]
    model.opset_import.extend(kept)


def _own_weights(model: onnx.ModelProto) -> None:
    """Give each computing node weights of its own, so that one may stay in float while another is quantized, and each
    quantizes its bias by its own input."""
    import onnx

    tensors = {tensor.name: tensor for tensor in model.graph.initializer}
    used: set[str] = set()
    for node in model.graph.node:
        if node.op_type not in COMPUTING:
            continue
        for place, name in enumerate(node.input):
            if name not in tensors:
                continue
            if name in used:
                copy = onnx.TensorProto()
                copy.CopyFrom(tensors[name])
                copy.name = f"{name}.{node.name}"
                model.graph.initializer.append(copy)
                node.input[place] = copy.name
            used.add(name)
