"""Tensors out of a checkpoint's storages: every declared size is checked against the bytes that are there.

The layout is PyTorch's (`torch/serialization.py`, `torch/_utils.py`): a storage is a run of bytes with a key, which
the pickle refers to by a persistent id `("storage", type, key, device, count)`; a tensor is a view of one storage.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from export_tools.checkpoints.errors import CheckpointError, damaged
from export_tools.checkpoints.skeleton import ClassReference

if TYPE_CHECKING:
    import torch

MAX_DIMENSIONS = 64
"""PyTorch's own limit."""
SMALL_EXPANSION = 64 * 1024 * 1024
"""Bytes that expanded tensors (stride 0) may stand for beyond their storages, in a file however small."""

_LIMIT = 2**62
"""No count of elements that PyTorch can hold is larger."""
_STORAGE_TYPE = re.compile(r"torch(?:\.cuda|\.storage)?\.(_?[A-Z][A-Za-z0-9]*)Storage$")
_DTYPES = {
    "Double": "float64",
    "Float": "float32",
    "Half": "float16",
    "BFloat16": "bfloat16",
    "Long": "int64",
    "Int": "int32",
    "Short": "int16",
    "Char": "int8",
    "Byte": "uint8",
    "Bool": "bool",
    "ComplexFloat": "complex64",
    "ComplexDouble": "complex128",
    "QInt8": "int8",
    "QUInt8": "uint8",
    "QInt32": "int32",
    "Untyped": "uint8",
    "_Untyped": "uint8",
}
"""Element types by the name of the storage class. Quantized ones are read as the integers that they hold."""


class Storages:
    """The storages of one checkpoint, each read once, and the tensors over them."""

    def __init__(
        self, file: Path, file_bytes: int, read: Callable[[str, int], bytearray], *, swapped: bool = False
    ) -> None:
        """
        Args:
            read: gives a storage's bytes by its key and its declared length in bytes; raises CheckpointError.
            swapped: the bytes are in the order that this machine does not use.
        """
        self._file, self._read, self._swapped = file, read, swapped
        self._budget = max(file_bytes, SMALL_EXPANSION)
        self._flat: dict[str, torch.Tensor] = {}
        self._viewed: dict[tuple[str, str], torch.Tensor] = {}

    def persistent(self, identity: Any) -> Any:
        """The value for a persistent id: a storage as a flat tensor, or a class that an old file keeps the source of.

        Raises:
            CheckpointError: the id is no storage's, or the storage is not as long as it says.
        """
        if isinstance(identity, tuple) and len(identity) == 4 and identity[0] == "module":
            return identity[1]
        if not isinstance(identity, tuple) or len(identity) not in (5, 6) or identity[0] != "storage":
            raise damaged(self._file, "its pickle refers to something that is no storage")
        _, kind, key, _, count = identity[:5]
        if not isinstance(kind, ClassReference) or not isinstance(key, (str, int)) or not _is_count(count):
            raise damaged(self._file, "a storage is described by the wrong kinds of values")
        flat = self._typed(kind, str(key), count)
        view = identity[5] if len(identity) == 6 else None
        if view is None:
            return flat
        _, offset, length = view
        return self.view(flat, offset, (length,), (1,))

    def _typed(self, kind: ClassReference, key: str, count: int) -> torch.Tensor:
        import torch

        matched = _STORAGE_TYPE.match(kind.path)
        if not matched or matched[1] not in _DTYPES:
            raise CheckpointError(
                self._file,
                f"holds a storage of the type {kind.path:.80}, which this program does not read",
                hint="save the model's plain float state_dict instead",
            )
        dtype = getattr(torch, _DTYPES[matched[1]])
        done = self._viewed.get((key, str(dtype)))
        if done is not None:
            if done.numel() < count:
                raise damaged(self._file, f"storage {key[:40]!r} is given two lengths")
            return done
        raw = self._read(key, count * dtype.itemsize) if key not in self._flat else None
        if raw is not None:
            if self._swapped and dtype.itemsize > 1:
                width = dtype.itemsize // (2 if dtype.is_complex else 1)
                np.frombuffer(raw, dtype=f"u{width}").byteswap(inplace=True)
            self._flat[key] = torch.frombuffer(raw, dtype=torch.uint8) if raw else torch.empty(0, dtype=torch.uint8)
        elif self._swapped:
            raise CheckpointError(
                self._file, "was written on a big-endian machine, with one storage used as two types of numbers"
            )
        flat = self._flat[key]
        if flat.numel() < count * dtype.itemsize:
            raise damaged(self._file, f"storage {key[:40]!r} is given two lengths")
        typed = flat[: count * dtype.itemsize].view(dtype)
        self._viewed[key, str(dtype)] = typed
        return typed

    def view(self, flat: Any, offset: Any, size: Any, stride: Any) -> torch.Tensor:
        """A tensor of `size` and `stride` (elements) that begins `offset` elements into the storage of `flat`.

        Raises:
            CheckpointError: any element would lie outside the storage, or the shape stands for absurdly much memory.
        """
        import torch

        if not isinstance(flat, torch.Tensor) or not flat.is_contiguous():
            raise damaged(self._file, "a tensor has no storage")
        size, stride = tuple(size), tuple(stride)
        if len(size) != len(stride) or len(size) > MAX_DIMENSIONS or not all(map(_is_count, (offset, *size, *stride))):
            # Not shown: what stands in place of a shape may be anything, of any length.
            raise damaged(self._file, "a tensor's shape is no row of numbers, or its strides are not")
        elements = math.prod(size)
        if elements:
            last = offset + sum((extent - 1) * step for extent, step in zip(size, stride, strict=True))
            outside = last >= flat.numel()
        else:
            outside = offset > flat.numel() or math.prod(filter(None, size)) >= _LIMIT
        if outside:
            problem = f"a tensor of shape {size} reaches outside its storage of {flat.numel()} elements"
            raise damaged(self._file, problem)
        beyond = (elements - flat.numel()) * flat.element_size()
        if beyond > 0:
            self._budget -= beyond
            if self._budget < 0:
                raise damaged(self._file, f"a tensor of shape {size} stands for more memory than the file")
        return torch.as_strided(flat, size, stride, flat.storage_offset() + offset)

    # What torch's own pickles call, by the arguments that they give.

    def makers(self) -> dict[str, Callable[[tuple[Any, ...]], Any]]:
        """By dotted path: the functions of torch whose results are plain values here."""
        return {
            "torch._utils._rebuild_tensor": self._tensor,
            "torch._utils._rebuild_tensor_v2": self._tensor,
            "torch._utils._rebuild_tensor_v3": self._tensor_of_bytes,
            "torch._utils._rebuild_parameter": self._parameter,
            "torch._utils._rebuild_parameter_with_state": self._parameter,
            "torch._tensor._rebuild_from_type_v2": self._of_type,
            "torch.Size": lambda arguments: tuple(arguments[0]) if arguments else (),
            "torch.device": _device,
        }

    @staticmethod
    def constants() -> dict[str, Any]:
        """By dotted path: the names in torch that stand for a value, its element types."""
        import torch

        return {f"torch.{name}": value for name, value in vars(torch).items() if isinstance(value, torch.dtype)}

    def _tensor(self, arguments: tuple[Any, ...]) -> torch.Tensor:
        flat, offset, size, stride = arguments[:4]
        tensor = self.view(flat, offset, size, stride)
        return _marked(tensor, arguments[4] if len(arguments) > 4 else False, arguments[6:7])

    def _tensor_of_bytes(self, arguments: tuple[Any, ...]) -> torch.Tensor:
        import torch

        flat, offset, size, stride, learns, _, kind = arguments[:7]
        if not isinstance(kind, torch.dtype):
            raise ValueError("its element type is unknown")
        if self._swapped and kind.itemsize > 1:
            raise ValueError("its bytes are in big-endian order and of no declared type")
        whole = flat[: flat.numel() // kind.itemsize * kind.itemsize].view(kind)
        return _marked(self.view(whole, offset, size, stride), learns, arguments[7:8])

    def _parameter(self, arguments: tuple[Any, ...]) -> torch.Tensor:
        import torch

        if not isinstance(arguments[0], torch.Tensor):
            raise ValueError("a parameter without a tensor")
        return _marked(arguments[0], arguments[1], ())

    def _of_type(self, arguments: tuple[Any, ...]) -> Any:
        function, _, inner, _ = arguments
        return self.makers()[function.path](inner)


def _marked(tensor: torch.Tensor, learns: Any, notes: tuple[Any, ...]) -> torch.Tensor:
    import torch

    if notes and isinstance(notes[0], dict):
        if notes[0].get("conj"):
            tensor = torch.conj(tensor)
        if notes[0].get("neg"):
            tensor = torch._neg_view(tensor)
    if learns is True and (tensor.is_floating_point() or tensor.is_complex()):
        tensor = tensor.detach().requires_grad_()
    return tensor


def _device(arguments: tuple[Any, ...]) -> torch.device:
    import torch

    return torch.device(*arguments[:2])


def _is_count(value: Any) -> bool:
    return type(value) is int and 0 <= value < _LIMIT
