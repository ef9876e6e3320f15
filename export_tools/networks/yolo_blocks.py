"""How the blocks of the YOLO families are connected: YOLOv5, v8, v9 (arXiv:2402.13616), v10 (arXiv:2405.14458), 11.

Every block takes and gives feature maps [N, C, H, W]; the layers inside, and their sizes, are the checkpoint's own.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from export_tools.networks.yolo_parts import Block, Given


class Conv(Block):
    """Convolution, batch norm, activation. A fused checkpoint has no norm any more."""

    needs = ("conv",)
    may_have = ("bn", "act")

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv(x)
        for name in ("bn", "act"):
            if name in self._modules:
                x = self._modules[name](x)
        return x


class Focus(Block):
    """Every second pixel each way becomes a channel of its own: half the size, four times the channels."""

    needs = ("conv",)

    def forward(self, x: Tensor) -> Tensor:
        corners = [x[..., row::2, column::2] for column in (0, 1) for row in (0, 1)]
        return self.conv(torch.cat(corners, 1))


class Concat(Block):
    """Several maps side by side."""

    def set_up(self, given: Given) -> None:
        self.dimension = given.get("d", 1, int)

    def forward(self, maps: Sequence[Tensor]) -> Tensor:
        return torch.cat(list(maps), self.dimension)


class Silence(Block):
    """Passes the image on."""

    def forward(self, x: Tensor) -> Tensor:
        return x


class Bottleneck(Block):
    """Two convolutions with a way round them."""

    needs = ("cv1", "cv2")

    def set_up(self, given: Given) -> None:
        self.add = bool(given.need("add", bool))

    def forward(self, x: Tensor) -> Tensor:
        y = self.cv2(self.cv1(x))
        return x + y if self.add else y


class C3(Block):
    """Cross-stage partial block: one branch through the bottlenecks, one past them."""

    needs = ("cv1", "cv2", "cv3", "m")

    def forward(self, x: Tensor) -> Tensor:
        return self.cv3(torch.cat([self.m(self.cv1(x)), self.cv2(x)], 1))


class BottleneckCSP(Block):
    """The block that C3 replaced: its branches are joined before norm and activation."""

    needs = ("cv1", "cv2", "cv3", "cv4", "bn", "act", "m")

    def forward(self, x: Tensor) -> Tensor:
        joined = torch.cat([self.cv3(self.m(self.cv1(x))), self.cv2(x)], 1)
        return self.cv4(self.act(self.bn(joined)))


class C2f(Block):
    """Half of the channels goes through the bottlenecks one after another, and every step is kept."""

    needs = ("cv1", "cv2", "m")

    def forward(self, x: Tensor) -> Tensor:
        kept = list(self.cv1(x).chunk(2, 1))
        for step in self.m:
            kept.append(step(kept[-1]))
        return self.cv2(torch.cat(kept, 1))


class SPP(Block):
    """Spatial pyramid: the same map pooled over several windows."""

    needs = ("cv1", "cv2", "m")

    def forward(self, x: Tensor) -> Tensor:
        x = self.cv1(x)
        return self.cv2(torch.cat([x, *(pool(x) for pool in self.m)], 1))


class SPPF(Block):
    """The spatial pyramid, faster: a small window pooled several times."""

    needs = ("cv1", "cv2", "m")

    def set_up(self, given: Given) -> None:
        self.times, self.add = given.get("n", 3, int), given.get("add", False, bool)

    def forward(self, x: Tensor) -> Tensor:
        steps = [self.cv1(x)]
        for _ in range(self.times):
            steps.append(self.m(steps[-1]))
        y = self.cv2(torch.cat(steps, 1))
        return x + y if self.add else y


class SPPELAN(Block):
    """YOLOv9's spatial pyramid."""

    needs = ("cv1", "cv2", "cv3", "cv4", "cv5")

    def forward(self, x: Tensor) -> Tensor:
        steps = [self.cv1(x)]
        for pool in (self.cv2, self.cv3, self.cv4):
            steps.append(pool(steps[-1]))
        return self.cv5(torch.cat(steps, 1))


class SP(Block):
    """YOLOv9's own pooling layer."""

    needs = ("m",)

    def forward(self, x: Tensor) -> Tensor:
        return self.m(x)


class ELAN(Block):
    """YOLOv9's efficient layer aggregation: half of the channels through two stages, every step kept."""

    needs = ("cv1", "cv2", "cv3", "cv4")

    def forward(self, x: Tensor) -> Tensor:
        kept = list(self.cv1(x).chunk(2, 1))
        for stage in (self.cv2, self.cv3):
            kept.append(stage(kept[-1]))
        return self.cv4(torch.cat(kept, 1))


class RepConv(Block):
    """Branches with 3x3 and 1x1 kernels and a norm alone, added; fused they are one convolution."""

    needs = ("act",)
    may_have = ("conv", "conv1", "conv2", "bn")

    def set_up(self, given: Given) -> None:
        if "conv" not in self._modules and not {"conv1", "conv2"} <= set(self._modules):
            raise given.error("has neither its branches nor their sum")

    def forward(self, x: Tensor) -> Tensor:
        branches = [self._modules[name](x) for name in ("conv", "conv1", "conv2", "bn") if name in self._modules]
        return self.act(sum(branches[1:], branches[0]))


class AConv(Block):
    """YOLOv9's halving: average, then convolution."""

    needs = ("cv1",)

    def forward(self, x: Tensor) -> Tensor:
        return self.cv1(functional.avg_pool2d(x, 2, 1))


class ADown(Block):
    """YOLOv9's halving: one half of the channels by convolution, the other by the maximum."""

    needs = ("cv1", "cv2")

    def forward(self, x: Tensor) -> Tensor:
        left, right = functional.avg_pool2d(x, 2, 1).chunk(2, 1)
        return torch.cat([self.cv1(left), self.cv2(functional.max_pool2d(right, 3, 2, 1))], 1)


class CBLinear(Block):
    """One convolution whose channels go to several places."""

    needs = ("conv",)

    def set_up(self, given: Given) -> None:
        self.sizes = list(given.need("c2s", list, tuple))

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        return self.conv(x).split(self.sizes, 1)


class CBFuse(Block):
    """The last map, plus one out of each of the others, enlarged to its size."""

    def set_up(self, given: Given) -> None:
        self.index = list(given.need("idx", list, tuple))

    def forward(self, maps: Sequence[Any]) -> Tensor:
        total: Tensor = maps[-1]
        size = [int(side) for side in total.shape[2:]]
        for index, parts in zip(self.index, maps[:-1], strict=True):
            total = total + functional.interpolate(parts[index], size=size, mode="nearest")
        return total


class SCDown(Block):
    """YOLOv10's halving: channels first, then each by itself."""

    needs = ("cv1", "cv2")

    def forward(self, x: Tensor) -> Tensor:
        return self.cv2(self.cv1(x))


class CIB(Block):
    """YOLOv10's compact inverted block, with a way round it."""

    needs = ("cv1",)

    def set_up(self, given: Given) -> None:
        self.add = bool(given.need("add", bool))

    def forward(self, x: Tensor) -> Tensor:
        y = self.cv1(x)
        return x + y if self.add else y


class RepVGGDW(Block):
    """A 7x7 and a 3x3 kernel on each channel by itself, added; fused they are one."""

    needs = ("conv", "act")
    may_have = ("conv1",)

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv(x)
        if "conv1" in self._modules:
            y = y + self.conv1(x)
        return self.act(y)


class Attention(Block):
    """Self-attention over the positions of a map, with a convolution of the values as position encoding."""

    needs = ("qkv", "proj", "pe")

    def set_up(self, given: Given) -> None:
        self.heads, self.key = given.need("num_heads", int), given.need("key_dim", int)
        self.value = given.need("head_dim", int)
        self.scale = float(given.need("scale", float))

    def forward(self, x: Tensor) -> Tensor:
        batch, channels, height, width = x.shape
        parts = self.qkv(x).reshape(batch, self.heads, 2 * self.key + self.value, height * width)
        query, key, value = parts.split([self.key, self.key, self.value], dim=2)
        weights = (query.transpose(2, 3) @ key * self.scale).softmax(-1)
        seen = (value @ weights.transpose(2, 3)).reshape(batch, channels, height, width)
        return self.proj(seen + self.pe(value.reshape(batch, channels, height, width)))


class PSABlock(Block):
    """Attention and two convolutions, each with a way round it."""

    needs = ("attn", "ffn")

    def set_up(self, given: Given) -> None:
        self.add = given.get("add", True, bool)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attn(x) if self.add else self.attn(x)
        return x + self.ffn(x) if self.add else self.ffn(x)


class PSA(Block):
    """Partial self-attention: one half of the channels, the other passes."""

    needs = ("cv1", "cv2", "attn", "ffn")

    def forward(self, x: Tensor) -> Tensor:
        passed, x = self.cv1(x).chunk(2, 1)
        x = x + self.attn(x)
        return self.cv2(torch.cat([passed, x + self.ffn(x)], 1))


class C2PSA(Block):
    """Partial self-attention, several times."""

    needs = ("cv1", "cv2", "m")

    def forward(self, x: Tensor) -> Tensor:
        passed, x = self.cv1(x).chunk(2, 1)
        return self.cv2(torch.cat([passed, self.m(x)], 1))


class DFL(Block):
    """The values of the bins of a distance; the head reads them and computes the mean itself."""

    needs = ("conv",)


BLOCKS: dict[str, Callable[..., Block]] = {
    **{kind.__name__: kind for kind in (Conv, Focus, Concat, Silence, Bottleneck, C3, BottleneckCSP, C2f, SPP, SPPF)},
    **{kind.__name__: kind for kind in (SPPELAN, SP, RepConv, AConv, ADown, CBLinear, CBFuse, SCDown, CIB, RepVGGDW)},
    **{kind.__name__: kind for kind in (Attention, PSABlock, PSA, C2PSA, DFL)},
    # Names under which the same connections stand elsewhere.
    "DWConv": Conv,
    "C3k": C3,
    "RepCSP": C3,
    "RepNCSP": C3,
    "C3k2": C2f,
    "C2fCIB": C2f,
    "C2fPSA": C2f,
    "ELAN1": ELAN,
    "RepNCSPELAN4": ELAN,
    "RepBottleneck": Bottleneck,
    "RepNBottleneck": Bottleneck,
    "RepConvN": RepConv,
}
"""By class name."""
