"""The layers of torch itself, made again from the attributes that a pickle holds of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from torch import nn

from export_tools.networks.yolo_parts import Given


def _convolution(given: Given) -> nn.Module:
    return nn.Conv2d(
        given.need("in_channels", int),
        given.need("out_channels", int),
        given.need("kernel_size", tuple),
        stride=given.need("stride", tuple),
        padding=given.need("padding", tuple, str),
        dilation=given.need("dilation", tuple),
        groups=given.need("groups", int),
        bias=given.has_parameter("bias"),
        padding_mode=given.get("padding_mode", "zeros", str),
    )


def _batch_norm(given: Given) -> nn.Module:
    return nn.BatchNorm2d(given.need("num_features", int), eps=given.need("eps", float))


def _max_pool(given: Given) -> nn.Module:
    return nn.MaxPool2d(
        given.need("kernel_size", int, tuple),
        given.need("stride", int, tuple),
        given.need("padding", int, tuple),
        dilation=given.get("dilation", 1, int, tuple),
        ceil_mode=given.get("ceil_mode", False, bool),
    )


def _average_pool(given: Given) -> nn.Module:
    return nn.AvgPool2d(
        given.need("kernel_size", int, tuple),
        given.need("stride", int, tuple),
        given.need("padding", int, tuple),
        ceil_mode=given.get("ceil_mode", False, bool),
        count_include_pad=given.get("count_include_pad", True, bool),
    )


def _upsample(given: Given) -> nn.Module:
    # `recompute_scale_factor` is left out: old releases lack it, and for whole factors it changes nothing.
    return nn.Upsample(
        size=given.get("size", None, int, tuple, list),
        scale_factor=given.get("scale_factor", None, int, float, tuple),
        mode=given.get("mode", "nearest", str),
        align_corners=given.get("align_corners", None, bool),
    )


def _linear(given: Given) -> nn.Module:
    return nn.Linear(given.need("in_features", int), given.need("out_features", int), bias=given.has_parameter("bias"))


def _layer_norm(given: Given) -> nn.Module:
    return nn.LayerNorm(given.need("normalized_shape", tuple, int), eps=given.need("eps", float))


def _embedding(given: Given) -> nn.Module:
    return nn.Embedding(given.need("num_embeddings", int), given.need("embedding_dim", int))


def _attention(given: Given) -> nn.Module:
    return nn.MultiheadAttention(
        given.need("embed_dim", int),
        given.need("num_heads", int),
        bias=given.has_parameter("in_proj_bias"),
        batch_first=given.get("batch_first", False, bool),
    )


def _plain(kind: Callable[..., nn.Module], *names: str) -> Callable[[Given], nn.Module]:
    """A layer that has no weights and at most numbers."""
    defaults: Mapping[str, Any] = {"negative_slope": 0.01, "approximate": "none"}
    return lambda given: kind(**{name: given.get(name, defaults[name]) for name in names})


LEAVES: dict[str, Callable[[Given], nn.Module]] = {
    "Conv2d": _convolution,
    "BatchNorm2d": _batch_norm,
    "MaxPool2d": _max_pool,
    "AvgPool2d": _average_pool,
    "Upsample": _upsample,
    "Linear": _linear,
    "LayerNorm": _layer_norm,
    "Embedding": _embedding,
    "MultiheadAttention": _attention,
    "NonDynamicallyQuantizableLinear": _linear,
    "Identity": _plain(nn.Identity),
    # Inference only: what training drops at random stays.
    "Dropout": _plain(nn.Identity),
    "SiLU": _plain(nn.SiLU),
    "ReLU": _plain(nn.ReLU),
    "ReLU6": _plain(nn.ReLU6),
    "LeakyReLU": _plain(nn.LeakyReLU, "negative_slope"),
    "Hardswish": _plain(nn.Hardswish),
    "Sigmoid": _plain(nn.Sigmoid),
    "GELU": _plain(nn.GELU, "approximate"),
}
"""By class name, for classes of `torch.nn`."""
