"""Networks with random weights that answer to what they see, as trained ones do.

With plain random weights a deep network gives nearly the same for any picture, and every comparison passes.
"""

from __future__ import annotations

import numpy as np
import skimage.data
import torch
from torch import Tensor, nn

from edge_runtime.bundles.manifest import Input, Preprocess
from edge_runtime.models.preprocess import prepare


def photos(width: int, height: int, rule: Preprocess) -> list[Tensor]:
    """Parts of a real photograph as the bundle's input tensor, [1, 3, height, width]."""
    spec = Input(tensor="image", width=width, height=height)
    cat = skimage.data.chelsea()
    parts = (cat, cat[:200, :300], cat[100:, 150:], cat[60:260, 100:400])
    return [torch.from_numpy(prepare(np.ascontiguousarray(part), spec, rule)[0]) for part in parts]


def calibrate(network: nn.Module, images: list[Tensor]) -> None:
    """Set the batch norms to what the photos give layer by layer, and back to eval mode.

    Factors below one and shifts above none keep the activations where they are nearly straight. Else a hundred random
    layers make one photo larger and larger beside the others, and rounding errors with it, until nothing agrees.
    """
    norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None
        nn.init.uniform_(norm.weight, 0.3, 0.7)
        nn.init.uniform_(norm.bias, 0.2, 1.2)
    network.train()
    with torch.no_grad():
        network(torch.cat(images))
    network.eval()


def spread(first: Tensor, second: Tensor) -> float:
    """How far two outputs are apart, in parts of how far the values of one lie apart."""
    return float((first - second).abs().mean() / first.std())
