"""Charts as SVG text for a page: no window, no font file, the same bytes for the same data."""

from __future__ import annotations

import html
import io
import math
import re
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from benchmarks.extras import needed

INK, QUIET, GRID = "#14170f", "#4b5145", "#dfe2da"
BLUE, ORANGE, GREEN, RED, PURPLE, SKY = "#0072b2", "#e69f00", "#009e73", "#d55e00", "#a8487f", "#56b4e9"
"""Okabe and Ito's palette, which colour-blind people tell apart; the purple darker, to be read on white."""
WIDTH = 6.2
"""Inches."""
_SETTINGS = {
    "svg.fonttype": "none",
    "text.parse_math": False,
    "path.simplify": False,
    "font.family": ["DejaVu Sans"],
    "font.size": 9,
    "axes.labelsize": 9,
    "axes.edgecolor": QUIET,
    "axes.labelcolor": INK,
    "axes.axisbelow": True,
    "axes.grid": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "grid.color": GRID,
    "grid.linewidth": 0.7,
    "text.color": INK,
    "xtick.color": QUIET,
    "ytick.color": QUIET,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
}
_COORDINATES = re.compile(r'(?<=\sd=")[^"]+')
_LONG = re.compile(r"-?\d+\.\d{3,}")
_IDS = re.compile(r'(\sid="|href="#|url\(#)')


@dataclass(frozen=True)
class Chart:
    """A picture, what it shows in words, and the numbers that it was drawn from."""

    svg: str
    title: str
    notes: tuple[str, ...]
    data: dict[str, float | int | str] = field(default_factory=dict)
    """Exact values, for whoever checks the picture."""


def svg(draw: Callable[[Any], None], *, key: str, label: str, height: float, width: float = WIDTH) -> str:
    """What `draw` puts into a figure, as an `svg` element that has its own names for its parts.

    Args:
        draw: is given a `matplotlib.figure.Figure`.
        key: different for each chart of a page; letters, digits and hyphens.
        label: what the chart shows, for whoever cannot see it.
        height, width: inches, at 72 points each.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    matplotlib, figures = needed("matplotlib"), needed("matplotlib.figure")
    written = io.StringIO()
    with matplotlib.rc_context({**_SETTINGS, "svg.hashsalt": key}), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a letter that the measuring font lacks: the reader's own font writes it
        figure = figures.Figure(figsize=(width, height), layout="constrained")
        draw(figure)
        nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
        figure.savefig(written, format="svg", metadata=nothing, transparent=True)
    return _embedded(written.getvalue(), key, label)


def _embedded(text: str, key: str, label: str) -> str:
    body = text[text.index("<svg") :]
    body = re.sub(r"<!--.*?-->", "", body, flags=re.DOTALL)
    body = re.sub(r"<style.*?</style>", "", body, flags=re.DOTALL)
    body = re.sub(r"<metadata>.*?</metadata>", "", body, flags=re.DOTALL)
    body = _COORDINATES.sub(lambda found: _shorter(found[0]), body)
    body = _IDS.sub(lambda found: f"{found[1]}{key}-", body)
    head, rest = body.split(">", 1)
    box = re.search(r'viewBox="[^"]+"', head)
    shown = box[0] if box else ""
    xlink = 'xmlns:xlink="http://www.w3.org/1999/xlink" xmlns="http://www.w3.org/2000/svg"'
    return f'<svg {shown} {xlink} role="img" aria-label="{html.escape(label)}">{rest}'


def _shorter(path: str) -> str:
    return " ".join(_LONG.sub(lambda found: f"{float(found[0]):.2f}", path).split())


def broken(strokes: Any) -> tuple[list[float], list[float]]:
    """Upright strokes as one line with gaps: x and y."""
    x: list[float] = []
    y: list[float] = []
    for at, low, high in strokes:
        x += [at, at, math.nan]
        y += [low, high, math.nan]
    return x, y


def log_ticks(low: float, high: float) -> list[float]:
    """Round numbers on a logarithmic axis: at least two between its positive ends, wherever there is room."""
    if high / low < 4:
        step = 10 ** math.floor(math.log10(max(high - low, 1e-12)))
        step = next(size for size in (step / 5, step / 2, step, step * 2, step * 5) if (high - low) / size <= 6)
        first = math.ceil(low / step)
        return [float(f"{index * step:.6g}") for index in range(first, math.floor(high / step) + 1)]
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    several = (1, 1.5, 2, 3, 5, 7) if high / low < 20 else (1, 2, 5) if high / low < 500 else (1,)
    return [digit * 10.0**power for power in decades for digit in several if low <= digit * 10.0**power <= high]


def log_axis(axis: Any, low: float, high: float, set_scale: Callable[[str], object]) -> None:
    """Make an axis logarithmic, with plain numbers at round values."""
    set_scale("log")
    ticks = log_ticks(low, high)
    axis.set_major_locator(needed("matplotlib.ticker").FixedLocator(ticks))
    axis.set_major_formatter(needed("matplotlib.ticker").FuncFormatter(lambda value, _: f"{value:,g}"))
    axis.set_minor_locator(needed("matplotlib.ticker").NullLocator())


def roomy(least: float, most: float, share: float = 0.06) -> tuple[float, float]:
    """Ends of a logarithmic axis, with room beyond the extremes; both positive."""
    room = max((math.log(most) - math.log(least)) * share, 0.02)
    return math.exp(math.log(least) - room), math.exp(math.log(most) + room)
