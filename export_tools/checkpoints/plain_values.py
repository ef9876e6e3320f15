"""Plain Python and numpy values that pickles write as calls: ordered dicts, sets, arrays."""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import numpy as np

from export_tools.checkpoints.skeleton import Skeleton

_NUMBERS = re.compile(r"[<>|=]?[biufc]\d{1,2}$")


def makers() -> dict[str, Callable[[tuple[Any, ...]], Any]]:
    """By dotted path: what makes the value of a call's arguments. They raise ValueError or TypeError."""
    table: dict[str, Callable[[tuple[Any, ...]], Any]] = {
        "collections.OrderedDict": lambda arguments: OrderedDict(*map(_pairs, arguments[:1])),
        "collections.defaultdict": lambda arguments: dict(*map(_pairs, arguments[1:2])),
        "collections.Counter": lambda arguments: dict(*map(_pairs, arguments[:1])),
        "collections.deque": lambda arguments: list(*map(_items, arguments[:1])),
        "builtins.dict": lambda arguments: dict(*map(_pairs, arguments[:1])),
        "builtins.list": lambda arguments: list(*map(_items, arguments[:1])),
        "builtins.tuple": lambda arguments: tuple(*map(_items, arguments[:1])),
        "builtins.set": lambda arguments: set(*map(_items, arguments[:1])),
        "builtins.frozenset": lambda arguments: frozenset(*map(_items, arguments[:1])),
        "builtins.complex": lambda arguments: complex(*(float(part) for part in arguments[:2])),
        "builtins.bytearray": _bytes,
        "builtins.bytes": _bytes,
        "_codecs.encode": _bytes,
    }
    for core in ("numpy.core", "numpy._core"):
        # An array is first made empty and then told its contents: the skeleton becomes the array there.
        table[f"{core}.multiarray._reconstruct+state"] = _array_of_state
        table[f"{core}.multiarray.scalar"] = _scalar
        table[f"{core}.numeric._frombuffer"] = _array_of_buffer
    return table


def _items(value: Any) -> Any:
    if not isinstance(value, (list, tuple, set, frozenset)):
        raise TypeError(f"items expected, not {type(value).__name__}")
    for item in value:
        hash(item) if isinstance(item, (str, bytes, int, float)) else _shallow(item)
    return value


def _shallow(item: Any) -> None:
    # Sets hash their items, and the hash of a tuple of tuples of tuples has no end.
    if isinstance(item, (tuple, frozenset)) and any(isinstance(part, (tuple, frozenset)) for part in item):
        raise ValueError("tuples inside tuples inside a set")


def _pairs(value: Any) -> Any:
    if isinstance(value, dict):
        return value
    pairs = [tuple(pair) for pair in _items(value)]
    for key, _ in pairs:
        _shallow(key)
    return pairs


def _bytes(arguments: tuple[Any, ...]) -> bytes:
    if not arguments:
        return b""
    value = arguments[0]
    if isinstance(value, str):
        # Protocol 2 has no bytes: they are written as text, one character for each.
        return value.encode("latin-1")
    if isinstance(value, (bytes, bytearray)):
        return bytes(value)
    if isinstance(value, list):
        return bytes(value)
    raise TypeError(f"no bytes: {type(value).__name__}")


def _dtype(value: Any) -> np.dtype[Any]:
    if not isinstance(value, Skeleton) or value.path != "numpy.dtype" or not value.args:
        raise ValueError("no numpy type")
    code = value.args[0]
    if not isinstance(code, str) or not _NUMBERS.match(code):
        raise ValueError(f"numpy type {str(code)[:20]!r} is not of plain numbers")
    dtype = np.dtype(code)
    if isinstance(value.state, tuple) and len(value.state) > 1 and value.state[1] in ("<", ">"):
        dtype = dtype.newbyteorder(value.state[1])
    return dtype


def _array(data: Any, dtype: np.dtype[Any], shape: Any, order: str) -> np.ndarray[Any, Any]:
    if isinstance(shape, int):
        shape = (shape,)
    if not isinstance(shape, tuple) or len(shape) > 32 or not all(type(n) is int and 0 <= n < 2**62 for n in shape):
        raise ValueError("an array's shape is impossible")
    # `reshape` refuses a shape that is not the number of elements that the bytes hold.
    flat: np.ndarray[Any, Any] = np.frombuffer(_bytes((data,)), dtype=dtype) if len(data) else np.empty(0, dtype)
    shaped: np.ndarray[Any, Any] = flat.reshape(shape, order="F" if order == "F" else "C").copy()
    return shaped


def _array_of_state(arguments: tuple[Any, ...]) -> Any:
    (skeleton,) = arguments
    if not isinstance(skeleton.state, tuple) or len(skeleton.state) != 5:
        raise ValueError("an array without its contents")
    _, shape, dtype, fortran, data = skeleton.state
    if isinstance(data, list):
        return skeleton  # an array of objects: its list is in the state
    try:
        kind = _dtype(dtype)
    except ValueError:
        return skeleton  # of text, of dates, of records: none of them is a model's
    return _array(data, kind, shape, "F" if fortran else "C")


def _array_of_buffer(arguments: tuple[Any, ...]) -> np.ndarray[Any, Any]:
    data, dtype, shape, order = arguments
    return _array(data, _dtype(dtype), shape, order)


def _scalar(arguments: tuple[Any, ...]) -> Any:
    dtype, data = arguments
    return np.frombuffer(_bytes((data,)), dtype=_dtype(dtype), count=1)[0].item()
