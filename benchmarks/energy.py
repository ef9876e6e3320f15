"""What a photo costs in joules, from the power that a board's own sensors told during the run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

from benchmarks.document.schema import Energy, Process, Series

Window = tuple[int, int]
"""Start and end, nanoseconds."""
LEAST_SAMPLES = 2


def of_run(telemetry: Sequence[Series], processes: Sequence[Process], idle: Window | None) -> tuple[Energy, ...]:
    """Energy of all queries, by sensor; a sensor that was silent gives none.

    Args:
        idle: when nothing was measured yet, for what the board takes by itself.
    """
    windows = [(min(each.start_ns), min(each.start_ns) + each.wall_ns) for each in processes]
    photos = sum(each.photos for each in processes)
    found = (_of_sensor(series, windows, photos, idle) for series in telemetry)
    return tuple(each for each in found if each is not None)


def _of_sensor(series: Series, windows: Sequence[Window], photos: int, idle: Window | None) -> Energy | None:
    if series.quantity not in ("power_w", "energy_j"):
        return None
    joules = seconds = 0.0
    for window in windows:
        power = mean_power(series, window)
        if power is None:
            return None
        length = (window[1] - window[0]) / 1e9
        joules, seconds = joules + power * length, seconds + length
    if seconds <= 0:
        return None
    idle_w = mean_power(series, idle) if idle else None
    return Energy(
        source=series.source,
        where=series.where,
        seconds=seconds,
        photos=photos,
        joules=joules,
        mean_w=joules / seconds,
        idle_w=idle_w,
        joules_per_photo=joules / photos,
        above_idle_joules_per_photo=None if idle_w is None else (joules - idle_w * seconds) / photos,
    )


def mean_power(series: Series, window: Window) -> float | None:
    """Mean watts in a window: power is integrated by trapezoids, a counter's difference divided by its time.

    None where fewer than two readings lie within it.
    """
    inside = list(_inside(series, window))
    if len(inside) < LEAST_SAMPLES:
        return None
    length = (inside[-1][0] - inside[0][0]) / 1e9
    if length <= 0:
        return None
    if series.quantity == "energy_j":
        return max(0.0, inside[-1][1] - inside[0][1]) / length
    joules = sum((late - early) / 1e9 * (one + other) / 2 for (early, one), (late, other) in pairwise(inside))
    return joules / length


def _inside(series: Series, window: Window) -> Iterator[tuple[int, float]]:
    for t_ns, value in zip(series.t_ns, series.value, strict=True):
        if value is not None and window[0] <= t_ns <= window[1]:
            yield t_ns, value
