"""RT-DETR's hybrid encoder (Zhao et al. 2023, arXiv:2304.08069): attention on the coarsest map, then a pyramid."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from export_tools.networks.merging import merged
from export_tools.networks.rtdetr_backbone import ConvNorm

ATTENTION_HEADS = 8
_TEMPERATURE = 10_000.0


class SelfAttention(nn.Module):
    """Attention of a sequence [N, L, channels] to itself, weights named as PyTorch's MultiheadAttention names them."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.in_proj_weight = nn.Parameter(torch.empty(3 * channels, channels))
        self.in_proj_bias = nn.Parameter(torch.zeros(3 * channels))
        self.out_proj = nn.Linear(channels, channels)
        nn.init.xavier_uniform_(self.in_proj_weight)

    def forward(self, x: Tensor, position: Tensor) -> Tensor:
        """`position` is added to what asks and to what is asked, not to what is answered."""
        channels = self.out_proj.in_features
        placed = x + position
        weights, biases = self.in_proj_weight.chunk(3), self.in_proj_bias.chunk(3)
        query, key, value = (
            self._by_head(functional.linear(source, weight, bias))
            for source, weight, bias in zip((placed, placed, x), weights, biases, strict=True)
        )
        similar = (query * (channels // ATTENTION_HEADS) ** -0.5) @ key.transpose(2, 3)
        y: Tensor = self.out_proj((similar.softmax(3) @ value).transpose(1, 2).flatten(2))
        return y

    @staticmethod
    def _by_head(x: Tensor) -> Tensor:
        return torch.unflatten(x, 2, (ATTENTION_HEADS, -1)).transpose(1, 2)


class EncoderLayer(nn.Module):
    def __init__(self, channels: int, inner: int) -> None:
        super().__init__()
        self.self_attn = SelfAttention(channels)
        self.linear1 = nn.Linear(channels, inner)
        self.linear2 = nn.Linear(inner, channels)
        self.norm1 = nn.LayerNorm(channels)
        self.norm2 = nn.LayerNorm(channels)

    def forward(self, x: Tensor, position: Tensor) -> Tensor:
        x = self.norm1(x + self.self_attn(x, position))
        y: Tensor = self.norm2(x + self.linear2(functional.gelu(self.linear1(x))))
        return y


class EncoderLayers(nn.Module):
    """The stack of which RT-DETR has one layer."""

    def __init__(self, channels: int, inner: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList([EncoderLayer(channels, inner)])

    def forward(self, x: Tensor, position: Tensor) -> Tensor:
        y: Tensor = self.layers[0](x, position)
        return y


class RepVgg(nn.Module):
    """A 3 x 3 and a 1 x 1 convolution side by side; `merge` makes one of them."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = ConvNorm(channels, channels, 3)
        self.conv2 = ConvNorm(channels, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        if hasattr(self, "merged"):
            return functional.silu(self.merged(x))
        return functional.silu(self.conv1(x) + self.conv2(x))

    def merge(self) -> None:
        """Replace both by one that gives the same."""
        self.merged = merged((self.conv1.conv, self.conv1.norm), (self.conv2.conv, self.conv2.norm))
        del self.conv1, self.conv2


class Fusion(nn.Module):
    """Two maps of one size, joined, to one: RepVgg blocks on one path, nothing on the other."""

    def __init__(self, channels: int, expansion: float) -> None:
        super().__init__()
        hidden = int(channels * expansion)
        self.conv1 = ConvNorm(2 * channels, hidden, activation=functional.silu)
        self.conv2 = ConvNorm(2 * channels, hidden, activation=functional.silu)
        self.bottlenecks = nn.Sequential(*(RepVgg(hidden) for _ in range(3)))
        same = hidden == channels
        self.conv3 = nn.Identity() if same else ConvNorm(hidden, channels, activation=functional.silu)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.conv3(self.bottlenecks(self.conv1(x)) + self.conv2(x))
        return y


class HybridEncoder(nn.Module):
    """Maps of strides 8, 16, 32 to maps of the same strides with `channels` channels each."""

    position: Tensor

    def __init__(self, inputs: Sequence[int], channels: int, inner: int, expansion: float) -> None:
        super().__init__()
        self.channels = channels
        self.input_proj = nn.ModuleList(
            nn.Sequential(OrderedDict(conv=nn.Conv2d(given, channels, 1, bias=False), norm=nn.BatchNorm2d(channels)))
            for given in inputs
        )
        self.encoder = nn.ModuleList([EncoderLayers(channels, inner)])
        silu = functional.silu
        self.lateral_convs = nn.ModuleList(ConvNorm(channels, channels, activation=silu) for _ in range(2))
        self.fpn_blocks = nn.ModuleList(Fusion(channels, expansion) for _ in range(2))
        self.downsample_convs = nn.ModuleList(ConvNorm(channels, channels, 3, 2, silu) for _ in range(2))
        self.pan_blocks = nn.ModuleList(Fusion(channels, expansion) for _ in range(2))

    def lay_out(self, width: int, height: int) -> None:
        """Make the positions for an input of this size, pixels."""
        self.coarsest = (height // 32, width // 32)
        self.register_buffer("position", positions(width // 32, height // 32, self.channels), persistent=False)

    def forward(self, maps: Sequence[Tensor]) -> list[Tensor]:
        fine, middle, coarse = (project(x) for project, x in zip(self.input_proj, maps, strict=True))
        seen = self.encoder[0](coarse.flatten(2).transpose(1, 2), self.position)
        coarse = self.lateral_convs[0](torch.unflatten(seen.transpose(1, 2), 2, self.coarsest))
        middle = self.lateral_convs[1](self.fpn_blocks[0](torch.cat([_doubled(coarse), middle], 1)))
        fine = self.fpn_blocks[1](torch.cat([_doubled(middle), fine], 1))
        middle = self.pan_blocks[0](torch.cat([self.downsample_convs[0](fine), middle], 1))
        coarse = self.pan_blocks[1](torch.cat([self.downsample_convs[1](middle), coarse], 1))
        return [fine, middle, coarse]


def positions(width: int, height: int, channels: int) -> Tensor:
    """Sines and cosines of the cells' places, [1, height x width, channels].

    The published code numbers the places column by column, while the map runs row by row. Its networks were trained
    with that, so it stays.
    """
    columns, rows = torch.meshgrid(torch.arange(width).float(), torch.arange(height).float(), indexing="ij")
    waves = _TEMPERATURE ** -(torch.arange(channels // 4) / (channels // 4))
    across, down = columns.flatten()[:, None] * waves, rows.flatten()[:, None] * waves
    return torch.cat([across.sin(), across.cos(), down.sin(), down.cos()], 1)[None]


def _doubled(x: Tensor) -> Tensor:
    return functional.interpolate(x, scale_factor=2.0, mode="nearest")
