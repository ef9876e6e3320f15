"""Putting a checkpoint's tensors into a network, strictly."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from export_tools.checkpoints.errors import CheckpointError
from export_tools.checkpoints.skeleton import Skeleton, SkeletonError

if TYPE_CHECKING:
    from torch import Tensor, nn

_NAMED = 5
"""As many keys an error names of each sort; the rest is counted."""


def state_dict(content: Any) -> dict[str, Tensor]:
    """The tensors by name of a checkpoint's content: a state dict, one under `state_dict` or `model`, or a pickled
    network's.

    Empty where there is none. A `module.` that data-parallel training put before every key goes.
    """
    import torch

    if isinstance(content, Skeleton):
        with contextlib.suppress(SkeletonError):
            return stripped(content.tensors(), "module.")
        return {}
    inner = [content.get(key) for key in ("state_dict", "model")] if isinstance(content, dict) else []
    for value in (content, *inner):
        if isinstance(value, dict) and value and all(isinstance(tensor, torch.Tensor) for tensor in value.values()):
            return stripped(value, "module.")
    return {}


def stripped(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """The same tensors without `prefix`, if every key has it."""
    if tensors and all(key.startswith(prefix) for key in tensors):
        return {key[len(prefix) :]: tensor for key, tensor in tensors.items()}
    return dict(tensors)


def load_strictly(
    network: nn.Module,
    tensors: Mapping[str, Tensor],
    file: Path,
    *,
    what: str,
    hint: str = "name another family with --family",
) -> None:
    """Put the tensors into `network` as float32, and set it to eval mode.

    Counters of batches (`num_batches_tracked`), which old files lack and which inference never reads, may be missing.

    Args:
        what: what the network is, for the error: "ResNet-50".

    Raises:
        CheckpointError: a key is missing or surplus, or a shape differs; names them.
    """
    wanted = network.state_dict()
    missing = [key for key in wanted if key not in tensors and not key.endswith("num_batches_tracked")]
    surplus = [key for key in tensors if key not in wanted]
    unlike = [
        f"{key} is {tuple(tensors[key].shape)}, not {tuple(value.shape)}"
        for key, value in wanted.items()
        if key in tensors and tensors[key].shape != value.shape
    ]
    sorts = (("missing", missing), ("surplus", surplus), ("shape", unlike))
    problems = [f"{name}: {_some(keys)}" for name, keys in sorts if keys]
    if problems:
        raise CheckpointError(file, f"is no {what}: " + "; ".join(problems), hint=hint)
    floats = {key: tensor.float() if tensor.is_floating_point() else tensor for key, tensor in tensors.items()}
    network.load_state_dict({**wanted, **floats}, strict=True)
    network.eval()


def _some(keys: Sequence[str]) -> str:
    more = len(keys) - _NAMED
    return ", ".join(keys[:_NAMED]) + (f" and {more} more" if more > 0 else "")
