"""From the trained network to ONNX: the float graph, and the INT8 graph that the device runs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn

from edge_runtime.bundles.manifest import Input, Output, Preprocess
from edge_runtime.models.preprocess import prepare
from edge_runtime.values import Pixels
from export_tools.default_models import static_int8
from export_tools.default_models.detector.network import DetectorNetwork

WIDTH, HEIGHT = 512, 384
"""Pixels of the device's input: most cameras take 4:3, and 16:9 loses least in it."""
OPSET = 17
INPUT = Input(tensor="image", width=WIDTH, height=HEIGHT)
PREPROCESS = Preprocess(resize="letterbox", interpolation="linear", mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5))
OUTPUT = Output(head="decoded", tensors=("boxes", "scores"))
_SMALL = 64
"""Tensors of fewer numbers than this are not worth halving."""


class _Deployed(nn.Module):
    def __init__(self, network: DetectorNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        logits, boxes = self.network(image)
        return boxes, torch.sigmoid(logits)


def export(network: DetectorNetwork, graph: Path) -> None:
    """Write the network as ONNX with float32 weights that float16 can hold: `image` [1, 3, 384, 512] float32 ->
    `boxes` [1, 4032, 4] `xyxy` in pixels of the input, `scores` [1, 4032, 3]."""
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.copy_(parameter.half().float())
    torch.onnx.export(
        _Deployed(network).eval(),
        (torch.zeros(1, 3, HEIGHT, WIDTH),),
        str(graph),
        input_names=[INPUT.tensor],
        output_names=list(OUTPUT.tensors),
        opset_version=OPSET,
        dynamo=False,
    )


def store_as_half(graph: Path, stored: Path) -> None:
    """The same graph with its weights kept as float16 and cast when it is loaded: half the bytes, the same numbers."""
    model = onnx.load(str(graph))
    casts, kept = [], []
    for tensor in model.graph.initializer:
        values = numpy_helper.to_array(tensor)
        halved = values.astype(np.float16)
        if values.dtype != np.float32 or values.size < _SMALL or not np.array_equal(halved.astype(np.float32), values):
            kept.append(tensor)
            continue
        kept.append(numpy_helper.from_array(halved, f"{tensor.name}.half"))
        casts.append(helper.make_node("Cast", [f"{tensor.name}.half"], [tensor.name], to=TensorProto.FLOAT))
    nodes = [*casts, *model.graph.node]
    del model.graph.initializer[:], model.graph.node[:]
    model.graph.initializer.extend(kept)
    model.graph.node.extend(nodes)
    onnx.checker.check_model(model)
    onnx.save(model, str(stored))


def quantize(graph: Path, int8: Path, pictures: Sequence[Pixels], *, work: Path) -> None:
    """Write the INT8 graph, its ranges taken from `pictures` (uint8 RGB); the first three and the
    six output convolutions stay float."""
    prepared = work / "prepared.onnx"
    static_int8.prepare(graph, prepared)
    model = onnx.load(str(prepared))
    _own_weights(model)
    onnx.save(model, str(prepared))
    static_int8.quantize(
        prepared,
        int8,
        [prepare(pixels, INPUT, PREPROCESS)[0] for pixels in pictures],
        input_name=INPUT.tensor,
        keep_float=_kept_float(model),
    )


def _kept_float(model: onnx.ModelProto) -> list[str]:
    """The output convolutions, and the first three with their clips: few channels with very unlike ranges, where INT8
    loses most and wins nothing (16.5 ms with them in float, 16.8 without)."""
    of_type = {kind: [node.name for node in model.graph.node if node.op_type == kind] for kind in ("Conv", "Clip")}
    return [*filter(_is_output, of_type["Conv"]), *of_type["Conv"][:3], *of_type["Clip"][:2]]


def _is_output(name: str) -> bool:
    return name.startswith(("/network/head/classes", "/network/head/box"))


def _own_weights(model: onnx.ModelProto) -> None:
    """Give each level's pass through the shared head weights of its own: each quantizes its bias by its own input."""
    weights = {tensor.name: tensor for tensor in model.graph.initializer}
    used: set[str] = set()
    for node in model.graph.node:
        if node.op_type != "Conv":
            continue
        for place in (1, 2):
            name = node.input[place]
            if name in used:
                copy = TensorProto()
                copy.CopyFrom(weights[name])
                copy.name = f"{name}.{node.name}"
                model.graph.initializer.append(copy)
                node.input[place] = copy.name
            used.add(node.input[place])
