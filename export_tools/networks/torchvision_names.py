"""Which of torchvision's classifiers a state dict belongs to, by names and shapes alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from export_tools.networks.packages import need

if TYPE_CHECKING:
    from torch import Tensor, nn

_RESNETS = ("resnet18", "resnet34", "resnet50", "resnet101", "resnet152", "resnext50_32x4d", "resnext101_32x8d")
_WIDE = ("resnext101_64x4d", "wide_resnet50_2", "wide_resnet101_2")
_EFFICIENTNETS = tuple(f"efficientnet_{size}" for size in ("b0", "b1", "b2", "b3", "b4", "b5", "b6", "b7"))
_EFFICIENTNETS_V2 = ("efficientnet_v2_s", "efficientnet_v2_m", "efficientnet_v2_l")

BY_ENDS: dict[tuple[str, str], tuple[str, ...]] = {
    ("conv1.weight", "fc.weight"): _RESNETS + _WIDE,
    ("features.0.0.weight", "classifier.1.weight"): ("mobilenet_v2", *_EFFICIENTNETS, *_EFFICIENTNETS_V2),
    ("features.0.0.weight", "classifier.3.weight"): ("mobilenet_v3_small", "mobilenet_v3_large"),
    ("features.0.0.weight", "classifier.2.weight"): tuple(
        f"convnext_{size}" for size in ("tiny", "small", "base", "large")
    ),
    ("features.conv0.weight", "classifier.weight"): tuple(f"densenet{depth}" for depth in (121, 161, 169, 201)),
}
"""Architectures by the names of their first and their last weight."""


def ends(tensors: Mapping[str, Tensor]) -> tuple[str, str] | None:
    """The key of `BY_ENDS` that the tensors have, if any."""
    return next((pair for pair in BY_ENDS if pair[0] in tensors and pair[1] in tensors), None)


def find(tensors: Mapping[str, Tensor]) -> str | None:
    """The architecture whose names and shapes are these, whatever the number of classes; None where there is none."""
    pair = ends(tensors)
    if pair is None or tensors[pair[1]].ndim != 2:
        return None
    found = {key: tuple(tensor.shape) for key, tensor in tensors.items() if not key.endswith("num_batches_tracked")}
    return next((name for name in BY_ENDS[pair] if _shapes(name, len(tensors[pair[1]])) == found), None)


def build(name: str, classes: int) -> nn.Module:
    """The network, with random weights; nothing is downloaded."""
    network: nn.Module = need("torchvision.models").get_model(name, weights=None, num_classes=classes)
    return network


def _shapes(name: str, classes: int) -> dict[str, tuple[int, ...]]:
    # On the device "meta" tensors have a shape and no memory.
    with need("torch").device("meta"):
        state = build(name, classes).state_dict()
    return {key: tuple(tensor.shape) for key, tensor in state.items() if not key.endswith("num_batches_tracked")}
