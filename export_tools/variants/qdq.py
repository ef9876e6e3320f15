"""Static INT8 quantization of an ONNX graph: explicit Q/DQ, weights S8 per channel."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from edge_runtime.errors import CamtrapEdgeError
from export_tools.variants.preparing import COMPUTING
from export_tools.variants.ranges import Ranges

if TYPE_CHECKING:
    import onnx


@dataclass(frozen=True)
class Scheme:
    """How a graph is quantized."""

    activations: Literal["u8", "s8"]
    symmetric: bool
    """Whether activations have the zero point 0."""
    int32_bias: bool
    """Whether a bias is rounded as well, to 32 bits; else it is added in float."""
    rounds_outputs: bool
    """Whether what a quantized node writes is rounded at once, or only where the next quantized node reads it."""
    op_types: tuple[str, ...]
    """Types of nodes that are quantized. Of the computing ones only those with constant weights are, unless
    `dynamic_products`."""
    dynamic_products: bool = False
    """Whether a MatMul of two activations (attention) is quantized too."""


def quantize(
    prepared: Path, int8: Path, ranges: Ranges, scheme: Scheme, *, keep_float: Collection[str] = ()
) -> tuple[str, ...]:
    """Quantize `prepared` into `int8`; the graph's own outputs stay as they are.

    Args:
        prepared: a graph from `preparing.prepared`.
        ranges: of its tensors (`ranges.measured`).
        keep_float: names of nodes that are not quantized.

    Returns the names of the computing nodes that were.

    Raises:
        CamtrapEdgeError: a tensor that would be quantized holds NaN or infinite values.
    """
    import onnx
    from onnxruntime.quantization import QuantType
    from onnxruntime.quantization.calibrate import CalibrationMethod, TensorsData
    from onnxruntime.quantization.qdq_quantizer import QDQQuantizer

    model = onnx.load(str(prepared))
    left_out = set(keep_float) | (set() if scheme.dynamic_products else _dynamic_products(model))
    nodes = [node for node in model.graph.node if node.op_type in scheme.op_types and node.name not in left_out]
    touched = {name for node in nodes for name in (*node.input, *node.output)} & ranges.keys()
    for name in sorted(touched):
        if not np.isfinite(ranges[name]).all():
            raise CamtrapEdgeError(f"{prepared.name}: the tensor '{name}' holds NaN or infinite values on a photo")
    limits = {name: tuple(np.array(limit, np.float32) for limit in ranges[name]) for name in touched}
    quantizer = QDQQuantizer(
        model,
        per_channel=True,
        reduce_range=False,
        weight_qType=QuantType.QInt8,
        activation_qType=QuantType.QUInt8 if scheme.activations == "u8" else QuantType.QInt8,
        tensors_range=TensorsData(CalibrationMethod.MinMax, limits),
        nodes_to_quantize=[],
        nodes_to_exclude=sorted(left_out),
        op_types_to_quantize=list(scheme.op_types),
        extra_options={
            "ActivationSymmetric": scheme.symmetric,
            "QuantizeBias": scheme.int32_bias,
            "OpTypesToExcludeOutputQuantization": [] if scheme.rounds_outputs else list(scheme.op_types),
        },
    )
    quantizer.quantize_model()
    quantized = quantizer.model.model
    _float_outputs(quantized)
    quantizer.model.topological_sort()
    onnx.save(quantized, str(int8))
    return tuple(node.name for node in nodes if node.op_type in COMPUTING)


def _dynamic_products(model: onnx.ModelProto) -> set[str]:
    """Names of the computing nodes whose second factor is no constant."""
    weights = {tensor.name for tensor in model.graph.initializer}
    return {node.name for node in model.graph.node if node.op_type in COMPUTING and node.input[1] not in weights}


def _float_outputs(model: onnx.ModelProto) -> None:
    """Take away the rounding of the graph's outputs, which no quantized node reads."""
    outputs = {output.name for output in model.graph.output}
    by_output = {name: node for node in model.graph.node for name in node.output}
    readers: dict[str, int] = {}
    for node in model.graph.node:
        for name in node.input:
            readers[name] = readers.get(name, 0) + 1
    gone = []
    for name in outputs:
        dequantize = by_output[name]
        if dequantize.op_type != "DequantizeLinear" or readers.get(name):
            continue
        rounding = by_output[dequantize.input[0]]
        maker = by_output[rounding.input[0]]
        place = list(maker.output).index(rounding.input[0])
        # Only where the rounded tensor goes nowhere else.
        if readers[dequantize.input[0]] == readers[rounding.input[0]] == 1:
            maker.output[place] = name
            gone += [rounding, dequantize]
    for node in gone:
        model.graph.node.remove(node)
