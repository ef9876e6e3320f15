"""A graph that decodes its own boxes: one tensor of boxes, one of scores."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_runtime.models.heads.protocol import Candidates


def decode(outputs: Sequence[NDArray[Any]], *, width: int, height: int) -> Candidates:
    """Take boxes [1, N, 4], `xyxy` in pixels of the input tensor, and scores [1, N, classes], 0..1, as they are."""
    if not _fits(outputs):
        shapes = [output.shape for output in outputs]
        raise ValueError(f"a decoded detector gives boxes [1, N, 4] and scores [1, N, classes], not {shapes}")
    boxes, scores = (np.ascontiguousarray(output[0], np.float32) for output in outputs)
    return Candidates(boxes, scores)


def _fits(outputs: Sequence[NDArray[Any]]) -> bool:
    if len(outputs) != 2 or any(output.ndim != 3 or output.shape[0] != 1 for output in outputs):
        return False
    boxes, scores = outputs
    return boxes.shape[1:] == (scores.shape[1], 4) and scores.shape[2] > 0
