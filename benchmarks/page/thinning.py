"""As many points as a chart can show, and no fewer: what is left out lies under what is drawn.

A chart has so many columns and rows of dots. All samples of one column whose rows touch are one stroke from the least
to the greatest of them, so every lonely sample stays a dot of its own, and no extreme moves.
"""

from __future__ import annotations

from typing import Any

import numpy as np

COLUMNS, ROWS = 420, 220


def strokes(x: Any, y: Any, *, x_range: tuple[float, float], y_range: tuple[float, float]) -> Any:
    """Upright strokes that cover all points, shape (n, 3): x, lower y, upper y; exact values of the samples.

    Args:
        x, y: float arrays of one length; y as it is drawn (its logarithm on a logarithmic axis).
        x_range, y_range: what the chart shows; all points lie within.
    """
    if len(x) == 0:
        return np.empty((0, 3))
    column, row = _cells(x, x_range, COLUMNS), _cells(y, y_range, ROWS)
    order = np.lexsort((y, row, column))
    x, y, column, row = x[order], y[order], column[order], row[order]
    starts = np.flatnonzero(np.r_[True, (np.diff(column) != 0) | (np.diff(row) > 1)])
    return np.stack([x[starts], np.minimum.reduceat(y, starts), np.maximum.reduceat(y, starts)], axis=1)


def steps(x: Any, y: Any, *, x_range: tuple[float, float], y_range: tuple[float, float]) -> tuple[Any, Any]:
    """Of a rising line, the points that the chart can tell apart; the first and the last always."""
    column, row = _cells(x, x_range, 2 * COLUMNS), _cells(y, y_range, 2 * ROWS)
    kept = np.flatnonzero(np.r_[True, (np.diff(column) != 0) | (np.diff(row) != 0)])
    kept = np.union1d(kept, [len(x) - 1])
    return x[kept], y[kept]


def extremes(t: Any, value: Any, bins: int) -> tuple[Any, Any]:
    """Of a sensor's readings the least and the greatest in each of so many parts, in order; NaN where it was silent."""
    if len(t) <= 2 * bins:
        return t, value
    kept: list[int] = []
    for part in np.array_split(np.arange(len(t)), bins):
        known = part[~np.isnan(value[part])]
        both = [known[np.argmin(value[known])], known[np.argmax(value[known])]] if len(known) else [part[0]]
        kept += sorted({int(each) for each in both})
    return t[kept], value[kept]


def _cells(values: Any, shown: tuple[float, float], count: int) -> Any:
    low, high = shown
    return np.floor((values - low) / ((high - low) or 1.0) * count).astype(np.int64)
