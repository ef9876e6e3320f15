"""MegaDetector v6 as MIT YOLOv9: Lightning checkpoints of the MIT release (MDV6-mit-yolov9-c is v9-S, -e is v9-C)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from edge_runtime.bundles.manifest import Preprocess, Task, Thresholds
from export_tools.bundle_writer import Description
from export_tools.checkpoints.errors import CheckpointError
from export_tools.checkpoints.reading import Checkpoint
from export_tools.loaders import describing, labels
from export_tools.model import Model, Request

if TYPE_CHECKING:
    from torch import Tensor

    from export_tools.networks.gelan import Plan

_PREFIX = "model.model."
_COPY = "ema.model."
_STRIDE = 32
_CLASSES = "22.heads.0.class_conv.2.weight"
_THRESHOLDS = Thresholds(keep=0.05, confident=0.2, overlap=0.5)


class MitYolo:
    """The layout `state_dict` with keys `model.model.<layer>.*`.

    The auxiliary branch of the training (the layers after 22) is checked like the rest, and left out; so is a second
    copy of all weights under `ema.model.`, where there is one.
    """

    family = "mit-yolov9"
    task: Task = "detector"
    tested_on = "the published layout of v9-S and v9-C, weights made here; no public file could be had"

    # Pillow's LANCZOS, with which the network was trained, is not on the device. Over 25 camera-trap photos `area` is
    # 1.2 grey levels away from it on average (1.7 where a photo shrinks), `linear` 3.1 (4.6) and `cubic` 3.7 (5.8).
    preprocess = Preprocess(resize="letterbox", interpolation="area")

    def recognises(self, checkpoint: Checkpoint) -> bool:
        return f"{_PREFIX}{_CLASSES}" in _state(checkpoint)

    def load(self, checkpoint: Checkpoint, request: Request) -> Model:
        from export_tools.networks.gelan import Gelan, is_auxiliary
        from export_tools.networks.weights import load_strictly

        tensors = _layers(checkpoint)
        width, height = request.size or (640, 640)
        if width % _STRIDE or height % _STRIDE:
            raise CheckpointError(
                checkpoint.path, f"its input must be a multiple of {_STRIDE}, not {width}x{height}", hint="--size 640"
            )
        plan = _plan(checkpoint, tensors)
        classes = tensors[_CLASSES].shape[0]
        auxiliary = any(is_auxiliary(key.split(".")[0]) for key in tensors)
        network = Gelan(plan, classes, auxiliary=auxiliary)
        hint = f"a checkpoint of {plan.name} of the MIT release is needed"
        load_strictly(network.layers, tensors, checkpoint.path, what=f"{plan.name} of the MIT release", hint=hint)
        _check_projection(checkpoint, network.layers.state_dict())
        network.eval().requires_grad_(False).settle(width, height)
        known = labels.table("megadetector") if classes == 3 else ()
        return Model(
            family=self.family,
            network=network,
            outputs=("boxes", "scores"),
            description=_description(checkpoint, request, plan.name, (width, height)),
            labels=labels.resolve(request.labels, known, classes, checkpoint.path),
            float_modules=tuple(
                f"layers.22.heads.{scale}.{branch}.2" for scale in range(3) for branch in ("anchor_conv", "class_conv")
            ),
        )


def _state(checkpoint: Checkpoint) -> Mapping[str, Any]:
    state = checkpoint.content.get("state_dict") if isinstance(checkpoint.content, dict) else None
    return state if isinstance(state, dict) else {}


def _layers(checkpoint: Checkpoint) -> dict[str, Tensor]:
    """The network's tensors, named by layer."""
    import torch

    state = _state(checkpoint)
    tensors = {key: value for key, value in state.items() if isinstance(key, str) and isinstance(value, torch.Tensor)}
    foreign = [key for key in state if key not in tensors or not key.startswith((_PREFIX, _COPY))]
    layers = {key[len(_PREFIX) :]: value for key, value in tensors.items() if key.startswith(_PREFIX)}
    if foreign:
        raise CheckpointError(
            checkpoint.path, f"has keys that are none of its network's: {', '.join(map(str, foreign[:5]))}"
        )
    if _CLASSES not in layers:
        raise CheckpointError(
            checkpoint.path,
            f"has no '{_PREFIX}{_CLASSES}', so it is no detector of the MIT release",
            hint="name another family with --family",
        )
    return layers


def _plan(checkpoint: Checkpoint, tensors: Mapping[str, Tensor]) -> Plan:
    from export_tools.networks.gelan import COMPACT, SMALL

    stem = tensors.get("0.conv.weight")
    for plan in (SMALL, COMPACT):
        if stem is not None and stem.shape[0] == plan.stem[0]:
            return plan
    found = "no first layer" if stem is None else f"a first layer of {stem.shape[0]} channels"
    raise CheckpointError(checkpoint.path, f"has {found}; known are YOLOv9-S (32) and YOLOv9-C (64)")


def _check_projection(checkpoint: Checkpoint, tensors: Mapping[str, Tensor]) -> None:
    from export_tools.networks.gelan_blocks import BINS

    for key, value in tensors.items():
        if key.endswith("anc2vec.weight") and value.flatten().tolist() != list(range(BINS)):
            raise CheckpointError(checkpoint.path, f"'{key}' is not 0..{BINS - 1}, so distances mean something else")


def _description(checkpoint: Checkpoint, request: Request, plan: str, size: tuple[int, int]) -> Description:
    return describing.detector(
        checkpoint,
        request,
        name="mdv6-mit-" + plan.lower(),
        text=f"Animals, people and vehicles; {plan} of the MIT release, as MegaDetector v6 uses it.",
        preprocess=MitYolo.preprocess,
        size=size,
        thresholds=_THRESHOLDS,
        licence="MIT",
        source="https://github.com/microsoft/CameraTraps (MegaDetector v6)",
    )
