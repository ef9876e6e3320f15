"""Checkpoints in exactly the layouts of the YOLO families, made without their code.

A stand-in class has the module path and name that the real one is pickled under, and holds children and attributes;
it computes nothing. Weights are random, batch norms calibrated on photographs with the project's own network.
"""

from __future__ import annotations

import copy
import sys
import types
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn

from edge_runtime.bundles.manifest import Preprocess
from export_tools.checkpoints.reading import read
from export_tools.networks import yolo_network
from tests.export_tools.loaders import reacting

V5, ULTRALYTICS = "models", "ultralytics.nn.modules"


def stand_in(path: str) -> type[nn.Module]:
    """The class of this path: made once, and importable, so that torch.save can name it."""
    module_name, _, name = path.rpartition(".")
    parts = module_name.split(".")
    for count in range(1, len(parts) + 1):
        package = ".".join(parts[:count])
        sys.modules.setdefault(package, types.ModuleType(package))
    module = sys.modules[module_name]
    if not hasattr(module, name):
        setattr(module, name, type(name, (nn.Module,), {"__module__": module_name, "__qualname__": name}))
    return getattr(module, name)


def layer(path: str, children: dict[str, nn.Module] | None = None, **attributes: Any) -> nn.Module:
    """One stand-in with its children and attributes."""
    made = stand_in(path)()
    for name, child in (children or {}).items():
        made.add_module(name, child)
    for name, value in attributes.items():
        setattr(made, name, value)
    return made


class Maker:
    """The layers of one namespace, under its class paths."""

    def __init__(self, namespace: str) -> None:
        v5 = namespace == V5
        self._conv, self._block, self._head = (
            f"{namespace}.{part}" for part in (("common",) * 2 + ("yolo",) if v5 else ("conv", "block", "head"))
        )

    def conv(
        self, inputs: int, outputs: int, kernel: int = 1, stride: int = 1, groups: int = 1, act: bool = True
    ) -> Any:
        convolution = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False)
        parts = {"conv": convolution, "bn": nn.BatchNorm2d(outputs, eps=1e-3, momentum=0.03)}
        return layer(f"{self._conv}.Conv", parts | {"act": nn.SiLU() if act else nn.Identity()})

    def concat(self) -> Any:
        return layer(f"{self._conv}.Concat", d=1)

    def bottleneck(self, width: int, kind: str = "Bottleneck") -> Any:
        parts = {"cv1": self.conv(width, width, 3), "cv2": self.conv(width, width, 3)}
        return layer(f"{self._block}.{kind}", parts, add=True)

    def c3(self, inputs: int, outputs: int, inner: nn.Module | None = None, kind: str = "C3") -> Any:
        half = outputs // 2
        parts = {"cv1": self.conv(inputs, half), "cv2": self.conv(inputs, half), "cv3": self.conv(2 * half, outputs)}
        return layer(f"{self._block}.{kind}", parts | {"m": nn.Sequential(inner or self.bottleneck(half))})

    def c2f(self, inputs: int, outputs: int, inner: nn.Module | None = None, kind: str = "C2f") -> Any:
        half = outputs // 2
        parts = {"cv1": self.conv(inputs, outputs), "cv2": self.conv(3 * half, outputs)}
        return layer(f"{self._block}.{kind}", parts | {"m": nn.ModuleList([inner or self.bottleneck(half)])}, c=half)

    def sppf(self, width: int) -> Any:
        parts = {"cv1": self.conv(width, width // 2), "cv2": self.conv(2 * width, width)}
        return layer(f"{self._block}.SPPF", parts | {"m": nn.MaxPool2d(5, 1, 2)})

    def rep_conv(self, width: int, kind: str = "RepConv") -> Any:
        parts = {"act": nn.SiLU(), "conv1": self.conv(width, width, 3, act=False)}
        return layer(f"{self._conv}.{kind}", parts | {"conv2": self.conv(width, width, act=False)}, bn=None)

    def rep_csp(self, width: int) -> Any:
        half = width // 2
        parts = {"cv1": self.rep_conv(half), "cv2": self.conv(half, half, 3)}
        return self.c3(width, width, layer(f"{self._block}.RepBottleneck", parts, add=True), "RepCSP")

    def rep_elan(self, inputs: int, outputs: int) -> Any:
        half = outputs // 2
        stages = [nn.Sequential(self.rep_csp(half), self.conv(half, half, 3)) for _ in range(2)]
        parts = {"cv1": self.conv(inputs, outputs), "cv2": stages[0], "cv3": stages[1]}
        return layer(f"{self._block}.RepNCSPELAN4", parts | {"cv4": self.conv(4 * half, outputs)}, c=half)

    def a_down(self, inputs: int, outputs: int) -> Any:
        parts = {"cv1": self.conv(inputs // 2, outputs // 2, 3, 2), "cv2": self.conv(inputs // 2, outputs // 2)}
        return layer(f"{self._block}.ADown", parts)

    def sc_down(self, inputs: int, outputs: int) -> Any:
        parts = {"cv1": self.conv(inputs, outputs), "cv2": self.conv(outputs, outputs, 3, 2, outputs, act=False)}
        return layer(f"{self._block}.SCDown", parts)

    def cib(self, width: int) -> Any:
        large, small = (self.conv(2 * width, 2 * width, kernel, 1, 2 * width, act=False) for kernel in (7, 3))
        rep = layer(f"{self._block}.RepVGGDW", {"conv": large, "conv1": small, "act": nn.SiLU()}, dim=2 * width)
        ends = [self.conv(width, width, 3, groups=width), self.conv(width, 2 * width)]
        steps = nn.Sequential(*ends, rep, self.conv(2 * width, width), self.conv(width, width, 3, groups=width))
        return layer(f"{self._block}.CIB", {"cv1": steps}, add=True)

    def attention(self, width: int) -> Any:
        parts = {"qkv": self.conv(width, 2 * width, act=False), "proj": self.conv(width, width, act=False)}
        parts["pe"] = self.conv(width, width, 3, groups=width, act=False)
        head = width // 2
        sizes = {"num_heads": 2, "head_dim": head, "key_dim": head // 2, "scale": (head // 2) ** -0.5}
        return layer(f"{self._block}.Attention", parts, **sizes)

    def _feed_forward(self, width: int) -> Any:
        return nn.Sequential(self.conv(width, 2 * width), self.conv(2 * width, width, act=False))

    def psa(self, width: int) -> Any:
        half = width // 2
        parts = {"cv1": self.conv(width, width), "cv2": self.conv(width, width), "attn": self.attention(half)}
        return layer(f"{self._block}.PSA", parts | {"ffn": self._feed_forward(half)}, c=half)

    def c2psa(self, width: int) -> Any:
        half = width // 2
        inner = {"attn": self.attention(half), "ffn": self._feed_forward(half)}
        parts = {"cv1": self.conv(width, width), "cv2": self.conv(width, width)}
        steps = nn.Sequential(layer(f"{self._block}.PSABlock", inner, add=True))
        return layer(f"{self._block}.C2PSA", parts | {"m": steps}, c=half)

    def anchor_head(self, widths: Sequence[int], classes: int, strides: Sequence[int]) -> Any:
        outputs = 3 * (5 + classes)
        heads = nn.ModuleList(nn.Conv2d(width, outputs, 1) for width in widths)
        head = layer(f"{self._head}.Detect", {"m": heads}, nc=classes, no=5 + classes, nl=len(widths), na=3)
        # In units of the stride, as the training code keeps them.
        anchors = torch.tensor([[1.5, 2.0], [3.0, 2.0], [4.0, 5.0]]).repeat(len(widths), 1, 1)
        head.register_buffer("anchors", anchors)
        head.stride = torch.tensor([float(stride) for stride in strides])
        return head

    def distance_head(self, widths: Sequence[int], classes: int, strides: Sequence[int], kind: str = "Detect") -> Any:
        def branch(outputs: int) -> nn.ModuleList:
            return nn.ModuleList(
                nn.Sequential(self.conv(width, 16, 3), self.conv(16, 16, 3), nn.Conv2d(16, outputs, 1))
                for width in widths
            )

        bins = nn.Conv2d(16, 1, 1, bias=False).requires_grad_(False)
        bins.weight.data[:] = torch.arange(16.0).view(1, 16, 1, 1)
        dfl = layer(f"{self._block}.DFL", {"conv": bins}, c1=16)
        parts = {"cv2": branch(64), "cv3": branch(classes), "dfl": dfl}
        if kind == "v10Detect":
            parts |= {"one2one_cv2": branch(64), "one2one_cv3": branch(classes)}
        if kind == "DualDDetect":
            parts |= {"cv4": branch(64), "cv5": branch(classes), "dfl2": copy.deepcopy(dfl)}
        head = layer(f"{self._head}.{kind}", parts, nc=classes, nl=len(widths), reg_max=16, no=64 + classes)
        head.stride = torch.tensor([float(stride) for stride in strides])
        return head


CLASSES = ("animal", "person", "vehicle")
NAMES = dict(enumerate(CLASSES))


def megadetector_v5(names: Any = CLASSES) -> nn.Module:
    """YOLOv5 with four strides, as MegaDetector v5 and redwood, but narrow and shallow."""
    make = Maker(V5)
    layers = [
        *((-1, make.conv(3, 8, 3, 2)), (-1, make.conv(8, 16, 3, 2)), (-1, make.c3(16, 16))),
        *((-1, make.conv(16, 32, 3, 2)), (-1, make.c3(32, 32)), (-1, make.conv(32, 32, 3, 2))),
        *((-1, make.conv(32, 32, 3, 2)), (-1, make.conv(32, 32, 3, 2)), (-1, make.sppf(32))),
        *((-1, nn.Upsample(None, 2, "nearest")), ([-1, 6], make.concat()), (-1, make.c3(64, 32))),
        ([4, 5, 11, 8], make.anchor_head([32] * 4, len(names), (8, 16, 32, 64))),
    ]
    return rows(layers, "models.yolo.Model", list(names))


def ultralytics(kind: str, names: Any = NAMES) -> nn.Module:
    """A narrow, shallow network with the blocks of one release: `v8`, `v9`, `v10` or `11`."""
    make, classes = Maker(ULTRALYTICS), len(names)
    first = {"v9": lambda: make.rep_elan(32, 32), "11": lambda: make.c2f(32, 32, make.c3(16, 16, kind="C3k"), "C3k2")}
    down = {"v9": lambda: make.a_down(32, 32), "v10": lambda: make.sc_down(32, 32)}
    deep = {"v10": lambda: make.psa(32), "11": lambda: make.c2psa(32)}
    last = {"v9": lambda: make.rep_elan(64, 32), "v10": lambda: make.c2f(64, 32, make.cib(16), "C2fCIB")}
    layers = [
        *((-1, make.conv(3, 8, 3, 2)), (-1, make.conv(8, 16, 3, 2)), (-1, make.conv(16, 32, 3, 2))),
        *((-1, first.get(kind, lambda: make.c2f(32, 32))()), (-1, down.get(kind, lambda: make.conv(32, 32, 3, 2))())),
        *((-1, make.conv(32, 32, 3, 2)), (-1, make.sppf(32)), (-1, deep.get(kind, lambda: make.c2f(32, 32))())),
        *((-1, nn.Upsample(None, 2, "nearest")), ([-1, 4], make.concat())),
        (-1, last.get(kind, lambda: make.c2f(64, 32))()),
        ([3, 10, 7], make.distance_head([32] * 3, classes, (8, 16, 32), "v10Detect" if kind == "v10" else "Detect")),
    ]
    return rows(layers, "ultralytics.nn.tasks.DetectionModel", dict(names))


def yolov9(names: Any = CLASSES) -> nn.Module:
    """YOLOv9 under its authors' module paths, with the auxiliary branch of the training, as cedar."""
    make = Maker(V5)
    silence = layer("models.common.Silence")
    linear = layer("models.common.CBLinear", {"conv": nn.Conv2d(32, 48, 1)}, c2s=[16, 32])
    layers = [
        *((-1, silence), (-1, make.conv(3, 8, 3, 2)), (-1, make.conv(8, 16, 3, 2)), (-1, make.conv(16, 32, 3, 2))),
        *((-1, make.rep_elan(32, 32)), (-1, make.a_down(32, 32)), (-1, make.a_down(32, 32)), (-1, linear)),
        # The auxiliary branch begins anew at the image.
        *((0, make.conv(3, 16, 3, 2)), (-1, make.conv(16, 32, 3, 2)), (-1, make.conv(32, 32, 3, 2))),
        ([7, -1], layer("models.common.CBFuse", idx=[1])),
        ([11, 5, 6, 4, 5, 6], make.distance_head([32] * 3, len(names), (8, 16, 32), "DualDDetect")),
    ]
    return rows(layers, "models.yolo.DetectionModel", list(names))


def rows(layers: Sequence[tuple[Any, nn.Module]], path: str, names: Any) -> nn.Module:
    """A pickled network: layers with what each reads, as the training code numbers them."""
    for place, (source, made) in enumerate(layers):
        made.i, made.f, made.np = place, source, sum(weight.numel() for weight in made.parameters())
        made.type = f"{type(made).__module__}.{type(made).__qualname__}"
    network = layer(path, {"model": nn.Sequential(*(made for _, made in layers))}, names=names, inplace=True)
    network.save = sorted({one for source, _ in layers if isinstance(source, list) for one in source if one != -1})
    network.stride = layers[-1][1].stride
    network.yaml = {"nc": len(names)}
    return network.eval()


def save(file: Path, network: nn.Module, *, size: tuple[int, int] = (128, 96), **more: Any) -> Path:
    """Calibrate the batch norms, spread the head's answers, and save as the training code does, in half precision."""
    _save(file, network, more)
    pickled = read(file).content["model"]
    ours = yolo_network.assemble(pickled, width=size[0], height=size[1])
    with torch.random.fork_rng():
        torch.manual_seed(7)
        reacting.calibrate(ours, reacting.photos(*size, Preprocess(resize="letterbox")))
    state = ours.state_dict()
    network.load_state_dict(state, strict=False)
    for name in ours.last_layers:
        last = network.get_submodule(name)
        last.weight.data.mul_(3)
    return _save(file, network, more)


def _save(file: Path, network: nn.Module, more: dict[str, Any]) -> Path:
    torch.save({"epoch": -1, "best_fitness": None, "model": copy.deepcopy(network).half(), "ema": None} | more, file)
    return file


def rtdetr(names: Any = NAMES, width: int = 32, queries: int = 20) -> nn.Module:
    """RT-DETR, narrow, with one decoder layer, under the class paths of the ultralytics releases."""
    make, classes = Maker(ULTRALYTICS), len(names)
    modules = f"{ULTRALYTICS}.transformer"

    def mlp(inputs: int, outputs: int) -> Any:
        return layer(f"{modules}.MLP", {"layers": nn.ModuleList([nn.Linear(inputs, width), nn.Linear(width, outputs)])})

    ends = {"fc1": nn.Linear(width, width), "fc2": nn.Linear(width, width), "act": nn.GELU()}
    norms = {f"norm{number}": nn.LayerNorm(width) for number in (1, 2, 3)}
    encoder = {"ma": nn.MultiheadAttention(width, 4, batch_first=True), **ends}
    encoder |= {name: nn.LayerNorm(width) for name in ("norm1", "norm2")} | {"dropout": nn.Dropout(0.0)}
    cross = layer(
        f"{modules}.MSDeformAttn",
        {
            "sampling_offsets": nn.Linear(width, 4 * 3 * 4 * 2),
            "attention_weights": nn.Linear(width, 4 * 3 * 4),
            "value_proj": nn.Linear(width, width),
            "output_proj": nn.Linear(width, width),
        },
        n_levels=3,
        n_heads=4,
        n_points=4,
    )
    parts = {"self_attn": nn.MultiheadAttention(width, 4), "cross_attn": cross, "linear1": nn.Linear(width, width)}
    parts |= {"linear2": nn.Linear(width, width), "act": nn.ReLU(), **norms}
    deciding = layer(f"{modules}.DeformableTransformerDecoderLayer", parts)
    decoder = layer(f"{modules}.DeformableTransformerDecoder", {"layers": nn.ModuleList([deciding])}, eval_idx=0)
    projections = [nn.Sequential(nn.Conv2d(32, width, 1, bias=False), nn.BatchNorm2d(width)) for _ in range(3)]
    head = layer(
        f"{ULTRALYTICS}.head.RTDETRDecoder",
        {
            "input_proj": nn.ModuleList(projections),
            "decoder": decoder,
            "denoising_class_embed": nn.Embedding(classes, width),
            "query_pos_head": mlp(4, width),
            "enc_output": nn.Sequential(nn.Linear(width, width), nn.LayerNorm(width)),
            "enc_score_head": nn.Linear(width, classes),
            "enc_bbox_head": mlp(width, 4),
            "dec_score_head": nn.ModuleList([nn.Linear(width, classes)]),
            "dec_bbox_head": nn.ModuleList([mlp(width, 4)]),
        },
        nc=classes,
        nl=3,
        num_queries=queries,
        hidden_dim=width,
    )
    layers = [
        *((-1, make.conv(3, 8, 3, 2)), (-1, make.conv(8, 16, 3, 2)), (-1, make.conv(16, 32, 3, 2))),
        *((-1, make.conv(32, 32, 3, 2)), (-1, make.conv(32, 32, 3, 2)), (-1, layer(f"{modules}.AIFI", encoder))),
        ([2, 3, 5], head),
    ]
    # Its head has no strides; the network says the largest.
    head.stride = torch.tensor([32.0])
    network = rows(layers, "ultralytics.nn.tasks.RTDETRDetectionModel", dict(names))
    del head.stride
    return network
