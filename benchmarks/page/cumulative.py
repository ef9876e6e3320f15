"""Which share of the queries was at most how slow: the whole distribution, its ends as wide as its middle."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.document.schema import Percentile, Stats
from benchmarks.page import drawing, thinning, wording
from benchmarks.page.drawing import BLUE, INK, QUIET, RED, Chart
from benchmarks.page.over_time import LEAST_MS
from benchmarks.page.rows import SLOW, Row
from benchmarks.statistics.percentiles import least_samples

SHARES = {"p50": 0.5, "p90": 0.9, "p99": 0.99}
_TICKS = (0.001, 0.01, 0.1, 0.5, 0.9, 0.99, 0.999, 0.9999, 0.99999)


def chart(row: Row) -> Chart:
    """The empirical distribution of `whole`: the i-th of n samples stands at (i - 0.5) / n."""
    ms = np.maximum(np.sort(np.asarray(row.whole_ns, dtype=float)) / 1e6, LEAST_MS)
    share = _stretched((np.arange(1, len(ms) + 1) - 0.5) / len(ms))
    x_range = drawing.roomy(float(ms[0]), float(ms[-1]))
    end = max(abs(float(share[0])), abs(_stretched(0.99))) + 0.6
    whole = row.document.stats["whole"]

    def draw(figure: Any) -> None:
        axis = figure.subplots()
        drawing.log_axis(axis.xaxis, *x_range, axis.set_xscale)
        shown = (float(np.log(x_range[0])), float(np.log(x_range[1])))
        x, y = thinning.steps(np.log(ms), share, x_range=shown, y_range=(-end, end))
        axis.plot(np.exp(x), y, color=BLUE, linewidth=1.6, drawstyle="steps-post", gid="ecdf")
        axis.plot([np.exp(x[-1])], [y[-1]], marker="o", markersize=4, color=RED, linestyle="none", gid="slowest")
        _percentiles(axis, whole, middle=sum(shown) / 2)
        ticks = [each for each in _TICKS if abs(_stretched(each)) < end]
        axis.set_yticks([_stretched(each) for each in ticks], [f"{100 * each:g} %" for each in ticks])
        axis.set_xlim(*x_range)
        axis.set_ylim(-end, end)
        axis.set_xlabel("latency, ms (log)")
        axis.set_ylabel("share of the queries, at most as slow")

    label = f"Distribution of the latency, measurement {row.number}; {_slowest(row)}"
    return Chart(
        svg=drawing.svg(draw, key=f"share{row.number}", label=label, height=3.7),
        title="Distribution of the latency",
        notes=(_slowest(row), _told(whole), "The upright axis is stretched at both ends (logit)."),
        data={"slow": row.slow, "slowest-ms": float(ms[-1]), "x-high-ms": x_range[1]},
    )


def _stretched(share: Any) -> Any:
    return np.log(share / (1 - share))


def _percentiles(axis: Any, whole: Stats, *, middle: float) -> None:
    """Marks beside the rising line; `middle` is the logarithm of the milliseconds in the chart's middle."""
    for name, share in SHARES.items():
        value = getattr(whole, name).value_ns
        if value is None:
            continue
        at = (max(value / 1e6, LEAST_MS), float(_stretched(share)))
        axis.plot(*at, marker="D", markersize=4.5, color=INK, linestyle="none", gid=name)
        right = np.log(at[0]) < middle
        place = {"textcoords": "offset points", "xytext": (8, -9) if right else (-8, 9), "va": "center"}
        axis.annotate(f"{name} {wording.number(at[0])} ms", at, ha="left" if right else "right", color=INK, **place)
    axis.axhline(0, color=QUIET, linewidth=0.6)


def _slowest(row: Row) -> str:
    slowest = wording.ms(row.document.stats["whole"].max_ns)
    many = f"{row.slow:,} sample{'' if row.slow == 1 else 's'}"
    return f"slowest: {many} above {SLOW:g} x median, the slowest {slowest} ms"


def _told(whole: Stats) -> str:
    return "; ".join(percentile(name, getattr(whole, name)) for name in SHARES) + "."


def percentile(name: str, told: Percentile) -> str:
    """A percentile in words, or why there is none."""
    if told.value_ns is None:
        return f"{name} –: {told.n} samples are too few, it needs {least_samples(SHARES[name])}"
    bound = "" if told.bound_ns is None else f", at most {wording.ms(told.bound_ns)} ms"
    return f"{name} {wording.ms(told.value_ns)} ms{bound}"
