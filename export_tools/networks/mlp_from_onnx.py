"""A multi-layer perceptron out of the ONNX graph that skl2onnx makes of scikit-learn's MLPClassifier.

The graph is a chain (Cast, then MatMul, Add and an activation per layer), after which come the probabilities, a ZipMap
that turns them into a list of dictionaries, and the label. Only the chain is read, up to the last layer's sum: its
softmax is the device's. With two classes that sum is one logit z, and [0, z] is what a softmax makes the same of.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from export_tools.checkpoints.errors import CheckpointError
from export_tools.networks.packages import need

if TYPE_CHECKING:
    from torch import nn

HINT = "it has to be skl2onnx's conversion of an MLPClassifier"
_FINAL = {"Softmax": "softmax", "Sigmoid": "sigmoid"}
"""What stands behind the last layer's sum: one class of many, or yes and no."""


@dataclass(frozen=True, eq=False)
class Perceptron:
    """What a classifier's graph holds."""

    network: nn.Sequential
    """[N, features] to logits [N, classes]."""
    features: int
    classes: tuple[int | str, ...]
    """What scikit-learn was given as the class of each column."""


def read(file: Path) -> Perceptron:
    """Read `classifier.onnx`.

    Raises:
        CheckpointError: it cannot be read, or holds something else than such a perceptron; names the node.
        MissingPackageError: the package `onnx` is not installed.
    """
    onnx = need("onnx")
    try:
        graph = onnx.load(str(file), load_external_data=False).graph
    except OSError as error:
        raise CheckpointError(
            file, f"cannot be read: {error.strerror or error}", hint="export the folder again"
        ) from error
    except need("google.protobuf.message").DecodeError as error:
        raise CheckpointError(file, "is no ONNX graph", hint="export the folder again") from error
    layers, final = _layers(file, graph)
    columns = _columns(file, graph)
    return _perceptron(file, layers, final, columns)


@dataclass(frozen=True, eq=False)
class _Layer:
    weight: Any
    """[inputs, outputs]."""
    bias: Any
    activation: str
    """ONNX operator after it; empty for none."""


def _layers(file: Path, graph: Any) -> tuple[list[_Layer], str]:
    """The layers in order, and what comes after the last."""
    constants = {tensor.name: tensor for tensor in graph.initializer}
    if len(graph.input) != 1:
        raise CheckpointError(file, f"has {len(graph.input)} inputs, not one", hint=HINT)
    here, layers, pending = graph.input[0].name, [], []
    weight = None
    for _ in range(len(graph.node)):
        node = _next(file, graph, here)
        if node.op_type == "MatMul" and weight is None and node.input[1] in constants:
            weight = _array(file, constants[node.input[1]])
        elif node.op_type == "Add" and weight is not None and node.input[1] in constants:
            pending.append((weight, _array(file, constants[node.input[1]]).reshape(-1)))
            weight = None
        elif node.op_type in ("Relu", "Tanh", "Sigmoid") and pending and not _ends(graph, node):
            layers.append(_Layer(*pending.pop(), node.op_type))
        elif node.op_type in _FINAL and pending:
            layers.append(_Layer(*pending.pop(), ""))
            return layers, _FINAL[node.op_type]
        elif node.op_type != "Cast" or layers or pending or weight is not None:
            raise CheckpointError(
                file, f"node '{node.name or node.op_type}' ({node.op_type}) is not expected", hint=HINT
            )
        here = node.output[0]
        if len(pending) > 1:
            raise CheckpointError(file, f"two layers without an activation before '{node.name}'", hint=HINT)
    raise CheckpointError(file, "has no softmax or sigmoid at its end", hint=HINT)


def _array(file: Path, tensor: Any) -> Any:
    if tensor.external_data:
        raise CheckpointError(file, f"keeps '{tensor.name}' in another file", hint=HINT)
    try:
        return need("onnx.numpy_helper").to_array(tensor)
    except (ValueError, TypeError, KeyError) as error:
        raise CheckpointError(file, f"'{tensor.name}' is damaged: {error}", hint="export the folder again") from error


def _next(file: Path, graph: Any, name: str) -> Any:
    users = [node for node in graph.node if name in node.input]
    if not users:
        raise CheckpointError(file, f"its chain of layers ends at '{name}'", hint=HINT)
    return users[0]


def _ends(graph: Any, node: Any) -> bool:
    """Whether a sigmoid is the last one: what it gives is not multiplied any more."""
    return not any(user.op_type == "MatMul" for user in graph.node if node.output[0] in user.input)


def _columns(file: Path, graph: Any) -> tuple[int | str, ...]:
    for node in graph.node:
        if node.op_type == "ZipMap":
            for attribute in node.attribute:
                if attribute.name == "classlabels_int64s" and attribute.ints:
                    return tuple(attribute.ints)
                if attribute.name == "classlabels_strings" and attribute.strings:
                    return tuple(text.decode() for text in attribute.strings)
    raise CheckpointError(file, "does not say which classes its columns are (no ZipMap)", hint=HINT)


def _perceptron(file: Path, layers: Sequence[_Layer], final: str, columns: tuple[int | str, ...]) -> Perceptron:
    import torch
    from torch import nn

    activations = {"Relu": nn.ReLU, "Tanh": nn.Tanh, "Sigmoid": nn.Sigmoid}
    modules: list[nn.Module] = []
    if any(layer.weight.ndim != 2 for layer in layers):
        raise CheckpointError(file, "multiplies by something that is no matrix", hint=HINT)
    width = layers[0].weight.shape[0]
    for layer in layers:
        inside, outside = layer.weight.shape
        if inside != width or layer.bias.shape != (outside,):
            raise CheckpointError(file, f"a layer of {inside} x {outside} follows one of {width} outputs", hint=HINT)
        linear = nn.Linear(inside, outside)
        linear.load_state_dict(
            {"weight": torch.from_numpy(layer.weight.T.copy()), "bias": torch.from_numpy(layer.bias.copy())}
        )
        modules += [linear, *([activations[layer.activation]()] if layer.activation else [])]
        width = outside
    if final == "sigmoid" and width == 1:
        modules.append(nn.ConstantPad1d((1, 0), 0.0))
        width = 2
    elif final == "sigmoid":
        raise CheckpointError(file, f"says yes or no to {width} classes at once, which is no species", hint=HINT)
    if width != len(columns):
        raise CheckpointError(file, f"gives {width} probabilities for {len(columns)} classes", hint=HINT)
    return Perceptron(nn.Sequential(*modules).eval(), layers[0].weight.shape[0], columns)
