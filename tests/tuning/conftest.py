"""A card whose truth is known, and bundles of several variants: some lose boxes, break, or answer by chance."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from edge_runtime.bundles import bundle as bundles
from edge_runtime.bundles.bundle import Bundle
from export_tools import bundle_writer
from tests import card_plan

Change = Callable[[onnx.ModelProto], None]
MakeBundle = Callable[..., Bundle]


@pytest.fixture(scope="session")
def tuning_card(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """60-odd photos of 512 x 512 with coloured cells, and some files that are no photos."""
    folder = tmp_path_factory.mktemp("tuning") / "card"
    card_plan.build(folder, bursts=16)
    return folder


def finds_nothing(model: onnx.ModelProto) -> None:
    """No confidence above .2."""
    _set(model, "high", np.array(0.2, np.float32))


def answers_by_chance(model: onnx.ModelProto) -> None:
    """Each confidence is up to .01 too high, another one each time."""
    node = helper.make_node("RandomUniform", [], ["chance"], shape=[1, 3, 4, 4], low=0.0, high=0.01)
    add = helper.make_node("Add", ["clipped", "chance"], ["shaken"])
    at = next(index for index, node in enumerate(model.graph.node) if node.output[0] == "flat")
    model.graph.node[at].input[0] = "shaken"
    model.graph.node.insert(at, add)
    model.graph.node.insert(at, node)


def wants_a_terabyte(model: onnx.ModelProto) -> None:
    """Allocates what no machine has, for a sum that it does not need."""
    # The size comes from the input: one known beforehand would be refused when the graph is loaded.
    model.graph.initializer.append(numpy_helper.from_array(np.array([1 << 38], np.int64), "many"))
    model.graph.initializer.append(numpy_helper.from_array(np.array([1], np.int64), "one"))
    nodes = [
        helper.make_node("Shape", ["images"], ["shape_of_images"]),
        helper.make_node("Slice", ["shape_of_images", "zero", "one"], ["batch"]),
        helper.make_node("Mul", ["batch", "many"], ["size"]),
        helper.make_node("RandomUniformLike", ["huge"], ["noise"]),
        helper.make_node("ConstantOfShape", ["size"], ["huge"]),
        helper.make_node("ReduceSum", ["noise"], ["sum"], keepdims=0),
        helper.make_node("Mul", ["sum", "nought"], ["none"]),
        helper.make_node("Add", ["clipped", "none"], ["shaken"]),
    ]
    nodes[3], nodes[4] = nodes[4], nodes[3]
    model.graph.initializer.append(numpy_helper.from_array(np.array([0], np.int64), "zero"))
    model.graph.initializer.append(numpy_helper.from_array(np.array(0.0, np.float32), "nought"))
    at = next(index for index, node in enumerate(model.graph.node) if node.output[0] == "flat")
    model.graph.node[at].input[0] = "shaken"
    for node in reversed(nodes):
        model.graph.node.insert(at, node)


@pytest.fixture
def make_bundle(colour_bundle: Path, tmp_path: Path) -> MakeBundle:
    """Makes a bundle of the colour detector's graph: first as it is (`plain`, fp32), then changed in other ways."""
    own = bundles.load(colour_bundle, task="detector")

    def make(**changed: Change) -> Bundle:
        source = own.path(own.manifest.variants[0])
        graphs = [bundle_writer.Graph(source, "plain", "onnxruntime", "fp32")]
        for name, change in changed.items():
            model = onnx.load(str(source))
            change(model)
            onnx.save(model, str(tmp_path / f"{name}.onnx"))
            graphs.append(bundle_writer.Graph(tmp_path / f"{name}.onnx", name, "onnxruntime", "int8"))
        fields = bundle_writer.Description.__dataclass_fields__
        description = bundle_writer.Description(**{field: getattr(own.manifest, field) for field in fields})
        return bundle_writer.write(tmp_path / "bundle", description, graphs, labels=own.folder / own.manifest.labels)

    return make


def _set(model: onnx.ModelProto, name: str, value: np.ndarray) -> None:
    tensor = next(tensor for tensor in model.graph.initializer if tensor.name == name)
    tensor.CopyFrom(numpy_helper.from_array(value, name))
