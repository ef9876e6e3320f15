"""The colour detector, but with a blue cell (a vehicle) before it, it never comes to an end: a graph that hangs.

The real thing hangs in a driver or in a graph's own loop. Here it is the latter, so that what is proven holds for a
thread deep inside the engine, which nothing in Python can reach.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from edge_runtime.bundles.bundle import Bundle
from export_tools.import_graph import LABEL_TABLES, PRESETS, import_graph
from tests import colour_detector

HANGS = {(0, 0): "vehicle"}
"""What a photo shows that hangs it."""


def build_bundle(folder: Path) -> Bundle:
    """Write the graph and import it as a user would."""
    graph = folder.parent / "hanging.onnx"
    onnx.save(_model(), str(graph))
    return import_graph(
        graph,
        folder,
        preset=PRESETS["yolox"],
        name="hanging-detector",
        version="1",
        labels=LABEL_TABLES / "megadetector.csv",
        licence="Apache-2.0",
        source="tests/deploy/hanging_detector.py",
    )


def _model() -> onnx.ModelProto:
    model = colour_detector._model()
    graph = model.graph
    (last,) = (node for node in graph.node if "output" in node.output)
    last.output[0] = "found"
    tensors = {
        "vehicle": np.array(2, np.int64),
        "half": np.array(0.5, np.float32),
        "for_ever": np.array(2**62, np.int64),
        "go_on": np.array(True),
        "zero": np.zeros(1, np.float32),
    }
    graph.initializer.extend(numpy_helper.from_array(value, name) for name, value in tensors.items())
    body = helper.make_graph(
        [
            helper.make_node("Identity", ["go_on_in"], ["go_on_out"]),
            helper.make_node("Mul", ["sum_in", "sum_in"], ["sum_out"]),
        ],
        "round",
        [
            helper.make_tensor_value_info("round", TensorProto.INT64, []),
            helper.make_tensor_value_info("go_on_in", TensorProto.BOOL, []),
            helper.make_tensor_value_info("sum_in", TensorProto.FLOAT, [1]),
        ],
        [
            helper.make_tensor_value_info("go_on_out", TensorProto.BOOL, []),
            helper.make_tensor_value_info("sum_out", TensorProto.FLOAT, [1]),
        ],
    )
    graph.node.extend(
        [
            helper.make_node("Gather", ["clipped", "vehicle"], ["blue"], axis=1),
            helper.make_node("ReduceMax", ["blue"], ["bluest"], keepdims=0),
            helper.make_node("Greater", ["bluest", "half"], ["is_blue"]),
            helper.make_node("Cast", ["is_blue"], ["is_blue_number"], to=TensorProto.INT64),
            helper.make_node("Mul", ["is_blue_number", "for_ever"], ["rounds"]),
            helper.make_node("Loop", ["rounds", "go_on", "zero"], ["nothing_much"], body=body),
            helper.make_node("Add", ["found", "nothing_much"], ["output"]),
        ]
    )
    onnx.checker.check_model(model)
    return model
