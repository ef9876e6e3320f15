"""YOLOX (Ge et al. 2021, arXiv:2107.08430): anchor-free, one tensor over three strides, decoded outside the graph."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_runtime.models.heads.protocol import Candidates

STRIDES = (8, 16, 32)


def decode(outputs: Sequence[NDArray[Any]], *, width: int, height: int) -> Candidates:
    """Decode [1, A, 5 + classes]: dx, dy, log w, log h in strides, objectness and class scores after sigmoid.

    A score is objectness times class score.
    """
    grid, stride = _grid(width, height)
    if len(outputs) != 1 or outputs[0].ndim != 3 or outputs[0].shape[:2] != (1, len(grid)) or outputs[0].shape[2] < 6:
        shapes = [output.shape for output in outputs]
        raise ValueError(f"YOLOX at {width}x{height} gives [1, {len(grid)}, 5 + classes], not {shapes}")
    raw = outputs[0][0].astype(np.float32, copy=False)
    centre = (raw[:, :2] + grid) * stride
    # A damaged graph must not overflow into infinities; exp(20) strides are beyond any picture.
    half = np.exp(np.minimum(raw[:, 2:4], 20.0)) * stride / 2
    return Candidates(np.concatenate([centre - half, centre + half], axis=1), raw[:, 4:5] * raw[:, 5:])


@lru_cache(maxsize=4)
def _grid(width: int, height: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    cells, strides = [], []
    for stride in STRIDES:
        ys, xs = np.mgrid[0 : height // stride, 0 : width // stride]
        cells.append(np.stack([xs, ys], axis=-1).reshape(-1, 2))
        strides.append(np.full((cells[-1].shape[0], 1), stride))
    return np.concatenate(cells).astype(np.float32), np.concatenate(strides).astype(np.float32)
