"""Scaling each feature to 0..1, as scikit-learn's MinMaxScaler does it, inside a graph."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class FittedMinMax(nn.Module):
    """[N, D] to [N, D] by ranges that were measured once. Values outside of them go beyond 0 and 1.

    Args:
        least, most: [D], the range of each feature; one that never changes is only shifted, to 0.
    """

    def __init__(self, least: Tensor, most: Tensor) -> None:
        super().__init__()
        self.register_buffer("scale", 1 / _width(least, most))
        self.register_buffer("shift", -least / _width(least, most))

    def forward(self, features: Tensor) -> Tensor:
        return features * self.scale + self.shift


class BatchMinMax(nn.Module):
    """[N, D] to [N, D] by the ranges of the batch at hand: what a row becomes depends on its neighbours, and a batch of
    one becomes zeros."""

    def forward(self, features: Tensor) -> Tensor:
        least, most = features.amin(0, keepdim=True), features.amax(0, keepdim=True)
        return (features - least) / _width(least, most)


def _width(least: Tensor, most: Tensor) -> Tensor:
    width = most - least
    # As scikit-learn has it: what changes by less than ten rounding errors does not change.
    return torch.where(width < 10 * torch.finfo(width.dtype).eps, torch.ones_like(width), width)
