"""Latency over a run's time, above the board's temperature and clock: every sample, however slow."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from benchmarks.document.schema import Quantity, Series
from benchmarks.page import drawing, thinning, wording
from benchmarks.page.drawing import BLUE, INK, PURPLE, QUIET, RED, SKY, Chart
from benchmarks.page.rows import SLOW, Row

LEAST_MS = 1e-6
"""One nanosecond: nothing that was measured is less, and a logarithmic axis has no zero."""
NAMED_PROCESSES = 24
READINGS = 240
"""Parts of the time of which a sensor's extremes are drawn."""
_DOTS = ((60, 5.0), (1500, 2.6))
"""Up to so many samples a dot is so many points wide; else:"""
_DOT = 2.0


def chart(row: Row) -> Chart:
    """Each sample of `whole` where it began, processes in turning shades, slow ones marked."""
    points = [_points(process) for process in row.document.processes]
    slowest, fastest = max(ms.max() for _, ms in points), min(ms.min() for _, ms in points)
    y_range = drawing.roomy(fastest, slowest)
    end_s = max(float((t + ms / 1e3).max()) for t, ms in points)
    warm, clock = (_of(row.document.telemetry, quantity) for quantity in ("temp_c", "freq_hz"))
    sensed = bool(warm or clock)
    start_s = min(float(t.min()) for t, _ in points)
    x_range = (0.0 if sensed else start_s - 0.02 * (end_s - start_s or 1.0), end_s + 0.02 * (end_s - start_s or 1.0))

    def draw(figure: Any) -> None:
        rows = 2 if sensed else 1
        axes = figure.subplots(rows, 1, sharex=True, squeeze=False, height_ratios=[2.6, 1][:rows])[:, 0]
        _latencies(axes[0], points, row, x_range, y_range)
        if sensed:
            _sensors(axes[1], warm, clock, x_range)
        axes[-1].set_xlabel("time since the run began, s")

    label = f"Latency of each query over time, measurement {row.number}; slowest {wording.ms(slowest * 1e6)} ms"
    return Chart(
        svg=drawing.svg(draw, key=f"time{row.number}", label=label, height=3.7 if sensed else 2.7),
        title="Latency over time",
        notes=tuple(_notes(row, warm, clock)),
        data={
            "samples": sum(len(t) for t, _ in points),
            "slowest-ms": float(slowest),
            "y-low-ms": y_range[0],
            "y-high-ms": y_range[1],
        },
    )


def _points(process: Any) -> tuple[Any, Any]:
    """Seconds since the run began, and milliseconds."""
    ms = np.asarray(process.samples_ns["whole"], dtype=float) / 1e6
    return np.asarray(process.start_ns, dtype=float) / 1e9, np.maximum(ms, LEAST_MS)


def _latencies(
    axis: Any, points: Sequence[tuple[Any, Any]], row: Row, x_range: tuple[float, float], y_range: tuple[float, float]
) -> None:
    drawing.log_axis(axis.yaxis, *y_range, axis.set_yscale)
    axis.set_ylim(*y_range)
    axis.set_xlim(*x_range)
    limit_ms = SLOW * row.median_ns / 1e6
    wide = next((size for most, size in _DOTS if len(row.whole_ns) <= most), _DOT)
    for number, (t, ms) in enumerate(points):
        slow = ms > limit_ms
        colour = (BLUE, SKY)[number % 2]
        _stroke(axis, t[~slow], ms[~slow], x_range, y_range, wide=wide, color=colour, gid=f"samples-{number + 1}")
        _stroke(axis, t[slow], ms[slow], x_range, y_range, wide=max(wide, 3.4), color=RED, gid=f"slow-{number + 1}")
        if number and len(points) <= NAMED_PROCESSES:
            axis.axvline((points[number - 1][0].max() + t.min()) / 2, color=QUIET, linewidth=0.5, linestyle=(0, (2, 3)))
        if 1 < len(points) <= NAMED_PROCESSES:
            place = {"xycoords": ("data", "axes fraction"), "ha": "center", "va": "bottom", "color": QUIET}
            axis.annotate(f"{number + 1}", ((t.min() + t.max()) / 2, 1.0), fontsize=8, **place)
    axis.set_ylabel("latency, ms (log)")


def _stroke(
    axis: Any, t: Any, ms: Any, x_range: tuple[float, float], y_range: tuple[float, float], *, wide: float, **how: Any
) -> None:
    if len(t) == 0:
        return
    shown = (float(np.log(y_range[0])), float(np.log(y_range[1])))
    found = thinning.strokes(t, np.log(ms), x_range=x_range, y_range=shown)
    found[:, 1:] = np.exp(found[:, 1:])
    x, y = drawing.broken(found)
    axis.plot(x, y, linewidth=wide, solid_capstyle="round", **how)


def _of(telemetry: Sequence[Series], quantity: Quantity) -> list[tuple[str, Any, Any]]:
    """Name, seconds and values of each sensor of this kind that ever told something."""
    found = []
    for series in telemetry:
        if series.quantity == quantity and any(value is not None for value in series.value):
            values = np.array([np.nan if value is None else value for value in series.value], dtype=float)
            found.append((series.where, np.asarray(series.t_ns, dtype=float) / 1e9, values))
    return found


def _sensors(axis: Any, warm: Sequence[Any], clock: Sequence[Any], x_range: tuple[float, float]) -> None:
    other = axis.twinx() if warm and clock else axis
    for _, t, value in warm:
        axis.plot(*thinning.extremes(t, value, READINGS), color=RED, linewidth=1.3)
    for _, t, value in clock:
        other.plot(*thinning.extremes(t, value / 1e9, READINGS), color=PURPLE, linewidth=1.3, linestyle=(0, (4, 2)))
    if warm:
        axis.set_ylabel("°C", color=RED)
    if clock:
        other.set_ylabel("GHz (dashed)", color=PURPLE)
        top = max(float(np.nanmax(value)) for _, _, value in clock) / 1e9
        other.set_ylim(0, top * 1.12 or 1.0)
    if warm and clock:
        other.grid(False)
        other.spines["right"].set_visible(True)
    axis.set_xlim(*x_range)
    axis.tick_params(axis="x", colors=QUIET, labelcolor=INK)


def _notes(row: Row, warm: Sequence[Any], clock: Sequence[Any]) -> list[str]:
    processes, n = len(row.document.processes), len(row.whole_ns)
    notes = [f"{n:,} queries of {processes} process{'es' if processes > 1 else ''} (shades take turns); each is drawn."]
    sensors = [f"{name} {np.nanmin(value):.0f} to {np.nanmax(value):.0f} °C" for name, _, value in warm]
    sensors += [f"{name} {np.nanmin(value) / 1e9:.2f} to {np.nanmax(value) / 1e9:.2f} GHz" for name, _, value in clock]
    notes.append("; ".join(sensors) + "." if sensors else "No temperature and no clock could be read here.")
    return notes
