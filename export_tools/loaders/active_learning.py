"""The export folder of the active-learning project train_image_classifier_al.

`dataset_mean.npy`, `dataset_std.npy`, `embedding_model_weights.pt` and `classifier.onnx`: an embedding network, and a
perceptron trained on its embeddings *after* a min-max scaling whose ranges are in no file. The project's own pipeline
takes them anew from every batch. Here they are measured once, on the training images, and become part of the graph;
or, with `legacy_batch`, the graph does what the pipeline did.

The transform is a stretch to 256 x 256, which the manifest says, and the middle 224 x 224, which the graph cuts out:
for the manifest a centre crop keeps a picture's shape. The stretch is Pillow's bilinear, as in the original.

Its crops are those of CameraTraps' `crop_detections.py --square-crops`, black where a square reaches over the photo.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from edge_runtime.bundles.manifest import CropRule, Preprocess, Task
from edge_runtime.bundles.tables import Label
from edge_runtime.errors import CamtrapEdgeError
from export_tools.bundle_writer import Description
from export_tools.checkpoints import reading
from export_tools.checkpoints.errors import CheckpointError
from export_tools.checkpoints.reading import Checkpoint
from export_tools.loaders import describing, labels
from export_tools.model import Model, Request
from export_tools.networks import mlp_from_onnx, weights
from export_tools.networks.mlp_from_onnx import Perceptron

if TYPE_CHECKING:
    from torch import nn

log = logging.getLogger(__name__)

MEAN, STD, WEIGHTS, CLASSIFIER = (
    "dataset_mean.npy",
    "dataset_std.npy",
    "embedding_model_weights.pt",
    "classifier.onnx",
)
FILES = (MEAN, STD, WEIGHTS, CLASSIFIER)
SOURCE = "https://github.com/Global-ecology-and-remote-sensing/train_image_classifier_al"
ARCHITECTURES = ("resnet", "densenet", "vgg", "alexnet")
"""Beginnings of the names whose last layer the project replaces."""


@dataclass(frozen=True, eq=False)
class Folder:
    """What the folder's files say."""

    embedding: nn.Module
    dimensions: int
    architecture: str
    classes: tuple[str, ...]
    perceptron: Perceptron
    mean: tuple[float, float, float]
    std: tuple[float, float, float]


class ActiveLearningLoader:
    """Needs `Request.training_images` or `Request.legacy_batch`."""

    family = "active-learning"
    task: Task = "classifier"
    tested_on = "a folder of its layout with a real MLPClassifier, random embedding weights"

    def recognises(self, checkpoint: Checkpoint) -> bool:
        return checkpoint.format == "folder" and all((checkpoint.path / name).is_file() for name in FILES)

    def load(self, checkpoint: Checkpoint, request: Request) -> Model:
        missing = [name for name in FILES if not (checkpoint.path / name).is_file()]
        if missing:
            raise CheckpointError(
                checkpoint.path, f"lacks {', '.join(missing)}", hint="name the folder that the project exported"
            )
        if (request.training_images is None) != request.legacy_batch:
            raise CamtrapEdgeError(
                f"{checkpoint.path}: its classifier was trained on scaled embeddings and the scaler is not in the "
                "folder; name either --training-images DIR, to which it is fitted once, or --legacy-batch, which "
                "scales by the batch at hand as the project's own pipeline does (a single crop then says nothing)"
            )
        from export_tools.networks.active_learning import RESIZED, ActiveLearningNetwork, CroppedEmbedding
        from export_tools.networks.min_max import BatchMinMax, FittedMinMax

        if request.size not in (None, (RESIZED, RESIZED)):
            raise CamtrapEdgeError(
                f"{checkpoint.path}: its input is {RESIZED}x{RESIZED} and no other: leave out --size"
            )
        weights_file = reading.read(checkpoint.path / WEIGHTS, trust_pickle=request.trust_pickle)
        folder = _read(checkpoint.path, weights_file)
        table = _labels(checkpoint, request, folder)
        description = _describe(weights_file, request, folder)
        embedding = CroppedEmbedding(folder.embedding).eval()
        scaler: nn.Module = BatchMinMax()
        if request.training_images is not None:
            from export_tools.loaders.scaler_fitting import fit

            fitted = fit(embedding, request.training_images, description)
            scaler = FittedMinMax(fitted.least, fitted.most)
            text = f"{description.description} Scaler fitted to {fitted.images} images (SHA-256 {fitted.sha256[:16]})."
        else:
            log.warning(
                "%s: scales by the batch; a device shows one crop at a time, which becomes zeros", checkpoint.path
            )
            text = f"{description.description} Scaled by the batch (legacy): a single crop always gets the same answer."
        network = ActiveLearningNetwork(embedding, scaler, folder.perceptron.network).eval()
        description = replace(description, description=text)
        return Model(self.family, network, (describing.LOGITS,), description, table, any_batch=True)


def _read(folder: Path, weights_file: Checkpoint) -> Folder:
    content = weights_file.content
    if not isinstance(content, dict):
        raise CheckpointError(weights_file.path, "holds no dictionary", hint="export the folder again")
    architecture = _entry(weights_file, content, "arch_name", str)
    dimensions = _entry(weights_file, content, "feat_dim", int)
    classes = tuple(str(name) for name in _entry(weights_file, content, "classes", list))
    tensors = weights.state_dict(_entry(weights_file, content, "embedding_model_state_dict", dict))
    embedding = _embedding(weights_file, architecture, dimensions, tensors)
    perceptron = mlp_from_onnx.read(folder / CLASSIFIER)
    if perceptron.features != dimensions:
        raise CheckpointError(
            folder / CLASSIFIER, f"wants {perceptron.features} features, but the embedding network gives {dimensions}"
        )
    mean, std = _three(folder / MEAN), _three(folder / STD)
    if min(std) <= 0:
        raise CheckpointError(
            folder / STD, f"has a deviation that is not above 0: {std}", hint="export the folder again"
        )
    return Folder(embedding, dimensions, architecture, classes, perceptron, mean, std)


def _entry(file: Checkpoint, content: Mapping[str, Any], key: str, kind: type[Any]) -> Any:
    value = content.get(key)
    if not isinstance(value, kind) or not value:
        raise CheckpointError(
            file.path, f"its `{key}` is {type(value).__name__}, not {kind.__name__}", hint="export the folder again"
        )
    return value


def _embedding(file: Checkpoint, architecture: str, dimensions: int, tensors: Mapping[str, Any]) -> nn.Module:
    from export_tools.networks.active_learning import EmbeddingNet, SoftmaxNet
    from export_tools.networks.packages import need

    models = need("torchvision.models")
    if not architecture.startswith(ARCHITECTURES) or architecture not in models.list_models(module=models):
        raise CheckpointError(
            file.path, f"its network is '{architecture}'", hint=f"known are torchvision's {', '.join(ARCHITECTURES)}"
        )
    softmax = "classifier.weight" in tensors
    network: nn.Module = (
        SoftmaxNet(architecture, dimensions, len(tensors["classifier.weight"]))
        if softmax
        else EmbeddingNet(architecture, dimensions)
    )
    weights.load_strictly(
        network,
        tensors,
        file.path,
        what=f"embedding network ({architecture}, {dimensions} features, {'softmax' if softmax else 'no softmax'})",
        hint="export the folder again",
    )
    return network


def _three(file: Path) -> tuple[float, float, float]:
    try:
        values = np.load(file, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise CheckpointError(file, f"is no array of numbers: {error}", hint="export the folder again") from error
    if getattr(values, "shape", None) != (3,) or values.dtype.kind != "f" or not np.isfinite(values).all():
        raise CheckpointError(
            file, "does not hold three finite numbers, one per colour", hint="export the folder again"
        )
    red, green, blue = (float(value) for value in values)
    return red, green, blue


def _labels(checkpoint: Checkpoint, request: Request, folder: Folder) -> tuple[Label, ...]:
    """By column of the perceptron, which may have seen fewer classes than the folder names."""
    names = []
    for column in folder.perceptron.classes:
        if isinstance(column, int) and 0 <= column < len(folder.classes):
            names.append(folder.classes[column])
        elif column in folder.classes:
            names.append(str(column))
        else:
            raise CheckpointError(checkpoint.path / CLASSIFIER, f"answers with class {column!r}, which {WEIGHTS} lacks")
    return labels.resolve(request.labels, names, len(names), checkpoint.path)


def _describe(weights_file: Checkpoint, request: Request, folder: Folder) -> Description:
    from export_tools.networks.active_learning import RESIZED

    return describing.classifier(
        weights_file,
        request,
        name="active-learning",
        text=f"Active-learning classifier: {folder.architecture}, {folder.dimensions} features, a perceptron.",
        preprocess=Preprocess(resize="stretch", interpolation="pillow-bilinear", mean=folder.mean, std=folder.std),
        size=(RESIZED, RESIZED),
        source=SOURCE,
        crop=CropRule(shape="square", beyond="black"),
    )
