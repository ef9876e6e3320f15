"""Batch norms folded into their convolutions, and parallel convolutions added up, in double precision."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from export_tools.networks.yolo_blocks import Conv, RepConv, RepVGGDW


def fuse(network: nn.Module) -> None:
    """Fold every batch norm that stands right behind a convolution, in place; the outputs stay what they were."""
    for module in network.modules():
        if isinstance(module, Conv) and "bn" in module._modules:
            module.conv = _convolution(module.conv, *_folded(module.conv, module.bn))
            del module._modules["bn"]
        elif isinstance(module, nn.Sequential):
            _fold_row(module)
    for module in network.modules():
        if isinstance(module, RepConv) and "conv1" in module._modules:
            _add_branches(module)
        elif isinstance(module, RepVGGDW) and "conv1" in module._modules:
            large, small = module.conv.conv, module.conv1.conv
            module.conv = _convolution(large, *_added([large, small], _kernel(large)))
            del module._modules["conv1"]


def _fold_row(row: nn.Sequential) -> None:
    for place in range(len(row) - 1):
        convolution, norm = row[place], row[place + 1]
        if isinstance(convolution, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
            row[place], row[place + 1] = _convolution(convolution, *_folded(convolution, norm)), nn.Identity()


def _folded(convolution: nn.Conv2d, norm: nn.BatchNorm2d) -> tuple[Tensor, Tensor]:
    scale = norm.weight.double() / (norm.running_var.double() + norm.eps).sqrt()
    bias = convolution.bias.double() if convolution.bias is not None else 0.0
    weight = convolution.weight.double() * scale[:, None, None, None]
    return weight, norm.bias.double() + (bias - norm.running_mean.double()) * scale


def _convolution(like: nn.Conv2d, weight: Tensor, bias: Tensor) -> nn.Conv2d:
    made = nn.Conv2d(
        like.in_channels,
        like.out_channels,
        tuple(weight.shape[2:]),
        stride=like.stride,
        padding=like.padding,
        dilation=like.dilation,
        groups=like.groups,
        padding_mode=like.padding_mode,
        device="meta",
    )
    made.weight = nn.Parameter(weight.float().contiguous(), requires_grad=False)
    made.bias = nn.Parameter(bias.float(), requires_grad=False)
    return made


def _kernel(convolution: nn.Conv2d) -> tuple[int, int]:
    return convolution.weight.shape[2], convolution.weight.shape[3]


def _added(convolutions: list[nn.Conv2d], kernel: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """Sum of convolutions of one stride whose kernels are centred on each other."""
    weights = []
    for convolution in convolutions:
        across = (kernel[1] - _kernel(convolution)[1]) // 2
        down = (kernel[0] - _kernel(convolution)[0]) // 2
        weights.append(functional.pad(convolution.weight.double(), (across, across, down, down)))
    biases = [convolution.bias.double() for convolution in convolutions]
    return sum(weights[1:], weights[0]), sum(biases[1:], biases[0])


def _add_branches(module: RepConv) -> None:
    large, small = module.conv1.conv, module.conv2.conv
    weight, bias = _added([large, small], _kernel(large))
    if "bn" in module._modules:
        alone, shift = _folded(_identity(large), module.bn)
        weight, bias = weight + alone, bias + shift
    module.conv = _convolution(large, weight, bias)
    for name in ("conv1", "conv2", "bn"):
        module._modules.pop(name, None)


def _identity(like: nn.Conv2d) -> nn.Conv2d:
    """A convolution of the same form that passes its input on."""
    weight = torch.zeros_like(like.weight)
    per_group = like.in_channels // like.groups
    for channel in range(like.out_channels):
        weight[channel, channel % per_group, weight.shape[2] // 2, weight.shape[3] // 2] = 1
    return _convolution(like, weight, torch.zeros(like.out_channels))
