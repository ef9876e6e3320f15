"""Small real graphs whose faults are known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from edge_runtime.bundles.manifest import EmbeddingOutput, Input, Preprocess, Thresholds
from edge_runtime.values import Box, Crop, Detection
from export_tools.bundle_writer import Description

SIDE, CHANNELS, LAYERS = 32, 12, 6
PLANTED = "conv4"
WHOLE = Detection("animal", 1.0, Box(0.0, 0.0, 1.0, 1.0))


def embedder(graph: Path, *, planted: bool, seed: int = 3) -> Path:
    """Convolutions `conv1` ... and the mean of the last one's output.

    With `planted`, the weights of `PLANTED` for one input channel are thousands of times the others, and that channel
    is thousands of times weaker: nothing changes in float, while 8 bits keep nothing of the other weights.
    """
    random = np.random.default_rng(seed)
    tensors: dict[str, NDArray[np.float32]] = {}
    nodes, last, inputs = [], "image", 3
    for layer in range(1, LAYERS + 1):
        weight = random.normal(0, (2 / (9 * inputs)) ** 0.5, (CHANNELS, inputs, 3, 3)).astype(np.float32)
        bias = random.normal(0, 0.1, CHANNELS).astype(np.float32)
        if planted and f"conv{layer + 1}" == PLANTED:
            weight[0] *= 1e-5
            bias[0] *= 1e-5
        if planted and f"conv{layer}" == PLANTED:
            weight[:, 0] *= 1e4
        tensors |= {f"w{layer}": weight, f"b{layer}": bias}
        nodes.append(
            helper.make_node(
                "Conv",
                [last, f"w{layer}", f"b{layer}"],
                [f"c{layer}"],
                name=f"conv{layer}",
                pads=[1, 1, 1, 1],
                strides=[2, 2] if layer in (2, 4) else [1, 1],
            )
        )
        if layer < LAYERS:
            nodes.append(helper.make_node("Relu", [f"c{layer}"], [f"r{layer}"], name=f"relu{layer}"))
        last, inputs = f"r{layer}", CHANNELS
    nodes.append(helper.make_node("GlobalAveragePool", [f"c{LAYERS}"], ["pooled"], name="pool"))
    nodes.append(helper.make_node("Flatten", ["pooled"], ["embedding"], name="flat"))
    made = helper.make_model(
        helper.make_graph(
            nodes,
            "embedder",
            [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["n", 3, SIDE, SIDE])],
            [helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["n", CHANNELS])],
            [numpy_helper.from_array(value, name) for name, value in tensors.items()],
        ),
        opset_imports=[helper.make_opsetid("", 17)],
    )
    made.ir_version = 8
    onnx.checker.check_model(made)
    onnx.save(made, str(graph))
    return graph


def description() -> Description:
    return Description(
        name="net",
        version="1",
        task="embedder",
        description="A small net.",
        licence="Apache-2.0",
        source="tests",
        input=Input(tensor="image", width=SIDE, height=SIDE),
        preprocess=Preprocess(resize="stretch", mean=(0.5, 0.5, 0.5), std=(0.25, 0.25, 0.25)),
        thresholds=Thresholds(),
        embedding=EmbeddingOutput(tensor="embedding", dimensions=CHANNELS),
    )


def crops(count: int, *, seed: int = 0) -> list[Crop]:
    """Pictures of coloured patches, each another."""
    random = np.random.default_rng(seed)
    patches = random.integers(0, 256, (count, 4, 4, 3), dtype=np.uint8)
    return [Crop(WHOLE, np.repeat(np.repeat(one, 8, 0), 8, 1)) for one in patches]
