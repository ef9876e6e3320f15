"""A real detector graph that needs no training, and photos on which its truth is known exactly.

The graph has YOLOX' output layout. It looks at a 128 x 128 picture in 4 x 4 cells and finds a red cell to be an
animal, a green one a person and a blue one a vehicle. So what the whole way from a card to a station ought to find is
known to the last count, on every machine, and it is found by inference all the same.
"""

from __future__ import annotations

import io
import math
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

from edge_runtime.bundles.bundle import Bundle
from export_tools.import_graph import LABEL_TABLES, PRESETS, import_graph

SIDE = 128
CELL = 32
COLOURS = {"animal": (230, 20, 20), "person": (20, 230, 20), "vehicle": (20, 20, 230)}
Cells = Mapping[tuple[int, int], str]
"""(column, row) of the 4 x 4 cells, to a category."""


def build_bundle(folder: Path) -> Bundle:
    """Write the graph and import it as a user would."""
    graph = folder.parent / "colour.onnx"
    onnx.save(_model(), str(graph))
    return import_graph(
        graph,
        folder,
        preset=PRESETS["yolox"],
        name="colour-detector",
        version="1",
        labels=LABEL_TABLES / "megadetector.csv",
        licence="Apache-2.0",
        source="tests/colour_detector.py",
    )


def photo(
    cells: Cells,
    *,
    taken: datetime | None = None,
    serial: str = "",
    seed: int = 0,
    size: tuple[int, int] = (512, 512),
) -> bytes:
    """A JPEG with coloured cells on grey noise; `seed` makes its bytes its own."""
    width, height = size
    noise = np.random.default_rng(seed).integers(100, 140, (height // 8, width // 8, 1), dtype=np.uint8)
    pixels = np.repeat(np.repeat(np.repeat(noise, 8, 0), 8, 1), 3, 2)
    across, down = width // 4, height // 4
    for (column, row), category in cells.items():
        pixels[row * down : (row + 1) * down, column * across : (column + 1) * across] = COLOURS[category]
    exif = Image.Exif()
    exif[0x010F] = "TESTCAM"
    if taken is not None:
        exif.get_ifd(0x8769)[0x9003] = taken.strftime("%Y:%m:%d %H:%M:%S")
    if serial:
        exif.get_ifd(0x8769)[0xA431] = serial
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "JPEG", quality=90, exif=exif)
    return stream.getvalue()


def _model() -> onnx.ModelProto:
    cells = SIDE // CELL
    weights = np.zeros((3, 3, 1, 1), np.float32)  # channels come as B, G, R; classes are animal, person, vehicle
    for label, channel in enumerate((2, 1, 0)):
        weights[label, :, 0, 0] = -1.0
        weights[label, channel, 0, 0] = 1.0
    finer = sum((SIDE // stride) ** 2 for stride in (8, 16))
    tensors = {
        "weights": weights / 160.0,
        "shape": np.array([1, 3, cells * cells], np.int64),
        "box": np.tile(np.array([0.5, 0.5, math.log(0.9), math.log(0.9), 1.0], np.float32), (1, cells * cells, 1)),
        "nothing": np.zeros((1, finer, 8), np.float32),
        "low": np.array(0.0, np.float32),
        "high": np.array(0.99, np.float32),
    }
    nodes = [
        helper.make_node("AveragePool", ["images"], ["mean"], kernel_shape=[CELL, CELL], strides=[CELL, CELL]),
        helper.make_node("Conv", ["mean", "weights"], ["colour"]),
        helper.make_node("Clip", ["colour", "low", "high"], ["clipped"]),
        helper.make_node("Reshape", ["clipped", "shape"], ["flat"]),
        helper.make_node("Transpose", ["flat"], ["scores"], perm=[0, 2, 1]),
        helper.make_node("Concat", ["box", "scores"], ["coarse"], axis=2),
        helper.make_node("Concat", ["nothing", "coarse"], ["output"], axis=1),
    ]
    graph = helper.make_graph(
        nodes,
        "colour",
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, [1, 3, SIDE, SIDE])],
        [helper.make_tensor_value_info("output", TensorProto.FLOAT, [1, finer + cells * cells, 8])],
        [numpy_helper.from_array(value, name) for name, value in tensors.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 8
    onnx.checker.check_model(model)
    return model
