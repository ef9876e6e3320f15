"""Accuracy against latency, and against joules where a sensor told them: only like beside like."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.document.schema import Measure
from benchmarks.page import drawing, wording
from benchmarks.page.drawing import BLUE, GREEN, INK, PURPLE, QUIET, RED, SKY, Chart
from benchmarks.page.rows import Row

_MARKS = (("o", BLUE), ("s", RED), ("^", GREEN), ("D", PURPLE), ("v", SKY), ("P", INK))


@dataclass(frozen=True)
class Point:
    """One measurement: its accuracy and what it cost."""

    row: Row
    measure: Measure
    cost: float


def charts(rows: Sequence[Row]) -> list[Chart]:
    """One for each accuracy measure, set and scenario; then the same for each power sensor."""
    made = []
    for number, ((scenario, photos, against, name), points) in enumerate(_by_latency(rows).items(), 1):
        title = f"{name} against latency, {scenario}"
        about = f"Accuracy: {name} on {photos}, against {against}. Whiskers: 95 %. Left and up is better."
        made.append(_chart(points, f"trade{number}", title, about, "latency, p50, ms (log)"))
    for number, ((scenario, photos, against, name, sensor), points) in enumerate(_by_joules(rows).items(), 1):
        title = f"{name} against energy at {sensor}, {scenario}"
        about = f"Accuracy: {name} on {photos}, against {against}. Energy as {sensor} told it, nothing subtracted."
        made.append(_chart(points, f"joules{number}", title, about, f"joules a photo, {wording.label(sensor)} (log)"))
    return made


def is_share(measure: Measure) -> bool:
    """Whether it counts how many of how many: such measures come with an interval."""
    return measure.low is not None and measure.high is not None and 0 <= measure.low <= measure.high <= 1


def _measures(row: Row) -> Iterator[tuple[tuple[str, str, str, str], Measure]]:
    accuracy = row.document.accuracy
    if accuracy is not None:
        for measure in accuracy.measures:
            if is_share(measure):
                yield (row.document.run.scenario, accuracy.photos, accuracy.against, measure.name), measure


def _by_latency(rows: Sequence[Row]) -> dict[tuple[str, str, str, str], list[Point]]:
    found: dict[tuple[str, str, str, str], list[Point]] = {}
    for row in rows:
        p50 = row.document.stats["whole"].p50.value_ns
        for kind, measure in _measures(row):
            if p50:
                found.setdefault(kind, []).append(Point(row, measure, p50 / 1e6))
    return found


def _by_joules(rows: Sequence[Row]) -> dict[tuple[str, str, str, str, str], list[Point]]:
    found: dict[tuple[str, str, str, str, str], list[Point]] = {}
    for row in rows:
        for kind, measure in _measures(row):
            for energy in row.document.energy:
                if energy.joules_per_photo > 0:
                    point = Point(row, measure, energy.joules_per_photo)
                    found.setdefault((*kind, energy.where), []).append(point)
    return found


def _chart(points: Sequence[Point], key: str, title: str, about: str, x_label: str) -> Chart:
    boards = list(dict.fromkeys(point.row.document.device.board for point in points))
    costs = [point.cost for point in points]
    x_range = drawing.roomy(min(costs), max(costs), 0.12)
    lows = [point.measure.low for point in points if point.measure.low is not None]

    def draw(figure: Any) -> None:
        axis = figure.subplots()
        drawing.log_axis(axis.xaxis, *x_range, axis.set_xscale)
        for point in points:
            mark, colour = _MARKS[boards.index(point.row.document.device.board) % len(_MARKS)]
            _point(axis, point, mark, colour)
        for board, (mark, colour) in zip(boards, _MARKS, strict=False):
            axis.plot([], [], marker=mark, color=colour, linestyle="none", label=wording.label(board))
        axis.set_xlim(*x_range)
        axis.set_ylim(max(0.0, 100 * min(lows, default=0.0) - 4), 101)
        axis.set_xlabel(x_label)
        axis.set_ylabel(f"{wording.label(points[0].measure.name)}, %")
        figure.legend(loc="outside upper left", ncols=2, frameon=False)

    names = "; ".join(
        f"#{point.row.number} {point.row.document.model.bundle} {point.row.document.model.variant} "
        f"({wording.percent(point.measure.value)}, {wording.number(point.cost)})"
        for point in points
    )
    label = f"{title}: {len(points)} measurements"
    return Chart(drawing.svg(draw, key=key, label=label, height=3.4), title, (about, names), {"points": len(points)})


def _point(axis: Any, point: Point, mark: str, colour: str) -> None:
    measure = point.measure
    low, high = measure.low or 0.0, 1.0 if measure.high is None else measure.high
    reach = [[100 * max(0.0, measure.value - low)], [100 * max(0.0, high - measure.value)]]
    axis.errorbar(
        [point.cost], [100 * measure.value], yerr=reach, fmt=mark, color=colour, ecolor=QUIET, elinewidth=0.9, capsize=2
    )
    place = {"textcoords": "offset points", "xytext": (6, 5), "fontsize": 8}
    axis.annotate(f"#{point.row.number}", (point.cost, 100 * measure.value), **place)
