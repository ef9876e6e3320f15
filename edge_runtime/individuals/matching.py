"""Exact cosine search over a float16 matrix.

The matrix stays float16 in memory: half of what a float32 index takes. It is widened block by block while it is
multiplied, by ONNX Runtime, because NumPy's `astype` is ten times slower (2.4, x86): one query over 100,000 x 2152 took
40 ms on one core of an EPYC, 400 ms with `astype`, 70 ms with NumPy's integer operations.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from edge_runtime.engines.onnxruntime_engine import session_options

POOL = 50
"""Neighbours that are looked at, as MiewID's matching does."""
QUERIES = 32
"""At once: their cosines with 100,000 annotations take 13 MB."""
_BLOCK_NUMBERS = 1 << 20
"""Of one widened block, 4 MB: it stays in the processor's cache until it is multiplied."""

# wide = Cast(block, to=float32); cosines = Gemm(queries, wide, transB=1). Its test makes it anew with `onnx`.
_GRAPH = base64.b64decode(
    "CAgSADqzAQoeCgVibG9jaxIEd2lkZSIEQ2FzdCoJCgJ0bxgBoAECCi0KB3F1ZXJpZXMKBHdpZGUSB2Nvc2luZXMiBEdlbW0qDQoG"
    "dHJhbnNCGAGgAQISB2Nvc2luZXNaHAoFYmxvY2sSEwoRCAoSDQoGEgRyb3dzCgMSAWRaGwoHcXVlcmllcxIQCg4IARIKCgMSAW4K"
    "AxIBZGIeCgdjb3NpbmVzEhMKEQgBEg0KAxIBbgoGEgRyb3dzQgQKABAR"
)


@dataclass(frozen=True, slots=True)
class Neighbours:
    """The most alike annotations of each of `n` queries, best first."""

    places: NDArray[np.intp]
    """[n, k], rows of the matrix."""
    cosines: NDArray[np.float32]
    """[n, k], -1..1."""


def cosines(matrix: NDArray[np.float16], queries: NDArray[np.float32], *, threads: int) -> NDArray[np.float32]:
    """The dot products of `queries` [n, D] with the rows of `matrix` [N, D]: [n, N].

    Rows and queries of length 1 make them cosines. Summed in float32, as a float32 index does.
    """
    session = _session(threads)
    result = np.empty((len(queries), len(matrix)), np.float32)
    rows = max(1, _BLOCK_NUMBERS // max(1, matrix.shape[1]))
    asked = np.ascontiguousarray(queries, np.float32)
    for start in range(0, len(matrix), rows):
        (block,) = session.run(None, {"block": matrix[start : start + rows], "queries": asked})
        result[:, start : start + rows] = block
    return np.clip(result, -1.0, 1.0, out=result)


def batches(
    matrix: NDArray[np.float16], queries: NDArray[np.float32] | NDArray[np.float16], *, threads: int
) -> Iterator[tuple[slice, NDArray[np.float32]]]:
    """The same for many queries, a few at a time so that memory stays bounded: which ones, and their cosines."""
    for start in range(0, len(queries), QUERIES):
        part = slice(start, min(start + QUERIES, len(queries)))
        yield part, cosines(matrix, queries[part].astype(np.float32), threads=threads)


def nearest(matrix: NDArray[np.float16], queries: NDArray[np.float32], *, threads: int, pool: int = POOL) -> Neighbours:
    """The `min(pool, N)` rows of `matrix` [N, D] that are most alike to each of `queries` [n, D]."""
    k = min(pool, len(matrix))
    places, values = np.empty((len(queries), k), np.intp), np.empty((len(queries), k), np.float32)
    for part, found in batches(matrix, queries, threads=threads):
        best = np.argpartition(-found, k - 1, axis=1)[:, :k] if k else np.empty((len(found), 0), np.intp)
        chosen = np.take_along_axis(found, best, axis=1)
        # Equal ones in the order of the matrix, so that the same question always has the same answer.
        order = np.lexsort((best, -chosen), axis=1)
        places[part] = np.take_along_axis(best, order, axis=1)
        values[part] = np.take_along_axis(chosen, order, axis=1)
    return Neighbours(places, values)


def score(cosine: float) -> float:
    """How alike, 0..1: (2 - distance) / 2, where the distance is 1 - cosine."""
    return min(1.0, max(0.0, (1.0 + cosine) / 2))


def unit(vectors: NDArray[np.floating]) -> NDArray[np.float32]:
    """The vectors [n, D] scaled to length 1.

    Raises:
        ValueError: one holds NaN or infinite values, or only zeros, and so has no direction.
    """
    wide = np.atleast_2d(np.asarray(vectors, np.float64))
    lengths = np.linalg.norm(wide, axis=1, keepdims=True)
    if not np.isfinite(lengths).all() or (lengths == 0).any():
        raise ValueError("an embedding holds NaN or infinite values, or only zeros")
    return np.asarray(wide / lengths, np.float32)


@cache
def _session(threads: int) -> onnxruntime.InferenceSession:
    options = session_options(threads, int8_saturates=False)
    return onnxruntime.InferenceSession(_GRAPH, options, providers=["CPUExecutionProvider"])
