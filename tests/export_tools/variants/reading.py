"""What the tests look for in an ONNX graph."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper

from edge_runtime import engines
from export_tools.variants.protocol import FloatGraph, Made, Variant


def run(made: Made, variant: Variant, source: FloatGraph, image: NDArray[np.float32]) -> list[NDArray[np.float32]]:
    """A variant's outputs, by the engine that proves it."""
    spec = source.model.description.input
    session = engines.get(variant.proven_with).open(made.graph, input_name=spec.tensor, threads=1)
    return session.run(image, source.model.outputs)


def rounded_weights(graph: Path) -> set[str]:
    """Names of the nodes that read their weights from a DequantizeLinear."""
    model = onnx.load(str(graph))
    makers = {name: node for node in model.graph.node for name in node.output}
    computing = [node for node in model.graph.node if node.op_type in ("Conv", "Gemm", "MatMul")]
    return {node.name for node in computing if _kind(makers, node, 1) == "DequantizeLinear"}


def rounding(graph: Path) -> set[str]:
    """Names of the Q/DQ nodes."""
    nodes = onnx.load(str(graph)).graph.node
    return {node.name for node in nodes if node.op_type in ("QuantizeLinear", "DequantizeLinear")}


def weights_of(graph: Path, node_name: str) -> NDArray[np.generic]:
    """The weights that a node reads, as they stand in the file."""
    model = onnx.load(str(graph))
    (node,) = [one for one in model.graph.node if one.name == node_name]
    (tensor,) = [one for one in model.graph.initializer if one.name == node.input[1]]
    return numpy_helper.to_array(tensor)


def _kind(makers: dict[str, onnx.NodeProto], node: onnx.NodeProto, place: int) -> str:
    maker = makers.get(node.input[place])
    return maker.op_type if maker is not None else ""
