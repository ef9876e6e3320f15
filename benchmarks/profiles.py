"""How long is measured. From the rules of MLPerf Inference, and from how many processes a comparison needs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from benchmarks.document.schema import Profile


@dataclass(frozen=True, slots=True)
class Length:
    """Of one subject's measurement."""

    seconds: float
    """Of queries, over all processes."""
    queries: int
    """At least so many, over all processes."""
    processes: int
    soak_s: float
    """Under load before anything is measured, so that the board is as hot as it gets."""


LENGTHS: Mapping[Profile, Length] = {
    "quick": Length(seconds=30, queries=0, processes=8, soak_s=0),
    "standard": Length(seconds=60, queries=1024, processes=10, soak_s=0),
    "official": Length(seconds=600, queries=1024, processes=10, soak_s=300),
}
MOST_PROCESSES = 64
"""Of the scenarios in which each process gives one sample: as many as the time allows, up to what a p90 needs."""
LEAST_PROCESSES = 3
WARM_UP_SHARE = 0.5
"""Of a process' time, for warming up at most; the official profile takes what it needs."""
