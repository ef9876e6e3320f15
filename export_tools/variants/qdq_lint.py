"""What TensorRT's parser takes of an ONNX graph with Q/DQ, said for each node before anything is parsed.

TensorRT's documentation, "Working with Quantized Types", and its ONNX parser's own assertions.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import onnx

OPSETS = range(13, 25)
"""Below there is no axis in QuantizeLinear; above no parser was tried."""
UNSUPPORTED = frozenset(
    (
        *("ConvInteger", "DynamicQuantizeLinear", "MatMulInteger", "QLinearConv", "QLinearMatMul"),
        *("BitShift", "Col2Im", "Compress", "Det", "MaxRoiPool", "MaxUnpool", "Multinomial", "Unique", "Upsample"),
        *("ConcatFromSequence", "SequenceAt", "SequenceConstruct", "SplitToSequence"),
    )
)
"""Operators that its table of supported ones leaves out, as far as networks for pictures use them."""


@dataclass(frozen=True)
class Finding:
    """One thing that the parser would refuse."""

    node: str
    rule: str
    """`opset`, `operator`, `scale`, `zero-point`, `uint8`, `int32-bias`, `per-channel-activation` or `pair`."""
    text: str

    def __str__(self) -> str:
        return f"'{self.node}': {self.text} ({self.rule})"


def lint(graph: Path) -> list[Finding]:
    """What TensorRT would refuse in `graph`, in the graph's order; empty where nothing is wrong."""
    import onnx

    return list(_findings(onnx.load(str(graph))))


def _findings(model: onnx.ModelProto) -> Iterator[Finding]:
    opset = next(entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx"))
    if opset not in OPSETS:
        yield Finding(
            model.graph.name, "opset", f"opset {opset} is not one of {OPSETS.start} to {OPSETS.stop - 1} of its parser"
        )
    facts = _Facts(model)
    for node in model.graph.node:
        if node.domain not in ("", "ai.onnx") or node.op_type in UNSUPPORTED:
            kind = f"{node.domain}.{node.op_type}" if node.domain else node.op_type
            yield Finding(node.name, "operator", f"{kind} is no operator that it has")
        elif node.op_type in ("QuantizeLinear", "DequantizeLinear"):
            yield from _scale(node, facts)
            yield from _zero_point(node, facts)
            yield from _pair(node, facts)


class _Facts:
    def __init__(self, model: onnx.ModelProto) -> None:
        self.constants = {tensor.name: tensor for tensor in model.graph.initializer}
        for node in model.graph.node:
            if node.op_type == "Constant" and node.attribute and node.attribute[0].name == "value":
                self.constants[node.output[0]] = node.attribute[0].t
        self.makers = {name: node for node in model.graph.node for name in node.output}
        self.readers: dict[str, list[onnx.NodeProto]] = {}
        for node in model.graph.node:
            for name in node.input:
                self.readers.setdefault(name, []).append(node)
        self.outputs = {output.name for output in model.graph.output}


def _scale(node: onnx.NodeProto, facts: _Facts) -> Iterator[Finding]:
    from onnx import numpy_helper

    if node.input[1] not in facts.constants:
        yield Finding(node.name, "scale", f"its scale '{node.input[1]}' is no constant")
        return
    scale = numpy_helper.to_array(facts.constants[node.input[1]])
    if not (np.isfinite(scale).all() and (scale > 0).all()):
        yield Finding(node.name, "scale", "a scale has to be positive and finite")
    if scale.size > 1 and node.input[0] not in facts.constants and not _dequantizes_weights(node, facts):
        yield Finding(
            node.name, "per-channel-activation", f"{scale.size} scales for an activation, which may have only one"
        )


def _dequantizes_weights(node: onnx.NodeProto, facts: _Facts) -> bool:
    maker = facts.makers.get(node.input[0])
    return maker is not None and maker.op_type == "QuantizeLinear" and maker.input[0] in facts.constants


def _zero_point(node: onnx.NodeProto, facts: _Facts) -> Iterator[Finding]:
    from onnx import TensorProto, numpy_helper

    name = node.input[2] if len(node.input) > 2 else ""
    data = facts.constants.get(node.input[0])
    if node.op_type == "DequantizeLinear" and data is not None and data.data_type == TensorProto.INT32:
        yield Finding(node.name, "int32-bias", "dequantizes 32-bit integers: leave the bias in float")
        return
    if name and name not in facts.constants:
        yield Finding(node.name, "zero-point", f"its zero point '{name}' is no constant")
        return
    if name and numpy_helper.to_array(facts.constants[name]).any():
        yield Finding(node.name, "zero-point", "its zero point is not 0")
    kind = facts.constants[name].data_type if name else data.data_type if data is not None else TensorProto.UINT8
    if kind == TensorProto.UINT8:
        yield Finding(node.name, "uint8", "holds unsigned numbers: only signed ones (INT8) are taken")


def _pair(node: onnx.NodeProto, facts: _Facts) -> Iterator[Finding]:
    if node.op_type == "QuantizeLinear":
        readers = facts.readers.get(node.output[0], [])
        if node.output[0] in facts.outputs or not readers or {one.op_type for one in readers} != {"DequantizeLinear"}:
            yield Finding(node.name, "pair", "quantizes without a DequantizeLinear after it")
        return
    maker = facts.makers.get(node.input[0])
    if node.input[0] not in facts.constants and (maker is None or maker.op_type != "QuantizeLinear"):
        yield Finding(node.name, "pair", "dequantizes what no QuantizeLinear made")
