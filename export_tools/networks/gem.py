"""Generalized mean pooling (Radenović et al. 2018, "Fine-tuning CNN image retrieval with no human annotation",
arXiv:1711.02512)."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class GeM(nn.Module):
    """[N, C, H, W] to [N, C]: the mean of the p-th powers over the picture, and the p-th root of it.

    p is learned; 1 is the mean, infinity the maximum. Values below `eps` count as `eps`, so that the power is defined.
    """

    def __init__(self, p: float = 3.0, eps: float = 1e-6) -> None:
        super().__init__()
        self.p = nn.Parameter(torch.full((1,), p))
        self.eps = eps

    def forward(self, features: Tensor) -> Tensor:
        # A mean over both axes, not a pooling over the whole picture: the latter is frozen to one size in a graph.
        return features.clamp(self.eps).pow(self.p).mean((-2, -1)).pow(1 / self.p)
