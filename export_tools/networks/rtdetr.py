"""RT-DETRv2 (Lv et al. 2024, arXiv:2407.17140) with ResNet-18vd or 101vd, weights named as its authors name them."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from export_tools.networks.rtdetr_backbone import ResNetVd
from export_tools.networks.rtdetr_decoder import Decoder
from export_tools.networks.rtdetr_encoder import HybridEncoder, RepVgg


@dataclass(frozen=True)
class Plan:
    """One published size."""

    name: str
    depth: int
    """Of the ResNet."""
    channels: int
    """Of the encoder's maps."""
    inner: int
    """Of the encoder's feed-forward layer."""
    expansion: float
    layers: int
    """Of the decoder."""


R18 = Plan("RT-DETRv2-R18vd", depth=18, channels=256, inner=1024, expansion=0.5, layers=3)
R101 = Plan("RT-DETRv2-R101vd", depth=101, channels=384, inner=2048, expansion=1.0, layers=6)


class RtDetr(nn.Module):
    """Detector: [N, 3, height, width], RGB 0..1, to boxes [N, 300, 4] `xyxy` in pixels and scores [N, 300, classes]."""

    pixels: Tensor

    def __init__(self, plan: Plan, classes: int) -> None:
        super().__init__()
        self.backbone = ResNetVd(plan.depth)
        self.encoder = HybridEncoder(self.backbone.outputs, plan.channels, plan.inner, plan.expansion)
        self.decoder = Decoder(plan.channels, plan.layers, classes)

    def lay_out(self, width: int, height: int) -> None:
        """Make anchors and positions for inputs of this size, pixels, multiples of 32."""
        self.encoder.lay_out(width, height)
        self.decoder.lay_out(width, height)
        self.register_buffer("pixels", torch.tensor([width, height, width, height]).float(), persistent=False)

    def merge(self) -> None:
        """Replace parallel convolutions by one each; the outputs stay what they were."""
        for module in list(self.modules()):
            if isinstance(module, RepVgg):
                module.merge()

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        boxes, logits = self.decoder(self.encoder(self.backbone(image)))
        centre, half = boxes[..., :2], boxes[..., 2:] / 2
        return torch.cat([centre - half, centre + half], 2) * self.pixels, logits.sigmoid()
