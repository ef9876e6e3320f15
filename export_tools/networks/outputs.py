"""Networks of other libraries as the exporter wants them: a tuple of tensors comes out."""

from __future__ import annotations

from torch import Tensor, nn


class OneOutput(nn.Module):
    """A network that gives one tensor."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, image: Tensor) -> tuple[Tensor]:
        return (self.network(image),)
