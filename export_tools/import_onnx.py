"""Foreign ONNX graphs: what they say of themselves, and a tail behind them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from edge_runtime.errors import CamtrapEdgeError
from export_tools.bundle_writer import Graph
from export_tools.import_layouts import GraphFacts
from export_tools.import_tails import LEAST_OPSET

if TYPE_CHECKING:
    import onnx

ENGINE = "onnxruntime"
_QUANTIZED = {"QuantizeLinear", "QLinearConv", "ConvInteger", "MatMulInteger", "DynamicQuantizeLinear"}
_FLOAT16 = 10


def read_facts(graph: Path, size: tuple[int, int] | None) -> GraphFacts:
    """Read the graph's input and run it once, on one even grey picture.

    Args:
        size: (width, height) where the graph leaves it open.

    Raises:
        CamtrapEdgeError: the graph cannot be read or run, has not one image input, or leaves its size open.
    """
    import onnxruntime

    try:
        session = onnxruntime.InferenceSession(str(graph), providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's C++ errors have no common base
        raise CamtrapEdgeError(f"{graph}: no graph that ONNX Runtime can load: {error}") from error
    inputs = session.get_inputs()
    if len(inputs) != 1 or len(inputs[0].shape) != 4 or inputs[0].type != "tensor(float)":
        found = ", ".join(f"{entry.name} {entry.type} {entry.shape}" for entry in inputs)
        raise CamtrapEdgeError(f"{graph}: needs one float32 image input with 4 dimensions, has: {found}")
    layout, (width, height) = settled_size(graph, inputs[0].shape, size)
    names = [entry.name for entry in session.get_outputs()]
    try:
        values = session.run(names, {inputs[0].name: grey(layout, width, height)})
    except Exception as error:  # as above
        raise CamtrapEdgeError(f"{graph}: does not run on a picture of {width}x{height}: {error}") from error
    return GraphFacts(inputs[0].name, width, height, layout, dict(zip(names, values, strict=True)))


def settled_size(graph: Path, shape: list[Any], size: tuple[int, int] | None) -> tuple[str, tuple[int, int]]:
    """Layout of an image input, and its (width, height).

    Args:
        shape: its four dimensions; those that are left open are not integers.
        size: what the user names.

    Raises:
        CamtrapEdgeError: left open by both, or they differ.
    """
    layout = "nhwc" if shape[3] == 3 and shape[1] != 3 else "nchw"
    height, width = shape[1:3] if layout == "nhwc" else shape[2:4]
    if not (isinstance(width, int) and isinstance(height, int)):
        if size is None:
            raise CamtrapEdgeError(f"{graph}: leaves its input size open; name it with --size WIDTHxHEIGHT")
        return layout, size
    if size is not None and size != (width, height):
        raise CamtrapEdgeError(f"{graph}: its input is {width}x{height}, not {size[0]}x{size[1]}")
    return layout, (width, height)


def grey(layout: str, width: int, height: int) -> Any:
    """One even picture, float32 [1, 3, height, width], or [1, height, width, 3] for `nhwc`."""
    return np.full((1, height, width, 3) if layout == "nhwc" else (1, 3, height, width), 0.5, np.float32)


def settled(graph: Path, facts: GraphFacts, tail: onnx.GraphProto | None, work: Path) -> Graph:
    """The graph as it goes into a bundle: the file itself, or a copy in `work` with the tail and all its weights.

    Raises:
        CamtrapEdgeError: the graph is too old for the tail.
    """
    import onnx

    model = onnx.load(str(graph), load_external_data=False)
    precision = _precision(model)
    outside = any(tensor.data_location == onnx.TensorProto.EXTERNAL for tensor in model.graph.initializer)
    if tail is None and not outside:
        return Graph(graph, precision, ENGINE, precision)
    if outside:
        model = onnx.load(str(graph))
    if tail is not None:
        _append(graph, model, tail)
    file = work / "graph.onnx"
    onnx.save(model, str(file))
    return Graph(file, precision, ENGINE, precision)


def _append(graph: Path, model: onnx.ModelProto, tail: onnx.GraphProto) -> None:
    opset = next((entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx")), 0)
    if opset < LEAST_OPSET:
        raise CamtrapEdgeError(
            f"{graph}: is of opset {opset}, but decoding its boxes needs {LEAST_OPSET}; export it again, or convert it "
            "with onnx.version_converter"
        )
    model.graph.node.extend(tail.node)
    model.graph.initializer.extend(tail.initializer)
    del model.graph.output[:]
    model.graph.output.extend(tail.output)


def _precision(model: onnx.ModelProto) -> str:
    if any(node.op_type in _QUANTIZED for node in model.graph.node):
        return "int8"
    return "fp16" if any(tensor.data_type == _FLOAT16 for tensor in model.graph.initializer) else "fp32"
