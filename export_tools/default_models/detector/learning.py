"""What the network is told about its answers: which cell is to find which box, and what its errors cost."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from export_tools.default_models.detector.network import CLASSES, cells

SCORE_POWER, OVERLAP_POWER = 0.5, 4.0
CELLS_PER_BOX = 10
REACH = 1.5
"""A cell may also find a box whose centre is this near, in strides: small boxes hold no cell's centre."""
NEGATIVE_WEIGHT, NEGATIVE_POWER = 0.75, 1.5
BOX_WEIGHT = 2.0


@dataclass(frozen=True)
class Labels:
    """What is known of a batch, padded to the same length."""

    boxes: Tensor
    """[N, M, 4] `xyxy`, pixels; zeros where there is none."""
    classes: Tensor
    """[N, M], -1 where there is none."""
    ignored: Tensor
    """[N, K, 4]; zeros where there is none."""


@dataclass(frozen=True)
class Assignment:
    """Who finds what."""

    target: Tensor
    """[N, cells, CLASSES]: the score that each cell should give, 0..1."""
    box: Tensor
    """[N, cells, 4]: the box of the cell's object; meaningless where `target` is 0 throughout."""


def loss(logits: Tensor, boxes: Tensor, labels: Labels, *, width: int, height: int) -> tuple[Tensor, Tensor]:
    """Class loss and box loss of a batch (varifocal weights, arXiv:2008.13367; GIoU, arXiv:1902.09630)."""
    points, strides = cells(width, height)
    with torch.no_grad():
        given = assign(logits.sigmoid(), boxes, labels, points, strides)
        scores = logits.sigmoid()
        weight = torch.where(given.target > 0, 1.0, NEGATIVE_WEIGHT * scores**NEGATIVE_POWER)
        unknown = _inside(points, labels.ignored).any(dim=1) & (given.target.sum(dim=2) == 0)
        weight = weight * ~unknown[..., None]
        share = given.target.sum(dim=2)
        total = share.sum().clamp(min=1.0)
    of_class = (functional.binary_cross_entropy_with_logits(logits, given.target, reduction="none") * weight).sum()
    finds = share > 0
    of_box = ((1 - _giou(boxes[finds], given.box[finds])) * share[finds]).sum()
    return of_class / total, BOX_WEIGHT * of_box / total


def assign(scores: Tensor, boxes: Tensor, labels: Labels, points: Tensor, strides: Tensor) -> Assignment:
    """Task-aligned assignment (TOOD, arXiv:2108.07755): each box to the cells that score and overlap best."""
    there = labels.classes >= 0
    overlap = _overlap(labels.boxes, boxes) * there[..., None]
    of_class = scores.transpose(1, 2).gather(1, labels.classes.clamp(min=0)[..., None].expand(-1, -1, scores.shape[1]))
    aligned = of_class**SCORE_POWER * overlap**OVERLAP_POWER
    centre = (labels.boxes[..., :2] + labels.boxes[..., 2:]) / 2
    near = ((points - centre[:, :, None]).abs().amax(dim=-1) < REACH * strides) | _inside(points, labels.boxes)
    near = near & there[..., None]
    aligned = torch.where(near, aligned + 1e-9, 0.0)
    best = aligned.topk(CELLS_PER_BOX, dim=2)
    chosen = torch.zeros_like(aligned).scatter_(2, best.indices, (best.values > 0).to(aligned.dtype)) > 0
    # A cell that several boxes want finds the one that it overlaps most.
    owner = torch.where(chosen, overlap + 1e-6, -1.0).argmax(dim=1)
    taken = chosen.any(dim=1)
    own = torch.zeros_like(chosen).scatter_(1, owner[:, None], taken[:, None]) & chosen
    metric = aligned * own
    ceiling = (overlap * own).amax(dim=2, keepdim=True)
    share = (metric / metric.amax(dim=2, keepdim=True).clamp(min=1e-12) * ceiling).amax(dim=1)
    of_cell = labels.classes.clamp(min=0).gather(1, owner)
    target = functional.one_hot(of_cell, CLASSES) * share[..., None]
    box = labels.boxes.gather(1, owner[..., None].expand(-1, -1, 4))
    return Assignment(target.float(), box)


def _inside(points: Tensor, boxes: Tensor) -> Tensor:
    """[N, M, cells]: which points lie inside which boxes [N, M, 4]."""
    box = boxes[:, :, None]
    return ((points > box[..., :2]) & (points < box[..., 2:])).all(dim=-1)


def _overlap(one: Tensor, other: Tensor) -> Tensor:
    """IoU [N, M, cells] of boxes [N, M, 4] and [N, cells, 4]."""
    low = torch.maximum(one[:, :, None, :2], other[:, None, :, :2])
    high = torch.minimum(one[:, :, None, 2:], other[:, None, :, 2:])
    common = (high - low).clamp(min=0).prod(dim=-1)
    size = (one[..., 2:] - one[..., :2]).prod(dim=-1)[:, :, None] + (
        (other[..., 2:] - other[..., :2]).prod(dim=-1)[:, None]
    )
    return common / (size - common).clamp(min=1e-6)


def _giou(one: Tensor, other: Tensor) -> Tensor:
    """Generalised IoU [N] of boxes [N, 4]."""
    common = (
        (torch.minimum(one[:, 2:], other[:, 2:]) - torch.maximum(one[:, :2], other[:, :2])).clamp(min=0).prod(dim=1)
    )
    union = (one[:, 2:] - one[:, :2]).prod(dim=1) + (other[:, 2:] - other[:, :2]).prod(dim=1) - common
    hull = (torch.maximum(one[:, 2:], other[:, 2:]) - torch.minimum(one[:, :2], other[:, :2])).prod(dim=1)
    union, hull = union.clamp(min=1e-6), hull.clamp(min=1e-6)
    return common / union - (hull - union) / hull
