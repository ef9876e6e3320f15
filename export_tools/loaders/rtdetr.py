"""MegaDetector v6 as RT-DETRv2: checkpoints of the Apache release (MDV6-apa-rtdetr-c is R18vd, -e is R101vd)."""

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

    from export_tools.networks.rtdetr import Plan

_STRIDE = 32
_TRAINED = (640, 640)
_SCORES = "decoder.dec_score_head.0.weight"
_MARK = "decoder.decoder.layers.0.cross_attn.num_points_scale"
"""RT-DETR of version 1 has no such buffer."""
_DERIVED = ("decoder.anchors", "decoder.valid_mask")
# No suppression: of one object's queries training leaves one (arXiv:2304.08069).
_THRESHOLDS = Thresholds(keep=0.05, confident=0.3, overlap=1.0)


class RtDetrV2:
    """The layout `ema.module` (the averaged weights), else `model`.

    What only training uses (denoising) is checked like the rest, and left out. The anchors that are stored for an input
    of 640 x 640 are compared with those made here, and made anew for the size that is asked for.
    """

    family = "rtdetrv2"
    task: Task = "detector"
    tested_on = "the published layout of R18vd and R101vd, weights made here; no public file could be had"
    # Pillow's bilinear, which takes in every pixel, is not on the device. Over 25 camera-trap photos `area` is 1.1 grey
    # levels away from it on average (1.6 where a photo shrinks), `linear` 2.9 (4.5) and `cubic` 3.7 (5.5).
    preprocess = Preprocess(resize="stretch", interpolation="area")

    def recognises(self, checkpoint: Checkpoint) -> bool:
        state = _state(checkpoint)
        return _MARK in state and _SCORES in state

    def load(self, checkpoint: Checkpoint, request: Request) -> Model:
        from export_tools.networks.rtdetr import RtDetr
        from export_tools.networks.weights import load_strictly

        tensors = _state(checkpoint)
        if _MARK not in tensors or _SCORES not in tensors:
            raise CheckpointError(
                checkpoint.path,
                f"has no '{_MARK}' under 'ema.module' or 'model', so it is no RT-DETRv2",
                hint="name another family with --family",
            )
        width, height = request.size or _TRAINED
        if width % _STRIDE or height % _STRIDE:
            raise CheckpointError(
                checkpoint.path, f"its input must be a multiple of {_STRIDE}, not {width}x{height}", hint="--size 640"
            )
        plan = _plan(checkpoint, tensors)
        classes = tensors[_SCORES].shape[0]
        network = RtDetr(plan, classes)
        _check_anchors(checkpoint, tensors)
        weights = {key: value for key, value in tensors.items() if key not in _DERIVED}
        hint = f"a checkpoint of {plan.name} of the Apache release is needed"
        load_strictly(network, weights, checkpoint.path, what=plan.name, hint=hint)
        network.eval().requires_grad_(False)
        network.merge()
        network.lay_out(width, height)
        known = labels.table("megadetector") if classes == 3 else ()
        return Model(
            family=self.family,
            network=network,
            outputs=("boxes", "scores"),
            description=_description(checkpoint, request, plan.name, (width, height)),
            labels=labels.resolve(request.labels, known, classes, checkpoint.path),
            float_modules=(
                "decoder.enc_score_head",
                "decoder.enc_bbox_head",
                f"decoder.dec_score_head.{plan.layers - 1}",
                *(f"decoder.dec_bbox_head.{layer}" for layer in range(plan.layers)),
            ),
        )


def _state(checkpoint: Checkpoint) -> dict[str, Tensor]:
    from export_tools.networks.weights import state_dict

    content = checkpoint.content
    if not isinstance(content, dict):
        return {}
    ema: Any = content.get("ema")
    averaged = ema.get("module") if isinstance(ema, dict) else None
    return state_dict(averaged if averaged is not None else content.get("model"))


def _plan(checkpoint: Checkpoint, tensors: Mapping[str, Tensor]) -> Plan:
    from export_tools.networks.rtdetr import R18, R101

    deep = "backbone.res_layers.0.blocks.0.branch2c.conv.weight" in tensors
    plan = R101 if deep else R18
    layers = len({key.split(".")[3] for key in tensors if key.startswith("decoder.decoder.layers.")})
    blocks = len({key.split(".")[4] for key in tensors if key.startswith("backbone.res_layers.2.blocks.")})
    if layers != plan.layers or blocks != (23 if deep else 2):
        raise CheckpointError(
            checkpoint.path,
            f"has {layers} decoder layers and {blocks} blocks in its third stage; known are R18vd (3 and 2) and R101vd "
            "(6 and 23)",
        )
    return plan


def _check_anchors(checkpoint: Checkpoint, tensors: Mapping[str, Tensor]) -> None:
    """The stored anchors are those of 640 x 640, so that those of another size can be made the same way."""
    import torch

    from export_tools.networks.rtdetr_decoder import anchors_of

    stored = tensors.get(_DERIVED[0])
    if stored is None:
        return
    anchors, valid = anchors_of(*_TRAINED)
    anchors = torch.where(valid, anchors, torch.inf)
    if stored.shape != anchors.shape or not torch.allclose(stored.float(), anchors, atol=1e-4):
        raise CheckpointError(
            checkpoint.path, f"'{_DERIVED[0]}' are not the anchors of a picture of {_TRAINED[0]}x{_TRAINED[1]}"
        )


def _description(checkpoint: Checkpoint, request: Request, plan: str, size: tuple[int, int]) -> Description:
    return describing.detector(
        checkpoint,
        request,
        name="mdv6-apa-" + plan.lower(),
        text=f"Animals, people and vehicles; {plan} of the Apache release, as MegaDetector v6 uses it.",
        preprocess=RtDetrV2.preprocess,
        size=size,
        thresholds=_THRESHOLDS,
        licence="Apache-2.0",
        source="https://github.com/microsoft/CameraTraps (MegaDetector v6)",
    )
