"""Classifier outputs [N, classes]: logits to probabilities."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray


def softmax(outputs: Sequence[NDArray[Any]]) -> NDArray[np.float32]:
    """One class holds: the probabilities of a row sum to 1."""
    logits = _logits(outputs)
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    probabilities: NDArray[np.float32] = np.divide(powers, powers.sum(axis=1, keepdims=True), dtype=np.float32)
    return probabilities


def sigmoid(outputs: Sequence[NDArray[Any]]) -> NDArray[np.float32]:
    """Each class by itself."""
    powers = np.exp(-np.clip(_logits(outputs), -60, 60))
    probabilities: NDArray[np.float32] = np.reciprocal(1 + powers, dtype=np.float32)
    return probabilities


def _logits(outputs: Sequence[NDArray[Any]]) -> NDArray[np.float32]:
    if len(outputs) != 1 or outputs[0].ndim != 2:
        raise ValueError(f"a classifier gives one tensor [N, classes], not {[output.shape for output in outputs]}")
    return outputs[0].astype(np.float32, copy=False)
