"""Classifiers of timm (PyTorch Image Models).

safetensors or a state dict with the hub's `config.json` beside it, timm's own training checkpoints, or any state dict
with `--family timm:NAME`.

Mean, deviation, size, interpolation and crop are those of the config's `pretrained_cfg`, else of timm's own table.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from edge_runtime.bundles.manifest import Interpolation, Preprocess, Task
from edge_runtime.errors import CamtrapEdgeError
from export_tools.checkpoints.errors import CheckpointError
from export_tools.checkpoints.reading import Checkpoint
from export_tools.default_models import imagenet_labels
from export_tools.loaders import describing, hub_config, labels
from export_tools.model import Model, Request
from export_tools.networks import swin_keys, weights
from export_tools.networks.packages import need

if TYPE_CHECKING:
    from torch import Tensor, nn

_INTERPOLATION: dict[str, Interpolation] = {
    "bilinear": "pillow-bilinear",
    "bicubic": "pillow-bicubic",
    "lanczos": "pillow-lanczos",
}


class Recipe(msgspec.Struct, frozen=True, kw_only=True):
    """What timm's `pretrained_cfg` says that matters here."""

    input_size: tuple[int, int, int]
    """Channels, height, width."""
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    interpolation: str
    crop_pct: float | None = None
    crop_mode: str | None = None
    fixed_input_size: bool = False
    classifier: Any = None
    """Name of the last layer; distilled networks have two."""


class TimmLoader:
    """Any of timm's networks that has a last layer."""

    family = "timm"
    task: Task = "classifier"
    tested_on = "random weights of resnet10t, mobilenetv3_small_050 and swin_tiny"

    def recognises(self, checkpoint: Checkpoint) -> bool:
        return bool(weights.state_dict(checkpoint.content)) and hub_config.is_timm(checkpoint)

    def load(self, checkpoint: Checkpoint, request: Request) -> Model:
        config = hub_config.read(checkpoint)
        name = _architecture(checkpoint, request, config)
        recipe = _recipe(checkpoint, name, config)
        # DeepFaune's wrapper puts a name of its own before every key.
        tensors = weights.stripped(weights.state_dict(checkpoint.content), "base_model.")
        if name.startswith("swin_"):
            tensors = swin_keys.modern(tensors)
        classes = _classes(checkpoint, name, recipe, tensors)
        network = _build(checkpoint, request, name, classes, config)
        weights.load_strictly(
            network, tensors, checkpoint.path, what=f"timm {name}", hint="name it: --family timm:resnet50"
        )
        known = hub_config.class_names(checkpoint) or (imagenet_labels.labels() if classes == 1000 else ())
        table = labels.resolve(request.labels, known, classes, checkpoint.path)
        from export_tools.networks.outputs import OneOutput

        _, height, width = recipe.input_size
        description = describing.classifier(
            checkpoint,
            request,
            name=f"timm-{name.partition('.')[0].replace('_', '-')}"[:64],
            text=f"timm {name}, {classes} classes.",
            preprocess=_preprocess(checkpoint, recipe, request.size or (width, height)),
            size=(width, height),
        )
        return Model(self.family, OneOutput(network).eval(), (describing.LOGITS,), description, table, any_batch=True)


def _architecture(checkpoint: Checkpoint, request: Request, config: Mapping[str, Any]) -> str:
    content = checkpoint.content if isinstance(checkpoint.content, dict) else {}
    wanted = (request.family or "").partition(":")[2]
    name = wanted or config.get("architecture") or content.get("architecture") or content.get("arch")
    if not name:
        raise CheckpointError(
            checkpoint.path,
            f"nothing says which of timm's networks it is: no `architecture` inside, no {hub_config.CONFIG} beside it",
            hint="name it: --family timm:resnet50",
        )
    if not need("timm").is_model(str(name).partition(".")[0]):
        raise CamtrapEdgeError(f"{checkpoint.path}: timm {need('timm').__version__} knows no network '{name}'")
    return str(name)


def _recipe(checkpoint: Checkpoint, name: str, config: Mapping[str, Any]) -> Recipe:
    try:
        known = need("timm").get_pretrained_cfg(name).to_dict()
    except RuntimeError as error:
        raise CamtrapEdgeError(f"{checkpoint.path}: timm has no weights '{name}': {error}") from error
    inner = config.get("pretrained_cfg")
    # Older configs have these keys at their top.
    stated = {**config, **(inner if isinstance(inner, dict) else {})}
    values = {key: stated.get(key, known.get(key)) for key in Recipe.__struct_fields__}
    try:
        return msgspec.convert(values, Recipe)
    except msgspec.ValidationError as error:
        file = checkpoint.path.parent / hub_config.CONFIG
        raise CheckpointError(file, f"its recipe cannot be used: {error}", hint="get it again") from error


def _build(checkpoint: Checkpoint, request: Request, name: str, classes: int, config: Mapping[str, Any]) -> nn.Module:
    options = config.get("model_args")
    options = dict(options) if isinstance(options, dict) else {}
    if request.size and _recipe(checkpoint, name, config).fixed_input_size:
        options["img_size"] = request.size[::-1]
    try:
        network: nn.Module = need("timm").create_model(name, pretrained=False, num_classes=classes, **options)
    except (TypeError, ValueError, AssertionError) as error:
        raise CheckpointError(checkpoint.path, f"timm cannot build {name} with {options}: {error}") from error
    return network


def _classes(checkpoint: Checkpoint, name: str, recipe: Recipe, tensors: Mapping[str, Tensor]) -> int:
    last = recipe.classifier
    key = f"{last}.weight"
    if not isinstance(last, str) or key not in tensors:
        raise CheckpointError(
            checkpoint.path, f"is no classifier of timm's {name}: missing: {key}", hint="an embedder has no last layer"
        )
    return len(tensors[key])


def _preprocess(checkpoint: Checkpoint, recipe: Recipe, size: tuple[int, int]) -> Preprocess:
    mode = recipe.crop_mode or "center"
    if mode not in ("center", "squash"):
        raise CheckpointError(checkpoint.path, f"its crop_mode '{mode}' is not known here", hint="center or squash")
    if recipe.interpolation not in _INTERPOLATION:
        raise CheckpointError(checkpoint.path, f"its interpolation '{recipe.interpolation}' is not known here")
    centre = mode == "center"
    return Preprocess(
        resize="centre-crop" if centre else "stretch",
        short_side=math.floor(min(size) / (recipe.crop_pct or 1.0)) if centre else None,
        interpolation=_INTERPOLATION[recipe.interpolation],
        mean=recipe.mean,
        std=recipe.std,
    )
