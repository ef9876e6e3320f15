"""What the whole of a query holds, by scenario and engine."""

from __future__ import annotations

from benchmarks.document.schema import STAGES, Scenario, Stage
from benchmarks.scenarios import WHOLE_WAY

ON_A_GPU = frozenset({"tensorrt"})
"""Engines behind which pictures have to be copied."""
_COPIES: frozenset[Stage] = frozenset({"h2d", "d2h"})
_WAY: frozenset[Stage] = frozenset({"hash", "journal"})
_NEVER: frozenset[Stage] = frozenset({"first", "whole"})


def of(scenario: Scenario, engine: str) -> tuple[Stage, ...]:
    """The stages, in the order of a photo's way."""
    absent = set(_NEVER)
    if engine not in ON_A_GPU:
        absent |= _COPIES
    if scenario not in WHOLE_WAY:
        absent |= _WAY
    if scenario != "trap":
        absent.add("load")
    return tuple(stage for stage in STAGES if stage not in absent)
