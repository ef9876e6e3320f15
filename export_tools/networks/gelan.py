"""YOLOv9-S and YOLOv9-C (Wang et al. 2024, arXiv:2402.13616), layers numbered as in the checkpoints of the MIT release.

0 to 9 are the backbone, 12 to 21 the neck, 22 the head; what follows is the auxiliary branch that only training uses
(programmable gradient information).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from export_tools.networks.gelan_blocks import (
    BINS,
    AConv,
    ADown,
    Aggregation,
    Conv,
    Heads,
    PyramidPooling,
    RepConv,
    Spread,
)

STRIDES = (8, 16, 32)
HEAD = "22"


@dataclass(frozen=True)
class Plan:
    """The widths of one size of the network: output channels of its layers."""

    name: str
    stem: tuple[int, int]
    first: int
    """Of the first aggregation block."""
    simple_first: bool
    """Whether that block is of plain convolutions (ELAN)."""
    first_part: int
    down: tuple[int, int, int]
    """Of the three layers that halve the picture on the way down."""
    stages: tuple[int, int, int]
    parts: tuple[int, int, int]
    """Inner widths of the three stages."""
    neck: tuple[int, int, int, int]
    """Of the neck's four blocks: strides 16, 8, 16, 32; inner and outer widths are the same."""
    neck_down: tuple[int, int]
    halved: bool
    """Whether a layer that halves the picture pools one half of its channels (ADown) or convolves all (AConv)."""
    repeats: int


SMALL = Plan(
    "YOLOv9-S",
    stem=(32, 64),
    first=64,
    simple_first=True,
    first_part=64,
    down=(128, 192, 256),
    stages=(128, 192, 256),
    parts=(128, 192, 256),
    neck=(192, 128, 192, 256),
    neck_down=(96, 128),
    halved=False,
    repeats=3,
)
COMPACT = Plan(
    "YOLOv9-C",
    stem=(64, 128),
    first=256,
    simple_first=False,
    first_part=128,
    down=(256, 512, 512),
    stages=(512, 512, 512),
    parts=(256, 512, 512),
    neck=(512, 256, 512, 512),
    neck_down=(256, 512),
    halved=True,
    repeats=1,
)


class Gelan(nn.Module):
    """Detector: [N, 3, height, width], RGB 0..1, to boxes [N, A, 4] `xyxy` in pixels and scores [N, A, classes].

    Args:
        auxiliary: also have the layers of the training branch, so that a checkpoint's keys fit; `settle` drops them.
    """

    centre: Tensor
    scale: Tensor
    bins: Tensor

    def __init__(self, plan: Plan, classes: int, *, auxiliary: bool) -> None:
        super().__init__()
        down = ADown if plan.halved else AConv
        third, fourth, fifth = plan.stages
        top, fine, middle, coarse = plan.neck
        layers: dict[str, nn.Module] = {
            "0": Conv(3, plan.stem[0], 3, stride=2),
            "1": Conv(plan.stem[0], plan.stem[1], 3, stride=2),
            "2": Aggregation(plan.stem[1], plan.first, plan.first_part, 0 if plan.simple_first else plan.repeats),
        }
        before = plan.first
        for stage, number in enumerate((3, 5, 7)):
            layers[str(number)] = down(before, plan.down[stage])
            layers[str(number + 1)] = Aggregation(plan.down[stage], plan.stages[stage], plan.parts[stage], plan.repeats)
            before = plan.stages[stage]
        layers["9"] = PyramidPooling(fifth, fifth)
        layers["12"] = Aggregation(fifth + fourth, top, top, plan.repeats)
        layers["15"] = Aggregation(top + third, fine, fine, plan.repeats)
        layers["16"] = down(fine, plan.neck_down[0])
        layers["18"] = Aggregation(plan.neck_down[0] + top, middle, middle, plan.repeats)
        layers["19"] = down(middle, plan.neck_down[1])
        layers["21"] = Aggregation(plan.neck_down[1] + fifth, coarse, coarse, plan.repeats)
        layers[HEAD] = Heads((fine, middle, coarse), classes)
        if auxiliary:
            layers |= _second_backbone(plan, classes) if plan.halved else _second_neck(plan, classes)
        self.layers = nn.ModuleDict(layers)

    def settle(self, width: int, height: int) -> None:
        """Make it ready for inputs of this size, pixels, multiples of 32.

        The training branch goes, grids come, parallel convolutions are merged.
        """
        for number in [number for number in self.layers if is_auxiliary(number)]:
            del self.layers[number]
        for module in list(self.modules()):
            if isinstance(module, RepConv):
                module.merge()
        centres, scales = [], []
        for stride in STRIDES:
            y, x = torch.meshgrid(torch.arange(height // stride), torch.arange(width // stride), indexing="ij")
            centre = (torch.stack([x, y], -1).reshape(1, -1, 2) + 0.5) * stride
            centres.append(centre)
            scales.append(torch.full_like(centre, stride))
        self.register_buffer("centre", torch.cat(centres, 1), persistent=False)
        self.register_buffer("scale", torch.cat(scales, 1), persistent=False)
        self.register_buffer("bins", torch.arange(BINS).float(), persistent=False)

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        layers = self.layers
        x = layers["2"](layers["1"](layers["0"](image)))
        third = layers["4"](layers["3"](x))
        fourth = layers["6"](layers["5"](third))
        fifth = layers["9"](layers["8"](layers["7"](fourth)))
        top = layers["12"](torch.cat([_doubled(fifth), fourth], 1))
        fine = layers["15"](torch.cat([_doubled(top), third], 1))
        middle = layers["18"](torch.cat([layers["16"](fine), top], 1))
        coarse = layers["21"](torch.cat([layers["19"](middle), fifth], 1))
        return self._decoded((fine, middle, coarse))

    def _decoded(self, maps: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
        sides, logits = self.layers[HEAD](maps)
        bins = sides.reshape(-1, self.centre.shape[1], 4, BINS).softmax(3)
        # Products and a sum, not a matrix product: what multiplies matrices gets quantized.
        distances = (bins * self.bins).sum(3)
        corners = [self.centre - distances[..., :2] * self.scale, self.centre + distances[..., 2:] * self.scale]
        return torch.cat(corners, 2), logits.sigmoid()


def _doubled(x: Tensor) -> Tensor:
    return functional.interpolate(x, scale_factor=2.0, mode="nearest")


def is_auxiliary(layer: str) -> bool:
    """Whether a layer, by its number, belongs to the branch that only training uses."""
    return not layer.isdigit() or int(layer) > int(HEAD)


def _second_neck(plan: Plan, classes: int) -> dict[str, nn.Module]:
    """The branch of YOLOv9-S: the way up once more, and its head."""
    third, fourth, fifth = plan.stages
    top, fine = plan.neck[:2]
    return {
        "23": PyramidPooling(fifth, fifth),
        "26": Aggregation(fifth + fourth, top, top, plan.repeats),
        "29": Aggregation(top + third, fine, fine, plan.repeats),
        "30": Heads((fine, top, fifth), classes),
    }


def _second_backbone(plan: Plan, classes: int) -> dict[str, nn.Module]:
    """The branch of YOLOv9-C: the way down once more, with maps of the first backbone added at each stage."""
    layers: dict[str, nn.Module] = {
        "23": Spread(plan.stages[0], plan.down[:1]),
        "24": Spread(plan.stages[1], plan.down[:2]),
        "25": Spread(plan.stages[2], plan.down),
        "26": Conv(3, plan.stem[0], 3, stride=2),
        "27": Conv(plan.stem[0], plan.stem[1], 3, stride=2),
        "28": Aggregation(plan.stem[1], plan.first, plan.first_part, plan.repeats),
        "38": Heads(plan.stages, classes),
    }
    before = plan.first
    for stage, number in enumerate((29, 32, 35)):
        layers[str(number)] = ADown(before, plan.down[stage])
        layers[str(number + 2)] = Aggregation(plan.down[stage], plan.stages[stage], plan.parts[stage], plan.repeats)
        before = plan.stages[stage]
    return layers
