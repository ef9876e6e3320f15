"""torchvision's classifiers, trained by anybody: ResNet, MobileNet, EfficientNet, ConvNeXt, DenseNet and others.

The architecture is what the checkpoint names (`arch`, `model_name`), else what its names and shapes show, else what
`--family torchvision:NAME` says. The pre-processing is that of the architecture's first published weights.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from edge_runtime.bundles.manifest import Interpolation, Preprocess, Task
from edge_runtime.errors import CamtrapEdgeError
from export_tools.checkpoints.errors import CheckpointError
from export_tools.checkpoints.reading import Checkpoint
from export_tools.default_models import imagenet_labels
from export_tools.loaders import describing, hub_config, labels
from export_tools.model import Model, Request
from export_tools.networks import torchvision_names, weights
from export_tools.networks.packages import need

if TYPE_CHECKING:
    from torch import Tensor

_INTERPOLATION: dict[str, Interpolation] = {"bilinear": "pillow-bilinear", "bicubic": "pillow-bicubic"}


class TorchvisionLoader:
    """State dicts, alone or under `state_dict` or `model`, and pickled networks."""

    family = "torchvision"
    task: Task = "classifier"
    tested_on = "random weights of resnet18, mobilenet_v3_small and efficientnet_b0"

    def recognises(self, checkpoint: Checkpoint) -> bool:
        tensors = weights.state_dict(checkpoint.content)
        return torchvision_names.ends(tensors) is not None and not hub_config.is_timm(checkpoint)

    def load(self, checkpoint: Checkpoint, request: Request) -> Model:
        tensors = weights.state_dict(checkpoint.content)
        name = _named(checkpoint, request) or torchvision_names.find(tensors)
        if name is None:
            raise CheckpointError(
                checkpoint.path,
                "nothing says which of torchvision's networks it is, and its weights fit none of those that are tried",
                hint="name it: --family torchvision:resnet50",
            )
        classes = _classes(checkpoint, name, tensors)
        network = torchvision_names.build(name, classes)
        weights.load_strictly(
            network, tensors, checkpoint.path, what=f"torchvision {name}", hint="name it: --family torchvision:resnet50"
        )
        known = hub_config.class_names(checkpoint) or (imagenet_labels.labels() if classes == 1000 else ())
        table = labels.resolve(request.labels, known, classes, checkpoint.path)
        from export_tools.networks.outputs import OneOutput

        preprocess, size = _preprocess(name, request)
        description = describing.classifier(
            checkpoint,
            request,
            name=f"torchvision-{name.replace('_', '-')}",
            text=f"torchvision {name}, {classes} classes.",
            preprocess=preprocess,
            size=size,
        )
        return Model(self.family, OneOutput(network).eval(), (describing.LOGITS,), description, table, any_batch=True)


def _named(checkpoint: Checkpoint, request: Request) -> str | None:
    models = need("torchvision.models")
    known = models.list_models(module=models)
    wanted = (request.family or "").partition(":")[2]
    if wanted:
        if wanted not in known:
            raise CamtrapEdgeError(f"--family {request.family}: torchvision has no classifier '{wanted}'")
        return wanted
    content = checkpoint.content if isinstance(checkpoint.content, dict) else {}
    return next((name for key in ("arch", "model_name") if (name := content.get(key)) in known), None)


def _classes(checkpoint: Checkpoint, name: str, tensors: Mapping[str, Tensor]) -> int:
    """The length of the last layer."""
    last = next(key for key in reversed(torchvision_names.build(name, 2).state_dict()) if key.endswith(".weight"))
    if last not in tensors or tensors[last].ndim < 1:
        raise CheckpointError(checkpoint.path, f"is no torchvision {name}: missing: {last}")
    return len(tensors[last])


def _preprocess(name: str, request: Request) -> tuple[Preprocess, tuple[int, int]]:
    first: Any = next(iter(need("torchvision.models").get_model_weights(name)))
    recipe = first.transforms()
    side = int(recipe.crop_size[0])
    shorter = min(request.size or (side, side))
    preprocess = Preprocess(
        resize="centre-crop",
        short_side=round(recipe.resize_size[0] * shorter / side),
        interpolation=_INTERPOLATION[recipe.interpolation.value],
        mean=tuple(recipe.mean),
        std=tuple(recipe.std),
    )
    return preprocess, (side, side)
