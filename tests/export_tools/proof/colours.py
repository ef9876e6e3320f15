"""The colour detector and the colour classifier with one graph changed: what changes in decisions is known exactly."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import numpy_helper

from edge_runtime.bundles.bundle import Bundle
from edge_runtime.values import Frame
from export_tools.accuracy import running
from export_tools.proof import trial
from tests import colour_detector
from tests.colour_detector import Cells


def changed(bundle: Bundle, graph: Path, factors: tuple[float, float, float]) -> Bundle:
    """The detector with the scores of animals, persons and vehicles multiplied."""
    model = onnx.load(str(bundle.path(bundle.manifest.variants[0])))
    weights = next(tensor for tensor in model.graph.initializer if tensor.name == "weights")
    scaled = numpy_helper.to_array(weights) * np.array(factors, np.float32).reshape(3, 1, 1, 1)
    weights.CopyFrom(numpy_helper.from_array(scaled, "weights"))
    onnx.save(model, str(graph))
    return trial.with_variant(bundle, graph, engine="onnxruntime", precision="int8")


def frames(folder: Path, cells: list[Cells]) -> list[Frame]:
    """Photos with these cells, decoded."""
    made = []
    for number, one in enumerate(cells):
        file = folder / f"{number}.jpg"
        file.write_bytes(colour_detector.photo(one, seed=number))
        made.append(running.read(file))
    return made
