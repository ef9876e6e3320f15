"""A figure beside what it must hold, and how a benchmark shows a few of them."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class Bar:
    """One figure."""

    what: str
    measured: float
    limit: float | None
    """At most this; None for a figure that only explains another."""
    unit: str
    """`x` for a ratio."""
    how: str
    """The figures behind it, for a person."""

    @property
    def kept(self) -> bool:
        return self.limit is None or self.measured <= self.limit


def show(bars: Sequence[Bar], *, as_json: bool, load: float) -> int:
    """Print the bars; the exit code: 1 where one is broken.

    Args:
        load: the machine's load average before the start, so that a figure taken on a busy one can be told.
    """
    kept = all(bar.kept for bar in bars)
    if as_json:
        rows = [{**asdict(bar), "kept": bar.kept} for bar in bars]
        print(json.dumps({"bars": rows, "kept": kept, "load_before": load, "cpus": os.cpu_count()}))
        return 0 if kept else 1
    width = max(len(bar.what) for bar in bars)
    for bar in bars:
        limit = "" if bar.limit is None else f"limit {bar.limit:g} {bar.unit}"
        verdict = "" if bar.limit is None else "kept" if bar.kept else "BROKEN"
        print(f"{bar.what:{width}}  {bar.measured:8.3f} {bar.unit:2}  {limit:12} {verdict:6}  {bar.how}")
    print(f"load of the machine before the start: {load:.2f} on {os.cpu_count()} processors")
    return 0 if kept else 1
