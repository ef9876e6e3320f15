"""EfficientNet-Lite0: EfficientNet-B0 (Tan and Le 2019, arXiv:1905.11946) made for INT8, with ReLU6 and without
squeeze-and-excitation. Submodules are named as in the published PyTorch weights."""

from __future__ import annotations

from torch import Tensor, nn

FEATURES = 1280
STEM = 32
STRIDE = 32
"""The input's sides are multiples of it."""

# Table 1 of the paper: blocks, kernel, stride, expansion, channels.
STAGES = (
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)
_EPS = 1e-3


class SameConv(nn.Conv2d):
    """A convolution padded as TensorFlow's SAME, which puts the odd pixel at the right and at the bottom.

    For inputs whose sides are multiples of the stride.
    """

    def __init__(self, inside: int, outside: int, kernel: int, stride: int = 1, groups: int = 1) -> None:
        super().__init__(inside, outside, kernel, stride, groups=groups, bias=False)
        total = kernel - stride
        before = total // 2
        self.border = nn.ZeroPad2d((before, total - before, before, total - before)) if total > 0 else nn.Identity()

    def forward(self, image: Tensor) -> Tensor:
        return super().forward(self.border(image))


class InvertedResidual(nn.Module):
    """Widen, filter each channel, narrow; the input is added where the shape stays."""

    def __init__(self, inside: int, outside: int, *, kernel: int, stride: int, expansion: int) -> None:
        super().__init__()
        wide = inside * expansion
        self.widens = expansion != 1
        self.adds = stride == 1 and inside == outside
        if self.widens:
            self._expand_conv = SameConv(inside, wide, 1)
            self._bn0 = nn.BatchNorm2d(wide, eps=_EPS)
        self._depthwise_conv = SameConv(wide, wide, kernel, stride, groups=wide)
        self._bn1 = nn.BatchNorm2d(wide, eps=_EPS)
        self._project_conv = SameConv(wide, outside, 1)
        self._bn2 = nn.BatchNorm2d(outside, eps=_EPS)
        self._relu = nn.ReLU6()

    def forward(self, image: Tensor) -> Tensor:
        wide = self._relu(self._bn0(self._expand_conv(image))) if self.widens else image
        filtered = self._relu(self._bn1(self._depthwise_conv(wide)))
        narrow = self._bn2(self._project_conv(filtered))
        return image + narrow if self.adds else narrow


class EfficientNetLite0(nn.Module):
    """[N, 3, H, W] to logits [N, classes] and features [N, 1280], the mean over the picture of the last map."""

    def __init__(self, classes: int = 1000) -> None:
        super().__init__()
        self._conv_stem = SameConv(3, STEM, 3, 2)
        self._bn0 = nn.BatchNorm2d(STEM, eps=_EPS)
        blocks, inside = [], STEM
        for repeats, kernel, stride, expansion, outside in STAGES:
            for place in range(repeats):
                step = stride if place == 0 else 1
                blocks.append(InvertedResidual(inside, outside, kernel=kernel, stride=step, expansion=expansion))
                inside = outside
        self._blocks = nn.ModuleList(blocks)
        self._conv_head = SameConv(inside, FEATURES, 1)
        self._bn1 = nn.BatchNorm2d(FEATURES, eps=_EPS)
        self._relu = nn.ReLU6()
        self._fc = nn.Linear(FEATURES, classes)

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        image = self._relu(self._bn0(self._conv_stem(image)))
        for block in self._blocks:
            image = block(image)
        features = self._relu(self._bn1(self._conv_head(image))).mean((-2, -1))
        return self._fc(features), features
