"""The active-learning project's export folder, made as the project makes it: torch.save, numpy.save, skl2onnx's layout.

skl2onnx itself is not needed: `write_classifier` writes the nodes that its version 1.20 writes for an MLPClassifier.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from torch import nn

from export_tools.networks.packages import need
from tests.export_tools.loaders import random_networks

MEAN, STD = np.array([0.41, 0.43, 0.38]), np.array([0.24, 0.23, 0.25])


class Embedding(nn.Module):
    def __init__(self, features: int) -> None:
        super().__init__()
        self.inner_model = need("torchvision.models").resnet18(weights=None)
        self.inner_model.fc = nn.Linear(512, features)


class Softmax(nn.Module):
    def __init__(self, features: int, classes: int) -> None:
        super().__init__()
        self.embedding = Embedding(features)
        self.classifier = nn.Linear(features, classes)


def embedding(features: int) -> nn.Module:
    """resnet18 with calibrated batch normalisation."""
    network = random_networks.seeded(lambda: Embedding(features))
    random_networks.calibrate(network.inner_model, random_networks.pictures(64, 64))
    return network


def write(folder: Path, network: nn.Module, perceptron: Any, classes: list[str], *, strategy: str = "triplet") -> None:
    """Write the four files; `perceptron` is a fitted MLPClassifier, `network` an `Embedding`."""
    folder.mkdir(exist_ok=True)
    features = network.inner_model.fc.out_features
    if strategy == "softmax":
        whole = Softmax(features, len(classes))
        whole.embedding = network
    else:
        whole = network
    state = {f"module.{key}": tensor for key, tensor in whole.state_dict().items()}
    torch.save(
        {
            "arch_name": "resnet18",
            "embedding_model_state_dict": state,
            "feat_dim": features,
            "num_classes": len(classes),
            "classes": classes,
            "class_to_idx": {name: place for place, name in enumerate(classes)},
            "optimizer_state_dict": torch.optim.Adam(whole.parameters()).state_dict(),
            "loss_type": strategy,
            "loss_func_strategy": "random",
            "loss_func_margin": 1.0,
        },
        folder / "embedding_model_weights.pt",
    )
    np.save(folder / "dataset_mean.npy", MEAN)
    np.save(folder / "dataset_std.npy", STD)
    write_classifier(folder / "classifier.onnx", perceptron)


def write_classifier(file: Path, perceptron: Any) -> None:
    """As `skl2onnx.to_onnx(perceptron, X)`: a chain of layers, probabilities, ZipMap, label."""
    nodes = [helper.make_node("Cast", ["X"], ["cast_input"], to=TensorProto.FLOAT)]
    constants, here = [], "cast_input"
    for place, (weight, bias) in enumerate(zip(perceptron.coefs_, perceptron.intercepts_, strict=True)):
        number = str(place) if place else ""
        constants += [_constant(f"coefficient{number}", weight), _constant(f"intercepts{number}", bias[None])]
        nodes.append(helper.make_node("MatMul", [here, f"coefficient{number}"], [f"mul_result{number}"]))
        nodes.append(helper.make_node("Add", [f"mul_result{number}", f"intercepts{number}"], [f"add_result{number}"]))
        here = f"add_result{number}"
        if place < len(perceptron.coefs_) - 1:
            nodes.append(helper.make_node("Relu", [here], [f"next_activations{number}"]))
            here = f"next_activations{number}"
    if perceptron.out_activation_ == "logistic":
        constants.append(numpy_helper.from_array(np.float32(1), "unity"))
        nodes.append(helper.make_node("Sigmoid", [here], ["out_activations_result"]))
        nodes.append(helper.make_node("Sub", ["unity", "out_activations_result"], ["negative_class_proba"]))
        pair = ["negative_class_proba", "out_activations_result"]
        nodes.append(helper.make_node("Concat", pair, ["probabilities"], axis=1))
    else:
        nodes.append(helper.make_node("Softmax", [here], ["probabilities"]))
    codes = [int(one) for one in perceptron.classes_]
    constants.append(numpy_helper.from_array(np.array(codes, np.int32), "classes"))
    constants.append(numpy_helper.from_array(np.array([-1], np.int64), "shape_tensor"))
    ml = "ai.onnx.ml"
    zipped = helper.make_node("ZipMap", ["probabilities"], ["output_probability"], domain=ml, classlabels_int64s=codes)
    nodes += [
        helper.make_node("ArgMax", ["probabilities"], ["argmax_output"], axis=1),
        zipped,
        helper.make_node("ArrayFeatureExtractor", ["classes", "argmax_output"], ["extracted"], domain=ml),
        helper.make_node("Reshape", ["extracted", "shape_tensor"], ["reshaped_result"]),
        helper.make_node("Cast", ["reshaped_result"], ["output_label"], to=TensorProto.INT64),
    ]
    entry = helper.make_map_type_proto(TensorProto.INT64, helper.make_tensor_type_proto(TensorProto.FLOAT, None))
    graph = helper.make_graph(
        nodes,
        "mlp",
        [helper.make_tensor_value_info("X", TensorProto.FLOAT, [None, perceptron.coefs_[0].shape[0]])],
        [
            helper.make_tensor_value_info("output_label", TensorProto.INT64, [None]),
            helper.make_value_info("output_probability", helper.make_sequence_type_proto(entry)),
        ],
        constants,
    )
    opsets = [helper.make_opsetid("", 18), helper.make_opsetid(ml, 1)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=8), str(file))


def _constant(name: str, values: NDArray[Any]) -> onnx.TensorProto:
    return numpy_helper.from_array(np.asarray(values, np.float32), name)
