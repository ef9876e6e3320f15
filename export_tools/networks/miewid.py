"""MiewID's network (Otarashvili et al. 2024, arXiv:2412.05602): a timm backbone, GeM pooling, batch normalisation."""

from __future__ import annotations

from torch import Tensor, nn

from export_tools.networks.gem import GeM
from export_tools.networks.packages import need


class MiewIDNetwork(nn.Module):
    """[N, 3, H, W] to embeddings [N, `dimensions`], not of length one.

    Args:
        backbone: timm's name of a convolutional network.
    """

    def __init__(self, backbone: str) -> None:
        super().__init__()
        self.backbone = need("timm").create_model(backbone, pretrained=False, num_classes=0, global_pool="")
        self.dimensions = int(self.backbone.num_features)
        self.pooling = GeM()
        self.bn = nn.BatchNorm1d(self.dimensions)

    def forward(self, image: Tensor) -> tuple[Tensor]:
        return (self.bn(self.pooling(self.backbone.forward_features(image))),)
