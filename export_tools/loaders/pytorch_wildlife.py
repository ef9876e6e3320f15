"""Pytorch-Wildlife's classifiers (Hernandez et al. 2024, arXiv:2405.12930): torchvision ResNets in a Lightning module.

Keys `net.feature.*` (the ResNet without its last layer) and `net.classifier.*`. The crop is the detector's box as it
is, stretched to 224 x 224.

The stretch is Pillow's bilinear filter, as in the original: OpenCV's, which does not average when it shrinks, moves the
most moved probability of EfficientNet-Lite0 by .040 on 51 crops of camera-trap photos and keeps 78 % of its first
answers (`area`: .071 and 63 %).
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edge_runtime.bundles.manifest import Preprocess, Task
from export_tools.checkpoints.errors import CheckpointError
from export_tools.checkpoints.reading import Checkpoint
from export_tools.loaders import describing, labels
from export_tools.model import Model, Request
from export_tools.networks import weights

if TYPE_CHECKING:
    from torch import Tensor

log = logging.getLogger(__name__)

SIDE = 224
SOURCE = "Pytorch-Wildlife, https://github.com/microsoft/CameraTraps, arXiv:2405.12930"
PREPROCESS = Preprocess(
    resize="stretch",
    interpolation="pillow-bilinear",
    mean=describing.IMAGENET_MEAN,
    std=describing.IMAGENET_STD,
)
_BLOCKS = {
    (False, (2, 2, 2, 2)): "resnet18",
    (False, (3, 4, 6, 3)): "resnet34",
    (True, (3, 4, 6, 3)): "resnet50",
    (True, (3, 4, 23, 3)): "resnet101",
    (True, (3, 8, 36, 3)): "resnet152",
}
"""Whether blocks have a third convolution, and how many of them stand in each of the four stages (He et al. 2015)."""


@dataclass(frozen=True)
class Published:
    """One of the project's own models."""

    name: str
    table: str
    """Of `label_tables`."""
    text: str


PUBLISHED = {
    ("resnet50", 36): Published("amazon", "pytorch_wildlife_amazon", "36 genera of the Amazon rainforest"),
    ("resnet50", 1): Published("opossum", "pytorch_wildlife_opossum", "opossum or not, Galapagos"),
    ("resnet18", 10): Published("serengeti", "pytorch_wildlife_serengeti", "10 classes of Snapshot Serengeti"),
}
"""By architecture and number of outputs, in which they all differ."""


class PytorchWildlifeLoader:
    """Amazon (36 classes), Galapagos opossum (one logit), Snapshot Serengeti (10), and custom ones with --labels."""

    family = "pytorch-wildlife"
    task: Task = "classifier"
    tested_on = "random weights in the published layout, all three models and a custom one"

    def recognises(self, checkpoint: Checkpoint) -> bool:
        tensors = weights.state_dict(checkpoint.content)
        return "net.feature.conv1.weight" in tensors and "net.classifier.weight" in tensors

    def load(self, checkpoint: Checkpoint, request: Request) -> Model:
        tensors = weights.stripped(weights.state_dict(checkpoint.content), "net.")
        architecture, outputs = _architecture(checkpoint, tensors), len(tensors["classifier.weight"])
        known = PUBLISHED.get((architecture, outputs)) if request.labels is None else None
        if known:
            log.warning("%s: taken for %s by its shapes; --labels says otherwise", checkpoint.path, known.text)
        table = labels.resolve(
            request.labels, labels.table(known.table) if known else (), max(outputs, 2), checkpoint.path
        )
        from export_tools.networks.resnet_classifier import ResNetClassifier

        network = ResNetClassifier(architecture, outputs)
        weights.load_strictly(network, tensors, checkpoint.path, what=f"Pytorch-Wildlife classifier ({architecture})")
        what = known.text if known else f"{outputs} classes of its own"
        description = describing.classifier(
            checkpoint,
            request,
            name=f"pytorch-wildlife-{known.name if known else 'custom'}",
            text=f"Pytorch-Wildlife classifier, {architecture}: {what}.",
            preprocess=PREPROCESS,
            size=(SIDE, SIDE),
            licence="MIT" if known else describing.NOT_STATED,
            source=SOURCE,
        )
        return Model(self.family, network, (describing.LOGITS,), description, table, any_batch=True)


def _architecture(checkpoint: Checkpoint, tensors: Mapping[str, Tensor]) -> str:
    if "feature.conv1.weight" not in tensors or "classifier.weight" not in tensors:
        raise CheckpointError(
            checkpoint.path,
            "is no Pytorch-Wildlife classifier: has no net.feature.conv1.weight or no net.classifier.weight",
            hint="name another family with --family",
        )
    stages = [
        len({key.split(".")[2] for key in tensors if key.startswith(f"feature.layer{stage}.")})
        for stage in (1, 2, 3, 4)
    ]
    bottleneck = "feature.layer1.0.conv3.weight" in tensors
    name = _BLOCKS.get((bottleneck, tuple(stages)))  # type: ignore[call-overload]
    if name is None:
        raise CheckpointError(
            checkpoint.path, f"has stages of {stages} {'bottleneck' if bottleneck else 'basic'} blocks: no known ResNet"
        )
    return str(name)
