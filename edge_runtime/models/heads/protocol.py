"""What every output head gives."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Candidates:
    """Boxes before suppression."""

    boxes: NDArray[np.float32]
    """[N, 4] `xyxy`, pixels of the input tensor."""
    scores: NDArray[np.float32]
    """[N, classes], 0..1."""


class BoxHead(Protocol):
    def __call__(self, outputs: Sequence[NDArray[Any]], *, width: int, height: int) -> Candidates:
        """Decode the outputs for one picture; `width` and `height` are the input tensor's, pixels.

        Raises:
            ValueError: the outputs have not the shape that this head is for.
        """
        ...


class ScoreHead(Protocol):
    def __call__(self, outputs: Sequence[NDArray[Any]]) -> NDArray[np.float32]:
        """Probabilities [N, classes] of a batch.

        Raises:
            ValueError: the outputs have not the shape that this head is for.
        """
        ...
