"""ResNet "vd" of RT-DETR (He et al. 2018, arXiv:1812.01187): three small convolutions first, pooled shortcuts."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

from torch import Tensor, nn
from torch.nn import functional

BLOCKS = {18: (2, 2, 2, 2), 101: (3, 4, 23, 3)}
WIDTHS = (64, 128, 256, 512)
Activation = Callable[[Tensor], Tensor]


class ConvNorm(nn.Module):
    """Convolution, batch norm, and an activation if there is one."""

    def __init__(
        self, inputs: int, outputs: int, kernel: int = 1, stride: int = 1, activation: Activation | None = None
    ) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False)
        self.norm = nn.BatchNorm2d(outputs)
        self.activation = activation

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.norm(self.conv(x))
        return y if self.activation is None else self.activation(y)


class Residual(nn.Module):
    """A residual block: two 3 x 3 convolutions, or (`deep`) one between two 1 x 1, the last of them 4 times wider."""

    def __init__(self, inputs: int, width: int, stride: int, *, first: bool, deep: bool) -> None:
        super().__init__()
        outputs = 4 * width if deep else width
        if deep:
            self.branch2a = ConvNorm(inputs, width, 1, activation=functional.relu)
            self.branch2b = ConvNorm(width, width, 3, stride, activation=functional.relu)
            self.branch2c = ConvNorm(width, outputs)
        else:
            self.branch2a = ConvNorm(inputs, width, 3, stride, activation=functional.relu)
            self.branch2b = ConvNorm(width, width, 3)
        if first and stride == 2:
            self.short: nn.Module = nn.Sequential(OrderedDict(pool=nn.AvgPool2d(2), conv=ConvNorm(inputs, outputs)))
        elif first:
            self.short = ConvNorm(inputs, outputs)
        self.first, self.deep = first, deep

    def forward(self, x: Tensor) -> Tensor:
        y = self.branch2b(self.branch2a(x))
        if self.deep:
            y = self.branch2c(y)
        return functional.relu(y + (self.short(x) if self.first else x))


class Stage(nn.Module):
    def __init__(self, inputs: int, width: int, number: int, stride: int, *, deep: bool) -> None:
        super().__init__()
        later = 4 * width if deep else width
        self.blocks = nn.Sequential(
            *(
                Residual(later if index else inputs, width, 1 if index else stride, first=not index, deep=deep)
                for index in range(number)
            )
        )

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.blocks(x)
        return y


class ResNetVd(nn.Module):
    """[N, 3, H, W] to the maps of strides 8, 16 and 32; `outputs` are their channels."""

    def __init__(self, depth: int) -> None:
        super().__init__()
        deep = depth >= 50
        relu = functional.relu
        self.conv1 = nn.Sequential(
            OrderedDict(
                conv1_1=ConvNorm(3, 32, 3, 2, relu),
                conv1_2=ConvNorm(32, 32, 3, 1, relu),
                conv1_3=ConvNorm(32, 64, 3, 1, relu),
            )
        )
        channels = [width * (4 if deep else 1) for width in WIDTHS]
        inputs = [64, *channels[:-1]]
        self.res_layers = nn.ModuleList(
            Stage(inputs[index], WIDTHS[index], number, 2 if index else 1, deep=deep)
            for index, number in enumerate(BLOCKS[depth])
        )
        self.outputs = tuple(channels[1:])

    def forward(self, image: Tensor) -> list[Tensor]:
        x = functional.max_pool2d(self.conv1(image), 3, 2, 1)
        maps = []
        for stage in self.res_layers:
            x = stage(x)
            maps.append(x)
        return maps[1:]
