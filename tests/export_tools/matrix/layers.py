"""Pickled YOLO networks at their published widths and depths, layer by layer, with random weights.

As in `yolo_pickles`, a stand-in class has the path and name that the real one is pickled under and computes nothing.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from tests.export_tools.loaders.yolo_pickles import V5, Maker, layer, rows

Source = int | list[int]


class Layers(Maker):
    """A network that grows: each method but `build` appends one layer, which reads `source` (-1: the one before).

    Args:
        namespace: of the class paths.
        depth, width: factors on every block's repeats and every layer's channels.
        widest: channels at most, before `width`.
    """

    def __init__(self, namespace: str, depth: float = 1.0, width: float = 1.0, widest: int = 1 << 16) -> None:
        super().__init__(namespace)
        self.namespace, self._factors, self._widest = namespace, (depth, width), widest
        self._rows: list[tuple[Source, nn.Module]] = []
        self.widths: list[Any] = []
        """Channels by layer; a tuple where a layer gives several maps."""

    def wide(self, channels: int) -> int:
        """Channels of this network for those of the published table: multiples of 8."""
        return -(-int(min(channels, self._widest) * self._factors[1]) // 8) * 8

    def deep(self, repeats: int) -> int:
        """Repeats of this network for those of the published table."""
        return max(round(repeats * self._factors[0]), 1) if repeats > 1 else repeats

    def inputs(self, source: Source = -1) -> int:
        """Channels of what a layer reads; 3 of the image."""
        if isinstance(source, list):
            return sum(self.inputs(one) for one in source)
        return int(self.widths[source]) if self.widths else 3

    def put(self, module: nn.Module, channels: Any, source: Source = -1) -> None:
        self._rows.append((source, module))
        self.widths.append(channels)

    def conv_(self, channels: int, kernel: int = 3, stride: int = 2, source: int = -1, image: bool = False) -> None:
        outputs = self.wide(channels)
        self.put(self.conv(3 if image else self.inputs(source), outputs, kernel, stride), outputs, source)

    def up(self) -> None:
        self.put(nn.Upsample(None, 2, "nearest"), self.inputs())

    def join(self, *sources: int) -> None:
        self.put(self.concat(), self.inputs(list(sources)), list(sources))

    def enlarged(self, source: int) -> None:
        """The map before, twice as large, beside that of `source`."""
        self.up()
        self.join(-1, source)

    def pyramid(self, channels: int) -> None:
        """SPPF."""
        inputs, outputs = self.inputs(), self.wide(channels)
        parts = {"cv1": self.conv(inputs, inputs // 2), "cv2": self.conv(inputs // 2 * 4, outputs)}
        self.put(layer(f"{self._block}.SPPF", parts | {"m": nn.MaxPool2d(5, 1, 2)}), outputs)

    def narrow(self, inputs: int, hidden: int, first: int = 3, add: bool = True, kind: str = "Bottleneck") -> Any:
        """A bottleneck whose first kernel is `first` pixels."""
        parts = {"cv1": self.conv(inputs, hidden, first), "cv2": self.conv(hidden, inputs, 3)}
        return layer(f"{self._block}.{kind}", parts, add=add)

    def crossed(self, kind: str, inputs: int, outputs: int, steps: Sequence[nn.Module]) -> Any:
        """C3 and its namesakes."""
        half = outputs // 2
        parts = {"cv1": self.conv(inputs, half), "cv2": self.conv(inputs, half), "cv3": self.conv(2 * half, outputs)}
        return layer(f"{self._block}.{kind}", parts | {"m": nn.Sequential(*steps)})

    def c3_(self, channels: int, repeats: int = 3, add: bool = False) -> None:
        """YOLOv5's block."""
        outputs = self.wide(channels)
        steps = [self.narrow(outputs // 2, outputs // 2, 1, add) for _ in range(self.deep(repeats))]
        self.put(self.crossed("C3", self.inputs(), outputs, steps), outputs)

    def kept(self, kind: str, channels: int, repeats: int, step: Any, part: float = 0.5) -> None:
        """C2f and its namesakes: every step is kept; `step` makes one out of its width."""
        inputs, outputs = self.inputs(), self.wide(channels)
        inner, count = int(outputs * part), self.deep(repeats)
        parts = {"cv1": self.conv(inputs, 2 * inner), "cv2": self.conv((2 + count) * inner, outputs)}
        steps = nn.ModuleList(step(inner) for _ in range(count))
        self.put(layer(f"{self._block}.{kind}", parts | {"m": steps}, c=inner), outputs)

    def attending(self, width: int) -> dict[str, Any]:
        """Self-attention and feed-forward layer, 64 channels a head."""
        heads = width // 64
        parts = {"qkv": self.conv(width, 2 * width, act=False), "proj": self.conv(width, width, act=False)}
        parts["pe"] = self.conv(width, width, 3, groups=width, act=False)
        sizes = {"num_heads": heads, "head_dim": width // heads, "key_dim": width // heads // 2}
        attention = layer(f"{self._block}.Attention", parts, **sizes, scale=sizes["key_dim"] ** -0.5)
        return {"attn": attention, "ffn": self._feed_forward(width)}

    def elan(self, channels: int, inner: int, part: int, repeats: int, source: int = -1) -> None:
        """YOLOv9's aggregation block."""
        csp, names = ("RepNCSP", ("RepNBottleneck", "RepConvN")), ("RepCSP", ("RepBottleneck", "RepConv"))
        kind, (bottleneck, rep) = csp if self.namespace == V5 else names

        def stage(inputs: int) -> nn.Sequential:
            steps = [
                layer(
                    f"{self._block}.{bottleneck}",
                    {"cv1": self.rep_conv(part // 2, rep), "cv2": self.conv(part // 2, part // 2, 3)},
                    add=True,
                )
                for _ in range(repeats)
            ]
            return nn.Sequential(self.crossed(kind, inputs, part, steps), self.conv(part, part, 3))

        parts = {"cv1": self.conv(self.inputs(source), inner), "cv2": stage(inner // 2), "cv3": stage(part)}
        parts["cv4"] = self.conv(inner + 2 * part, channels)
        self.put(layer(f"{self._block}.RepNCSPELAN4", parts, c=inner // 2), channels, source)

    def elan_pyramid(self, channels: int, inner: int) -> None:
        """SPPELAN."""

        def pool() -> nn.Module:
            plain = nn.MaxPool2d(5, 1, 2)
            return layer("models.common.SP", {"m": plain}) if self.namespace == V5 else plain

        parts = {"cv1": self.conv(self.inputs(), inner), "cv2": pool(), "cv3": pool(), "cv4": pool()}
        parts["cv5"] = self.conv(4 * inner, channels)
        self.put(layer(f"{self._block}.SPPELAN", parts, c=inner), channels)

    def halved(self, channels: int) -> None:
        """ADown."""
        self.put(self.a_down(self.inputs(), channels), channels)

    def spread_out(self, source: int, *channels: int) -> None:
        """CBLinear: one convolution for several places."""
        parts = {"conv": nn.Conv2d(self.inputs(source), sum(channels), 1)}
        self.put(layer(f"{self._block}.CBLinear", parts, c2s=list(channels)), channels, source)

    def fused(self, sources: Sequence[int], index: int) -> None:
        """CBFuse: the part `index` of each of `sources`, added to the map before."""
        self.put(layer(f"{self._block}.CBFuse", idx=[index] * len(sources)), self.inputs(), [*sources, -1])

    def branch(self, widths: Sequence[int], hidden: int, outputs: int, *, kind: str = "plain", groups: int = 1) -> Any:
        """One branch of a head, a stack for each map; `kind` "thin" has its 3x3 kernels on single channels."""

        def stack(width: int) -> nn.Sequential:
            if kind == "thin":
                pairs = [
                    nn.Sequential(self.conv(inside, inside, 3, groups=inside), self.conv(inside, hidden))
                    for inside in (width, hidden)
                ]
                return nn.Sequential(*pairs, nn.Conv2d(hidden, outputs, 1))
            inner = self.conv(hidden, hidden, 3, groups=groups)
            return nn.Sequential(self.conv(width, hidden, 3), inner, nn.Conv2d(hidden, outputs, 1, groups=groups))

        return nn.ModuleList(stack(width) for width in widths)

    def distances(self, sources: list[int], classes: int, kind: str = "Detect", *, thin: bool = False) -> None:
        """The head of YOLOv8 and later: 16 bins for each side."""
        widths = [self.inputs(source) for source in sources]
        most = min(classes, 100)
        boxes, scores = max(16, widths[0] // 4, 64), max(widths[0], most)
        parts = {
            "cv2": self.branch(widths, boxes, 64),
            "cv3": self.branch(widths, scores, classes, kind="thin" if thin else "plain"),
            "dfl": self.bins(),
        }
        if kind == "v10Detect":
            parts |= {f"one2one_{name}": copy.deepcopy(parts[name]) for name in ("cv2", "cv3")}
        self._head_of(f"{self._head}.{kind}", parts, classes, sources, len(widths))

    def two_heads(self, sources: list[int], classes: int) -> None:
        """The head of YOLOv9's own code: an auxiliary one on the first three maps, the main one on the others."""
        parts: dict[str, nn.Module] = {}
        for boxes, scores, bins, some in (("cv2", "cv3", "dfl", sources[:3]), ("cv4", "cv5", "dfl2", sources[3:])):
            widths = [self.inputs(source) for source in some]
            hidden = -(-max(widths[0] // 4, 64) // 4) * 4
            parts[boxes] = self.branch(widths, hidden, 64, groups=4)
            parts[scores] = self.branch(widths, max(widths[0], min(2 * classes, 128)), classes)
            parts[bins] = self.bins()
        self._head_of(f"{self._head}.DualDDetect", parts, classes, sources, 3)

    def bins(self) -> Any:
        """The values of the bins of a distance."""
        made = nn.Conv2d(16, 1, 1, bias=False).requires_grad_(False)
        made.weight.data[:] = torch.arange(16.0).view(1, 16, 1, 1)
        return layer(f"{self._block}.DFL", {"conv": made}, c1=16)

    def anchored(self, sources: list[int], classes: int) -> None:
        """YOLOv5's head."""
        strides = [8 << level for level in range(len(sources))]
        head = self.anchor_head([self.inputs(source) for source in sources], classes, strides)
        self.put(head, 0, sources)

    def _head_of(self, path: str, parts: dict[str, nn.Module], classes: int, sources: list[int], levels: int) -> None:
        head = layer(path, parts, nc=classes, nl=levels, reg_max=16, no=64 + classes)
        head.stride = torch.tensor([float(8 << level) for level in range(levels)])
        self.put(head, 0, sources)

    def build(self, path: str, names: Any) -> nn.Module:
        """The network, pickled as `path`."""
        return rows(self._rows, path, names)
