"""YOLOv9's building blocks (GELAN; Wang et al. 2024, arXiv:2402.13616), their weights named as the MIT release does."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from export_tools.networks.merging import merged

BINS = 16
BATCH_NORM_EPS = 1e-3


class Conv(nn.Module):
    """Convolution, batch norm, SiLU."""

    def __init__(
        self, inputs: int, outputs: int, kernel: int = 1, *, stride: int = 1, groups: int = 1, active: bool = True
    ) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False)
        self.bn = nn.BatchNorm2d(outputs, eps=BATCH_NORM_EPS)
        self.active = active

    def forward(self, x: Tensor) -> Tensor:
        x = self.bn(self.conv(x))
        return functional.silu(x) if self.active else x


class RepConv(nn.Module):
    """A 3 x 3 and a 1 x 1 convolution side by side, added; `merge` makes one of them (arXiv:2101.03697)."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv1 = Conv(inputs, outputs, 3, active=False)
        self.conv2 = Conv(inputs, outputs, 1, active=False)

    def forward(self, x: Tensor) -> Tensor:
        if hasattr(self, "merged"):
            return functional.silu(self.merged(x))
        return functional.silu(self.conv1(x) + self.conv2(x))

    def merge(self) -> None:
        """Replace both by one 3 x 3 convolution that gives the same."""
        self.merged = merged((self.conv1.conv, self.conv1.bn), (self.conv2.conv, self.conv2.bn))
        del self.conv1, self.conv2


class Bottleneck(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = RepConv(channels, channels)
        self.conv2 = Conv(channels, channels, 3)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = x + self.conv2(self.conv1(x))
        return y


class RepNCSP(nn.Module):
    """Cross stage partial block: bottlenecks on one path, nothing on the other."""

    def __init__(self, inputs: int, outputs: int, repeats: int) -> None:
        super().__init__()
        half = outputs // 2
        self.conv1 = Conv(inputs, half)
        self.conv2 = Conv(inputs, half)
        self.conv3 = Conv(2 * half, outputs)
        self.bottleneck = nn.Sequential(*(Bottleneck(half) for _ in range(repeats)))

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.conv3(torch.cat([self.bottleneck(self.conv1(x)), self.conv2(x)], 1))
        return y


class Aggregation(nn.Module):
    """Split, process twice in a row, join everything. `repeats` 0: of plain convolutions (ELAN); else of RepNCSP."""

    def __init__(self, inputs: int, outputs: int, part: int, repeats: int) -> None:
        super().__init__()
        half = part // 2

        def process() -> nn.Module:
            if not repeats:
                return Conv(half, half, 3)
            return nn.Sequential(RepNCSP(half, half, repeats), Conv(half, half, 3))

        self.conv1 = Conv(inputs, part)
        self.conv2 = process()
        self.conv3 = process()
        self.conv4 = Conv(part + 2 * half, outputs)

    def forward(self, x: Tensor) -> Tensor:
        first, second = self.conv1(x).chunk(2, 1)
        third = self.conv2(second)
        y: Tensor = self.conv4(torch.cat([first, second, third, self.conv3(third)], 1))
        return y


class AConv(nn.Module):
    """Halve the picture: average, then a convolution with stride 2."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv = Conv(inputs, outputs, 3, stride=2)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.conv(functional.avg_pool2d(x, 2, 1))
        return y


class ADown(nn.Module):
    """Halve the picture: average, then one half of the channels convolved, the other pooled."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv1 = Conv(inputs // 2, outputs // 2, 3, stride=2)
        self.conv2 = Conv(inputs // 2, outputs // 2)

    def forward(self, x: Tensor) -> Tensor:
        first, second = functional.avg_pool2d(x, 2, 1).chunk(2, 1)
        return torch.cat([self.conv1(first), self.conv2(functional.max_pool2d(second, 3, 2, 1))], 1)


class PyramidPooling(nn.Module):
    """SPPELAN: one map and three poolings of it in a row, joined."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv1 = Conv(inputs, outputs // 2)
        self.conv5 = Conv(2 * outputs, outputs)

    def forward(self, x: Tensor) -> Tensor:
        maps = [self.conv1(x)]
        for _ in range(3):
            maps.append(functional.max_pool2d(maps[-1], 5, 1, 2))
        y: Tensor = self.conv5(torch.cat(maps, 1))
        return y


class Spread(nn.Module):
    """CBLinear: one map to several, by a convolution. Of training only: it has weights and no forward."""

    def __init__(self, inputs: int, outputs: Sequence[int]) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, sum(outputs), 1)


class Projection(nn.Module):
    """What turns a side's bins into a distance: their numbers, stored as a convolution that nobody trained."""

    def __init__(self) -> None:
        super().__init__()
        self.anc2vec = nn.Conv3d(BINS, 1, 1, bias=False)
        self.anc2vec.weight = nn.Parameter(torch.arange(BINS).float().reshape(1, BINS, 1, 1, 1), requires_grad=False)


class OneScale(nn.Module):
    """The two branches of the head at one stride."""

    def __init__(self, finest: int, inputs: int, classes: int) -> None:
        super().__init__()
        side = max(finest // 4, 4 * BINS)
        kind = max(finest, min(2 * classes, 128))
        self.anchor_conv = nn.Sequential(
            Conv(inputs, side, 3), Conv(side, side, 3, groups=4), nn.Conv2d(side, 4 * BINS, 1, groups=4)
        )
        self.class_conv = nn.Sequential(Conv(inputs, kind, 3), Conv(kind, kind, 3), nn.Conv2d(kind, classes, 1))
        self.anc2vec = Projection()

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return self.anchor_conv(x).flatten(2).transpose(1, 2), self.class_conv(x).flatten(2).transpose(1, 2)


class Heads(nn.Module):
    """The head: two branches at each stride, coarser ones as wide as the finest."""

    def __init__(self, inputs: tuple[int, int, int], classes: int) -> None:
        super().__init__()
        self.heads = nn.ModuleList(OneScale(inputs[0], channels, classes) for channels in inputs)

    def forward(self, maps: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """Bins of the four sides [N, A, 4 x bins] and logits of the classes [N, A, classes]."""
        pairs = [scale(x) for scale, x in zip(self.heads, maps, strict=True)]
        return torch.cat([sides for sides, _ in pairs], 1), torch.cat([logits for _, logits in pairs], 1)
