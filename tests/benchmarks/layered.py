"""Embedder bundles whose work is known: so many equal layers, so that 22 of them are 10 % more than 20."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

from edge_runtime.bundles.bundle import Bundle
from edge_runtime.bundles.manifest import EmbeddingOutput, Input, Preprocess, Thresholds
from export_tools import bundle_writer

SIDE, CHANNELS = 64, 32


def build_bundle(folder: Path, *, layers: int) -> Bundle:
    """Write a bundle of about a millisecond a layer on one thread."""
    graph = folder.parent / f"{folder.name}.onnx"
    onnx.save(_model(layers), str(graph))
    description = bundle_writer.Description(
        name=folder.name,
        version="1",
        task="embedder",
        description=f"{layers} equal layers.",
        licence="Apache-2.0",
        source="tests/benchmarks/layered.py",
        input=Input(tensor="image", width=SIDE, height=SIDE),
        preprocess=Preprocess(resize="stretch"),
        thresholds=Thresholds(),
        embedding=EmbeddingOutput(tensor="features", dimensions=CHANNELS),
    )
    return bundle_writer.write(folder, description, [bundle_writer.Graph(graph, "fp32", "onnxruntime", "fp32")])


def build_photos(folder: Path, *, count: int = 4) -> Path:
    """Write small photos, so that the model takes nearly all of the time."""
    folder.mkdir(parents=True)
    dice = np.random.default_rng(1)
    for number in range(count):
        pixels = dice.integers(0, 255, (SIDE, SIDE, 3), np.uint8)
        Image.fromarray(pixels).save(folder / f"IMG_{number:04d}.JPG", quality=90)
    return folder


def _model(layers: int) -> onnx.ModelProto:
    dice = np.random.default_rng(2)
    first = dice.normal(0, 0.1, (CHANNELS, 3, 3, 3)).astype(np.float32)
    # Each layer gives back about what it was given, so that no number grows or vanishes: both would change the time.
    weights = dice.normal(0, (2 / (CHANNELS * 9)) ** 0.5, (CHANNELS, CHANNELS, 3, 3)).astype(np.float32)
    nodes = [helper.make_node("Conv", ["image", "first"], ["x0"], kernel_shape=[3, 3], pads=[1] * 4)]
    for layer in range(layers):
        conv, out = f"c{layer}", f"x{layer + 1}"
        nodes.append(helper.make_node("Conv", [f"x{layer}", "weights"], [conv], kernel_shape=[3, 3], pads=[1] * 4))
        nodes.append(helper.make_node("Relu", [conv], [out]))
    nodes.append(helper.make_node("GlobalAveragePool", [f"x{layers}"], ["mean"]))
    nodes.append(helper.make_node("Flatten", ["mean"], ["features"]))
    graph = helper.make_graph(
        nodes,
        "layers",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 3, SIDE, SIDE])],
        [helper.make_tensor_value_info("features", TensorProto.FLOAT, [1, CHANNELS])],
        [numpy_helper.from_array(first, "first"), numpy_helper.from_array(weights, "weights")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 8
    onnx.checker.check_model(model)
    return model
