"""RT-DETRv2's decoder (Lv et al. 2024, arXiv:2407.17140): the best cells become queries that look at the maps again."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from export_tools.networks.rtdetr_encoder import ATTENTION_HEADS, SelfAttention

CHANNELS = 256
QUERIES = 300
STRIDES = (8, 16, 32)
_INNER = 1024
_POINTS = 4
_OFFSET_SCALE = 0.5
_EDGE = 0.01
_OUTSIDE = 100.0
"""Stands for infinity where no anchor may be: its sigmoid is 1 in float32 whatever is added, and it stays finite."""


class Perceptron(nn.Module):
    """Linear layers with ReLU between them."""

    def __init__(self, *widths: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(one, other) for one, other in pairwise(widths))

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.layers[:-1]:
            x = functional.relu(layer(x))
        y: Tensor = self.layers[-1](x)
        return y


class DeformableAttention(nn.Module):
    """Each query looks at a few points of each map, around its box (arXiv:2010.04159)."""

    num_points_scale: Tensor

    def __init__(self) -> None:
        super().__init__()
        points = len(STRIDES) * _POINTS
        self.sampling_offsets = nn.Linear(CHANNELS, ATTENTION_HEADS * points * 2)
        self.attention_weights = nn.Linear(CHANNELS, ATTENTION_HEADS * points)
        self.value_proj = nn.Linear(CHANNELS, CHANNELS)
        self.output_proj = nn.Linear(CHANNELS, CHANNELS)
        self.register_buffer("num_points_scale", torch.full((points,), 1 / _POINTS))

    def forward(self, query: Tensor, boxes: Tensor, memory: Tensor, shapes: Sequence[tuple[int, int]]) -> Tensor:
        """Look.

        Args:
            query: [N, Q, channels].
            boxes: [N, Q, 4], centre, width, height, as fractions of the picture.
            memory: [N, cells of all maps, channels].
            shapes: (height, width) of the maps.
        """
        values = self.value_proj(memory).transpose(1, 2).split([height * width for height, width in shapes], 2)
        offsets = self.sampling_offsets(query).unflatten(2, (ATTENTION_HEADS, -1, 2))
        weights = self.attention_weights(query).unflatten(2, (ATTENTION_HEADS, -1)).softmax(3)
        reach = boxes[:, :, None, None, 2:] * self.num_points_scale[:, None] * _OFFSET_SCALE
        grid = 2 * (boxes[:, :, None, None, :2] + offsets * reach) - 1
        # Heads are pictures of a batch of their own: [N x heads, Q, points, 2].
        grids = grid.transpose(1, 2).flatten(0, 1).split(_POINTS, 2)
        seen = torch.cat(
            [
                functional.grid_sample(
                    value.unflatten(1, (ATTENTION_HEADS, -1)).flatten(0, 1).unflatten(2, shape),
                    part,
                    align_corners=False,
                )
                for value, shape, part in zip(values, shapes, grids, strict=True)
            ],
            3,
        )
        weighted = (seen * weights.transpose(1, 2).flatten(0, 1)[:, None]).sum(3)
        y: Tensor = self.output_proj(weighted.unflatten(0, (-1, ATTENTION_HEADS)).flatten(1, 2).transpose(1, 2))
        return y


class DecoderLayer(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.self_attn = SelfAttention(CHANNELS)
        self.norm1 = nn.LayerNorm(CHANNELS)
        self.cross_attn = DeformableAttention()
        self.norm2 = nn.LayerNorm(CHANNELS)
        self.linear1 = nn.Linear(CHANNELS, _INNER)
        self.linear2 = nn.Linear(_INNER, CHANNELS)
        self.norm3 = nn.LayerNorm(CHANNELS)

    def forward(
        self, x: Tensor, position: Tensor, boxes: Tensor, memory: Tensor, shapes: Sequence[tuple[int, int]]
    ) -> Tensor:
        x = self.norm1(x + self.self_attn(x, position))
        x = self.norm2(x + self.cross_attn(x + position, boxes, memory, shapes))
        y: Tensor = self.norm3(x + self.linear2(functional.relu(self.linear1(x))))
        return y


class Layers(nn.Module):
    """The stack of decoder layers."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(DecoderLayer() for _ in range(number))


class Decoder(nn.Module):
    """Maps of strides 8, 16, 32 to boxes [N, Q, 4] (centre, width, height; fractions) and logits [N, Q, classes]."""

    anchors: Tensor
    valid: Tensor

    def __init__(self, inputs: int, layers: int, classes: int) -> None:
        super().__init__()
        self.input_proj = nn.ModuleList(
            nn.Sequential(OrderedDict(conv=nn.Conv2d(inputs, CHANNELS, 1, bias=False), norm=nn.BatchNorm2d(CHANNELS)))
            for _ in STRIDES
        )
        self.decoder = Layers(layers)
        self.denoising_class_embed = nn.Embedding(classes + 1, CHANNELS)
        self.query_pos_head = Perceptron(4, 2 * CHANNELS, CHANNELS)
        self.enc_output = nn.Sequential(OrderedDict(proj=nn.Linear(CHANNELS, CHANNELS), norm=nn.LayerNorm(CHANNELS)))
        self.enc_score_head = nn.Linear(CHANNELS, classes)
        self.enc_bbox_head = Perceptron(CHANNELS, CHANNELS, CHANNELS, 4)
        self.dec_score_head = nn.ModuleList(nn.Linear(CHANNELS, classes) for _ in range(layers))
        self.dec_bbox_head = nn.ModuleList(Perceptron(CHANNELS, CHANNELS, CHANNELS, 4) for _ in range(layers))

    def lay_out(self, width: int, height: int) -> None:
        """Make the anchors for an input of this size, pixels, and drop what only training uses."""
        if hasattr(self, "denoising_class_embed"):
            del self.denoising_class_embed
        anchors, valid = anchors_of(width, height)
        self.register_buffer("anchors", torch.where(valid, anchors, _OUTSIDE), persistent=False)
        self.register_buffer("valid", valid.float(), persistent=False)

    def forward(self, maps: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        projected = [project(x) for project, x in zip(self.input_proj, maps, strict=True)]
        shapes = [(int(x.shape[2]), int(x.shape[3])) for x in projected]
        memory = torch.cat([x.flatten(2).transpose(1, 2) for x in projected], 1)
        x, unbounded = self._queries(memory)
        boxes = unbounded.sigmoid()
        for layer, refine in zip(self.decoder.layers, self.dec_bbox_head, strict=True):
            x = layer(x, self.query_pos_head(boxes), boxes, memory, shapes)
            boxes = (refine(x) + _inverse_sigmoid(boxes)).sigmoid()
        return boxes, self.dec_score_head[-1](x)

    def _queries(self, memory: Tensor) -> tuple[Tensor, Tensor]:
        """The features and the boxes (before the sigmoid) of the cells with the best scores."""
        seen = self.enc_output(memory * self.valid)
        best = self.enc_score_head(seen).amax(2)
        chosen = best.topk(min(QUERIES, self.anchors.shape[1]), 1).indices[:, :, None]
        x = seen.gather(1, chosen.expand(-1, -1, CHANNELS))
        anchors = self.anchors.expand(memory.shape[0], -1, -1).gather(1, chosen.expand(-1, -1, 4))
        return x, self.enc_bbox_head(x) + anchors


def anchors_of(width: int, height: int) -> tuple[Tensor, Tensor]:
    """One box per cell, centre, width, height, before the sigmoid [1, cells, 4], and which are inside [1, cells, 1]."""
    levels = []
    for level, stride in enumerate(STRIDES):
        down, across = height // stride, width // stride
        y, x = torch.meshgrid(torch.arange(down) + 0.5, torch.arange(across) + 0.5, indexing="ij")
        side = torch.full_like(x, 0.05 * 2**level)
        levels.append(torch.stack([x / across, y / down, side, side], 2).reshape(1, -1, 4))
    boxes = torch.cat(levels, 1)
    valid = ((boxes > _EDGE) & (boxes < 1 - _EDGE)).all(2, keepdim=True)
    return torch.log(boxes / (1 - boxes)), valid


def _inverse_sigmoid(x: Tensor) -> Tensor:
    return torch.log(x.clamp(1e-5, 1.0) / (1 - x).clamp(1e-5, 1.0))
