"""The scales on which a payload rounds: PAYLOAD.md, section Scales, has the formulas; the tables decide."""

from __future__ import annotations

from bisect import bisect_left

from edge_runtime.errors import PayloadError

# fmt: off
DURATIONS_S = (
    0, 1, 2, 3, 4, 6, 8, 12, 18, 25, 37, 53, 77, 111, 161, 233,
    338, 489, 707, 1024, 1481, 2144, 3102, 4490, 6498, 9404, 13609, 19696, 28504, 41252, 59701, 86400,
)
"""Seconds that the 32 duration codes mean; the last one means `or more`."""

IMAGES = (1, 2, 3, 4, 5, 6, 12, 24, 48, 96, 192, 384, 768, 1536, 3072, 6144)
"""Photos that the 16 image codes mean; the last one means `or more`."""
# fmt: on

EXACT_IMAGES = 6
"""Up to here a number of photos is exact; above, it is the nearest of `IMAGES`."""

MOST_COUNTED = 270
"""Animals of one label in one event; it means `or more`."""


def nearest(scale: tuple[int, ...], value: int) -> int:
    """The code whose meaning is nearest to `value`; the larger of two that are equally near, the last for more."""
    above = bisect_left(scale, value)
    if above == 0 or above == len(scale):
        return min(above, len(scale) - 1)
    return above if scale[above] - value <= value - scale[above - 1] else above - 1


def fraction_to_code(name: str, fraction: float, most: int) -> int:
    """A fraction 0..1 as one of the codes 0..`most`, halves upwards.

    Raises:
        PayloadError: it is not in 0..1.
    """
    if not 0.0 <= fraction <= 1.0:  # NaN is neither
        raise PayloadError(f"{name}: {fraction} is not in 0..1")
    return int(fraction * most + 0.5)
