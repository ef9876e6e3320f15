"""Where the time of a query goes: medians of the stages, one bar a measurement."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from benchmarks.document.schema import STAGES, Stage
from benchmarks.page import drawing, wording
from benchmarks.page.drawing import BLUE, GREEN, INK, ORANGE, PURPLE, RED, SKY, Chart
from benchmarks.page.rows import Group, Row

SHOWN: tuple[Stage, ...] = tuple(stage for stage in STAGES if stage not in ("first", "whole"))
_LOOKS: dict[Stage, tuple[str, str]] = {
    "load": ("#b9bdb1", "//"),
    "read": ("#6f766a", ""),
    "hash": ("#d9dcd2", ".."),
    "decode": (SKY, ""),
    "preprocess": (GREEN, ""),
    "h2d": ("#f0e442", "\\\\"),
    "infer": (BLUE, ""),
    "d2h": ("#f0e442", "//"),
    "postprocess": (ORANGE, ""),
    "journal": (PURPLE, ""),
}
"""Colour and hatching."""


def medians(row: Row) -> dict[Stage, int]:
    """Median nanoseconds of each stage that was timed by itself, where the samples are enough for one."""
    found = ((stage, row.document.stats.get(stage)) for stage in SHOWN)
    return {stage: stats.p50.value_ns for stage, stats in found if stats and stats.p50.value_ns is not None}


def stages_of(rows: Sequence[Row]) -> list[Stage]:
    """The stages that any of these rows timed, in the order of a photo's way."""
    return [stage for stage in SHOWN if any(stage in medians(row) for row in rows)]


def shown(group: Group) -> list[Row]:
    """Rows of a device that have such medians."""
    return [row for row in group.rows if medians(row)]


def chart(group: Group) -> Chart:
    """Stacked medians of one device's measurements; a mark at the median of the whole query."""
    rows = shown(group)
    stages = stages_of(rows)

    def draw(figure: Any) -> None:
        axis = figure.subplots()
        for place, row in enumerate(rows):
            left = 0.0
            for stage, ns in medians(row).items():
                colour, hatch = _LOOKS[stage]
                axis.barh(place, ns / 1e6, left=left, height=0.62, color=colour, hatch=hatch, edgecolor="white")
                left += ns / 1e6
            whole = row.document.stats["whole"].p50.value_ns
            if whole is not None:
                axis.plot([whole / 1e6] * 2, [place - 0.42, place + 0.42], color=RED, linewidth=2)
        axis.set_yticks(range(len(rows)), [_name(row) for row in rows])
        axis.set_ylim(len(rows) - 0.45, -0.55)
        axis.set_xlim(left=0)
        axis.set_xlabel("ms, medians")
        axis.grid(visible=False, axis="y")
        patches = [axis.barh([0], [0], color=_LOOKS[stage][0], hatch=_LOOKS[stage][1], label=stage) for stage in stages]
        mark = axis.plot([], [], color=RED, linewidth=2, label="whole query")
        figure.legend(handles=[*patches, *mark], loc="outside upper left", ncols=6, frameon=False, labelcolor=INK)

    label = f"Medians of the stages on {group.board}, {len(rows)} measurements"
    return Chart(
        svg=drawing.svg(draw, key=f"stages{rows[0].number}", label=label, width=9.4, height=1.15 + 0.36 * len(rows)),
        title=f"Stages on {group.board}",
        notes=("A median of sums is not the sum of medians: the bar may end beside the whole query's mark.",),
    )


def _name(row: Row) -> str:
    model = row.document.model
    return f"#{row.number} {wording.label(f'{model.bundle} {model.variant}')} {row.setup} {row.document.run.scenario}"
