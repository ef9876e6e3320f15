"""Two parallel convolutions, each with its batch norm, as one that gives the same (arXiv:2101.03697)."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional


def merged(large: tuple[nn.Conv2d, nn.BatchNorm2d], small: tuple[nn.Conv2d, nn.BatchNorm2d]) -> nn.Conv2d:
    """The sum of a 3 x 3 and a 1 x 1 convolution, both behind their norms, computed in double precision."""
    weight, bias = _folded(*large)
    point, point_bias = _folded(*small)
    weight, bias = weight + functional.pad(point, (1, 1, 1, 1)), bias + point_bias
    one = nn.Conv2d(weight.shape[1], weight.shape[0], 3, padding=1)
    one.weight = nn.Parameter(weight.float(), requires_grad=False)
    one.bias = nn.Parameter(bias.float(), requires_grad=False)
    return one


def _folded(convolution: nn.Conv2d, norm: nn.BatchNorm2d) -> tuple[Tensor, Tensor]:
    state = {name: value.double() for name, value in norm.state_dict().items()}
    factor = state["weight"] / (state["running_var"] + norm.eps).sqrt()
    return convolution.weight.double() * factor[:, None, None, None], state["bias"] - state["running_mean"] * factor
