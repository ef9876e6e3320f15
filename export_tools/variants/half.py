"""From float32 to float16: the precision of each tensor stands in the graph itself."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

import numpy as np

from edge_runtime.errors import CamtrapEdgeError
from export_tools.variants.ranges import Ranges

if TYPE_CHECKING:
    import onnx

FLOAT_OPS = frozenset(
    (
        # Powers overflow beyond 40 cubed.
        *("Exp", "LayerNormalization", "Pow"),
        # These want exact coordinates, counts or sums.
        *("CumSum", "GridSample", "NonMaxSuppression", "Range", "RoiAlign", "TopK"),
        # Their scales are float32 by definition, up to opset 18.
        *("DequantizeLinear", "QuantizeLinear"),
    )
)
_FIXED_INPUTS = {"Resize": {1, 2}}
"""Inputs that stay float32 by definition: region and scales."""
_LARGEST = 65504.0
_ROOM = 2
"""How many times as large as on the calibration photos a tensor may become on another one."""


def to_half(model: onnx.ModelProto, *, keep_float: Collection[str] = ()) -> onnx.ModelProto:
    """A copy of `model` that computes in float16; its inputs and outputs stay float32.

    A node stays in float32 where `keep_float` names it, where its operator is one of `FLOAT_OPS`, or where float16
    cannot hold its weights. Casts stand where two precisions meet, one for each tensor.

    Args:
        model: with the types of its tensors inferred (`preparing.prepared`).

    Raises:
        CamtrapEdgeError: the graph has a branch or a loop.
    """
    return _Halving(model, keep_float).result()


def too_loud(model: onnx.ModelProto, ranges: Ranges) -> set[str]:
    """Names of the nodes that write a tensor whose values come near the end of float16's range."""
    loud = {
        name for name, (low, high) in ranges.items() if not max(abs(low), abs(high)) * _ROOM < _LARGEST
    }  # NaN is not below it either
    return {node.name for node in model.graph.node if loud.intersection(node.output)}


class _Halving:
    def __init__(self, model: onnx.ModelProto, keep_float: Collection[str]) -> None:
        import onnx

        self._model = onnx.ModelProto()
        self._model.CopyFrom(model)
        self._keep_float = frozenset(keep_float)
        graph = self._model.graph
        self._weights = {
            tensor.name: tensor for tensor in graph.initializer if tensor.data_type == onnx.TensorProto.FLOAT
        }
        values = [*graph.value_info, *graph.input, *graph.output]
        self._floats = {value.name for value in values if value.type.tensor_type.elem_type == onnx.TensorProto.FLOAT}
        self._halved: set[str] = set()
        """Names of the tensors that are float16 already."""
        self._casts: dict[tuple[str, bool], str] = {}
        self._nodes: list[onnx.NodeProto] = []
        self._new_weights: dict[str, onnx.TensorProto] = {}

    def result(self) -> onnx.ModelProto:
        import onnx

        graph = self._model.graph
        nodes = list(graph.node)
        outputs = {output.name for output in graph.output}
        for node in nodes:
            self._convert(node, outputs)
        del graph.node[:]
        graph.node.extend(self._nodes)
        used = {name for node in self._nodes for name in node.input}
        kept = [tensor for tensor in graph.initializer if tensor.name in used]
        del graph.initializer[:], graph.value_info[:]
        graph.initializer.extend([*kept, *self._new_weights.values()])
        return onnx.shape_inference.infer_shapes(self._model)

    def _convert(self, node: onnx.NodeProto, graph_outputs: set[str]) -> None:
        import onnx

        if any(attribute.HasField("g") or attribute.graphs for attribute in node.attribute):
            raise CamtrapEdgeError(f"'{node.name}' ({node.op_type}) holds a graph of its own: no float16 can be made")
        if node.op_type in ("Cast", "Constant", "ConstantOfShape"):
            # What they give is said by an attribute, whatever goes in.
            self._nodes.append(node)
            return
        half = self._may_be_half(node)
        for place, name in enumerate(node.input):
            if place not in _FIXED_INPUTS.get(node.op_type, ()):
                node.input[place] = self._as(name, half=half)
        self._nodes.append(node)
        if not half:
            return
        for place, name in enumerate(node.output):
            if name in graph_outputs:
                node.output[place] = self._casts[name, True] = f"{name}/half"
                self._nodes.append(_cast(node.output[place], name, onnx.TensorProto.FLOAT))
            elif name in self._floats:
                self._halved.add(name)

    def _may_be_half(self, node: onnx.NodeProto) -> bool:
        from onnx import numpy_helper

        if node.name in self._keep_float or node.op_type in FLOAT_OPS:
            return False
        if not self._floats.union(self._weights).intersection((*node.input, *node.output)):
            return False
        weights = [self._weights[name] for name in node.input if name in self._weights]
        return all((np.abs(numpy_helper.to_array(tensor)) <= _LARGEST).all() for tensor in weights)

    def _as(self, name: str, *, half: bool) -> str:
        """The name under which the tensor `name` can be read in that precision."""
        import onnx
        from onnx import numpy_helper

        if name in self._weights:
            if not half:
                return name
            new = f"{name}/half"
            if new not in self._new_weights:
                values = numpy_helper.to_array(self._weights[name]).astype(np.float16)
                self._new_weights[new] = numpy_helper.from_array(values, new)
            return new
        if name not in self._floats or (name in self._halved) == half:
            return name
        if (name, half) not in self._casts:
            new = self._casts[name, half] = f"{name}/{'half' if half else 'float'}"
            self._nodes.append(_cast(name, new, onnx.TensorProto.FLOAT16 if half else onnx.TensorProto.FLOAT))
        return self._casts[name, half]


def _cast(source: str, target: str, kind: int) -> onnx.NodeProto:
    from onnx import helper

    return helper.make_node("Cast", [source], [target], name=f"{target}/cast", to=kind)
