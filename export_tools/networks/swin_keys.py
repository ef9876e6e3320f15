"""Names of a Swin Transformer's weights: those that older files have, as timm has them since 0.9."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

_COMPUTED = (".relative_position_index", ".attn_mask")
_DOWNSAMPLE = re.compile(r"^layers\.(\d)\.downsample\.")


def modern(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Leave out what the network computes itself; a patch merging stands before its stage, no more after it."""
    old = any(key.startswith("layers.0.downsample.") for key in tensors)
    result = {}
    for key, tensor in tensors.items():
        if key.endswith(_COMPUTED):
            continue
        if old:
            key = _DOWNSAMPLE.sub(lambda found: f"layers.{int(found[1]) + 1}.downsample.", key)
        result[key] = tensor
    return result
