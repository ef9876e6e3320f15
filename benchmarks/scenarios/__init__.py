"""What is asked of a model, one file each; adding one touches one new file and one line here.

`single`, `multi` and `offline` follow MLPerf Inference; `trap` and `card` are what
a camera trap asks: a burst out of the cold, and a whole card.
"""

from __future__ import annotations

from collections.abc import Mapping

from benchmarks.document.schema import Scenario
from benchmarks.scenarios import card, multi, offline, single, trap
from benchmarks.scenarios.protocol import Measure

MEASURES: Mapping[Scenario, Measure] = {
    "single": single.measure,
    "multi": multi.measure,
    "offline": offline.measure,
    "trap": trap.measure,
    "card": card.measure,
}
ONE_QUERY: frozenset[Scenario] = frozenset({"trap", "card"})
"""Each of their processes gives one sample."""
WHOLE_WAY: frozenset[Scenario] = ONE_QUERY
"""They go the whole way from card to journal: for detectors."""
TOLD: Mapping[Scenario, str] = {
    "single": "one photo after another: latency",
    "multi": f"{multi.PHOTOS} photos at once: latency of all of them",
    "offline": "as many photos as possible: throughput",
    "trap": f"a burst of {trap.PHOTOS} photos, from the process' start to the first and the last result",
    "card": "a folder from end to end, journal included",
}
