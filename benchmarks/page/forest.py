"""Ratios as a forest plot: a dot, its interval, and the line at 1."""

from __future__ import annotations

from typing import Any

from benchmarks.page import drawing, wording
from benchmarks.page.drawing import BLUE, INK, QUIET, Chart
from benchmarks.page.ratios import Comparison, Ratio


def chart(comparison: Comparison, number: int) -> Chart:
    """One line a measurement, fastest on top; hollow where there is no interval."""
    ratios = comparison.ratios
    ends = [end for each in ratios for end in (each.low, each.value, each.high) if end is not None]
    x_range = drawing.roomy(min(ends), max(ends), 0.1)

    def draw(figure: Any) -> None:
        axis = figure.subplots()
        drawing.log_axis(axis.xaxis, *x_range, axis.set_xscale)
        axis.axvline(1, color=INK, linewidth=1)
        for place, ratio in enumerate(ratios):
            if ratio.low is not None and ratio.high is not None:
                axis.plot([ratio.low, ratio.high], [place, place], color=BLUE, linewidth=2, solid_capstyle="butt")
            alone = ratio.low is None
            how = {"markerfacecolor": "white", "markeredgecolor": QUIET} if alone else {"color": BLUE}
            axis.plot([ratio.value], [place], marker="s", markersize=6, linestyle="none", **how)
        axis.set_yticks(range(len(ratios)), [_name(ratio) for ratio in ratios])
        axis.set_ylim(len(ratios) - 0.5, -0.5)
        axis.set_xlim(*x_range)
        axis.grid(visible=False, axis="y")
        axis.set_xlabel(f"times as fast as #{comparison.baseline.number} (log)")

    title = f"Scenario {comparison.scenario}: {comparison.quantity}"
    label = f"{title}: {len(ratios)} measurements against number {comparison.baseline.number}"
    height = 0.75 + 0.42 * len(ratios)
    svg = drawing.svg(draw, key=f"forest{number}", label=label, width=9.4, height=height)
    about = (
        "Squares: ratio of the medians of the processes; lines: 95 % bootstrap interval over processes; hollow: none."
    )
    return Chart(svg, title, (about,), {"baseline": comparison.baseline.number})


def _name(ratio: Ratio) -> str:
    document = ratio.row.document
    model = document.model
    first = f"#{ratio.row.number} {wording.label(f'{model.bundle} {model.variant}', 40)} {ratio.row.setup}"
    told = [label for label in ratio.labels if label == "cross-device" or label.startswith("precision")]
    second = wording.label(document.device.board, 30) + "".join(f", {label}" for label in told)
    return f"{first}\n{second}"
