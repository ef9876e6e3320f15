"""RT-DETR-L (Zhao et al. 2023, arXiv:2304.08069) as the ultralytics releases pickle it: MegaDetector v6's rtdetr-c."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import torch
from torch import nn

from tests.export_tools.loaders.yolo_pickles import NAMES, ULTRALYTICS, layer
from tests.export_tools.matrix.layers import Layers

_WIDTH, _HEADS, _QUERIES, _DECODERS, _LEVELS, _POINTS = 256, 8, 300, 6, 3, 4
_MODULES = f"{ULTRALYTICS}.transformer"


def rtdetr_l() -> nn.Module:
    """HGNetv2-L, hybrid encoder, six decoder layers."""
    net = Layers(ULTRALYTICS)
    net.put(_stem(net), 48)
    _hg(net, 48, 128, 3)
    _thin(net, 128)
    _hg(net, 96, 512, 3)
    _thin(net, 512)
    _hg(net, 192, 1024, 5, light=True)
    _hg(net, 192, 1024, 5, light=True, add=True)
    _hg(net, 192, 1024, 5, light=True, add=True)
    _thin(net, 1024)
    _hg(net, 384, 2048, 5, light=True)
    _plain(net, -1)
    net.put(_encoder_layer(), _WIDTH)
    net.conv_(_WIDTH, 1, 1)
    for source, last in ((7, False), (3, True)):
        net.up()
        _plain(net, source)
        net.join(-2, -1)
        _rep_c3(net)
        if not last:
            net.conv_(_WIDTH, 1, 1)
    for source in (17, 12):
        net.conv_(_WIDTH)
        net.join(-1, source)
        _rep_c3(net)
    head = _head(len(NAMES))
    # The head has no strides; the network says the largest.
    head.stride = torch.tensor([32.0])
    net.put(head, 0, [21, 24, 27])
    made = net.build("ultralytics.nn.tasks.RTDETRDetectionModel", dict(NAMES))
    del head.stride
    return made


def _conv(net: Layers, inputs: int, outputs: int, kernel: int = 1, stride: int = 1, *, groups: int = 1) -> Any:
    made = net.conv(inputs, outputs, kernel, stride, groups)
    made.act = nn.ReLU()
    return made


def _stem(net: Layers) -> Any:
    parts = {
        "stem1": _conv(net, 3, 32, 3, 2),
        "stem2a": _conv(net, 32, 16, 2),
        "stem2b": _conv(net, 16, 32, 2),
        "stem3": _conv(net, 64, 32, 3, 2),
        "stem4": _conv(net, 32, 48),
    }
    for name in ("stem2a", "stem2b"):
        parts[name].conv.padding = (0, 0)
    return layer(f"{ULTRALYTICS}.block.HGStem", parts | {"pool": nn.MaxPool2d(2, 1, 0, ceil_mode=True)})


def _hg(net: Layers, inner: int, outputs: int, kernel: int, *, light: bool = False, add: bool = False) -> None:
    inputs = net.inputs()

    def step(before: int) -> Any:
        if not light:
            return _conv(net, before, inner, kernel)
        parts = {"conv1": net.conv(before, inner, act=False), "conv2": _conv(net, inner, inner, kernel, groups=inner)}
        return layer(f"{ULTRALYTICS}.conv.LightConv", parts)

    steps = nn.ModuleList(step(inner if place else inputs) for place in range(6))
    parts = {"m": steps, "sc": _conv(net, inputs + 6 * inner, outputs // 2), "ec": _conv(net, outputs // 2, outputs)}
    net.put(layer(f"{ULTRALYTICS}.block.HGBlock", parts, add=add), outputs)


def _thin(net: Layers, channels: int) -> None:
    """A convolution of each channel by itself that halves the map."""
    made = net.conv(channels, channels, 3, 2, channels, act=False)
    net.put(made, channels)


def _plain(net: Layers, source: int) -> None:
    net.put(net.conv(net.inputs(source), _WIDTH, act=False), _WIDTH, source)


def _rep_c3(net: Layers) -> None:
    inputs = net.inputs()
    parts = {"cv1": net.conv(inputs, _WIDTH), "cv2": net.conv(inputs, _WIDTH)}
    parts |= {"m": nn.Sequential(*(net.rep_conv(_WIDTH) for _ in range(3))), "cv3": nn.Identity()}
    net.put(layer(f"{ULTRALYTICS}.block.RepC3", parts), _WIDTH)


def _encoder_layer() -> Any:
    parts = {"ma": nn.MultiheadAttention(_WIDTH, _HEADS, batch_first=True), "fc1": nn.Linear(_WIDTH, 1024)}
    parts |= {"fc2": nn.Linear(1024, _WIDTH), "norm1": nn.LayerNorm(_WIDTH), "norm2": nn.LayerNorm(_WIDTH)}
    parts |= {name: nn.Dropout(0.0) for name in ("dropout", "dropout1", "dropout2")} | {"act": nn.GELU()}
    return layer(f"{_MODULES}.AIFI", parts, normalize_before=False)


def _mlp(*widths: int) -> Any:
    return layer(f"{_MODULES}.MLP", {"layers": nn.ModuleList(nn.Linear(*pair) for pair in pairwise(widths))})


def _decoder_layer() -> Any:
    cross = layer(
        f"{_MODULES}.MSDeformAttn",
        {
            "sampling_offsets": nn.Linear(_WIDTH, _HEADS * _LEVELS * _POINTS * 2),
            "attention_weights": nn.Linear(_WIDTH, _HEADS * _LEVELS * _POINTS),
            "value_proj": nn.Linear(_WIDTH, _WIDTH),
            "output_proj": nn.Linear(_WIDTH, _WIDTH),
        },
        n_levels=_LEVELS,
        n_heads=_HEADS,
        n_points=_POINTS,
    )
    parts = {"self_attn": nn.MultiheadAttention(_WIDTH, _HEADS), "cross_attn": cross}
    parts |= {"linear1": nn.Linear(_WIDTH, 1024), "linear2": nn.Linear(1024, _WIDTH), "act": nn.ReLU()}
    parts |= {f"norm{number}": nn.LayerNorm(_WIDTH) for number in (1, 2, 3)}
    return layer(f"{_MODULES}.DeformableTransformerDecoderLayer", parts)


def _head(classes: int) -> Any:
    layers = nn.ModuleList(_decoder_layer() for _ in range(_DECODERS))
    projections = [
        nn.Sequential(nn.Conv2d(_WIDTH, _WIDTH, 1, bias=False), nn.BatchNorm2d(_WIDTH)) for _ in range(_LEVELS)
    ]
    parts = {
        "input_proj": nn.ModuleList(projections),
        "decoder": layer(f"{_MODULES}.DeformableTransformerDecoder", {"layers": layers}, eval_idx=_DECODERS - 1),
        "denoising_class_embed": nn.Embedding(classes, _WIDTH),
        "query_pos_head": _mlp(4, 2 * _WIDTH, _WIDTH),
        "enc_output": nn.Sequential(nn.Linear(_WIDTH, _WIDTH), nn.LayerNorm(_WIDTH)),
        "enc_score_head": nn.Linear(_WIDTH, classes),
        "enc_bbox_head": _mlp(_WIDTH, _WIDTH, _WIDTH, 4),
        "dec_score_head": nn.ModuleList(nn.Linear(_WIDTH, classes) for _ in range(_DECODERS)),
        "dec_bbox_head": nn.ModuleList(_mlp(_WIDTH, _WIDTH, _WIDTH, 4) for _ in range(_DECODERS)),
    }
    sizes = {"nc": classes, "nl": _LEVELS, "num_queries": _QUERIES, "hidden_dim": _WIDTH}
    return layer(f"{ULTRALYTICS}.head.RTDETRDecoder", parts, **sizes)
