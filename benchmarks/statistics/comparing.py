"""Whether B is slower than A, or only luck: ranks of whole processes, never of single queries.

Queries of one process share its luck (where its memory lies, what else ran), so a process counts once, by its median.
Sources: H. B. Mann and D. R. Whitney 1947; the interval is the percentile bootstrap (B. Efron 1979).
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from benchmarks.document.schema import Document
from benchmarks.document.summary import of_measurement
from benchmarks.extras import needed

ALPHA = 0.002
"""Two sides."""
LEAST_PROCESSES = 7
"""On each side. Six against six that do not overlap at all give p = 2/924 = .0022: they can never show a difference."""
GATE = 0.05
_RESAMPLES = 10_000
_SEED = 1

Outcome = Literal["slower", "faster", "alike"]


@dataclass(frozen=True, slots=True)
class Comparison:
    """B against A. Medians are of the processes' medians, nanoseconds."""

    a_ns: float
    b_ns: float
    ratio: float
    """b / a: above 1 B is slower."""
    low: float
    high: float
    """95 % interval of the ratio."""
    p: float
    processes: tuple[int, int]
    outcome: Outcome
    doubtful: bool
    """The ratio is beyond the gate, but the ranks do not say so."""


def process_medians(document: Document) -> list[float]:
    """Median of `whole` in each process, nanoseconds."""
    return [statistics.median(process.samples_ns["whole"]) for process in document.processes]


def refusals(a: Document, b: Document) -> list[str]:
    """Why the two must not be held against each other; empty where nothing speaks against it."""
    differing = [
        ("scenarios", a.run.scenario, b.run.scenario),
        ("timing boundaries", ", ".join(a.boundary), ", ".join(b.boundary)),
        *(
            (name, one, other)
            for (name, one), (_, other) in zip(of_measurement(a.model), of_measurement(b.model), strict=True)
        ),
        ("photos", f"{a.photos.name} {a.photos.sha256[:8]}", f"{b.photos.name} {b.photos.sha256[:8]}"),
    ]
    return [f"different {name}: {one} and {other}" for name, one, other in differing if one != other]


def compare(a: Sequence[float], b: Sequence[float], *, gate: float = GATE) -> Comparison:
    """Compare two sides by their processes' medians, each at least one.

    A difference is called only where the ranks say so (p < .002) and it is larger than the gate.

    Args:
        gate: 0.05 for 5 %.

    Raises:
        CamtrapEdgeError: scipy is not installed.
    """
    scipy_stats, np = needed("scipy.stats"), needed("numpy")
    ties = len({*a, *b}) < len(a) + len(b)
    p = float(scipy_stats.mannwhitneyu(a, b, method="asymptotic" if ties else "exact").pvalue)
    ratio = statistics.median(b) / statistics.median(a)
    dice = np.random.default_rng(_SEED)
    drawn = [np.median(dice.choice(np.asarray(side), (_RESAMPLES, len(side))), axis=1) for side in (a, b)]
    low, high = np.quantile(drawn[1] / drawn[0], [0.025, 0.975])
    different = p < ALPHA and abs(ratio - 1) > gate
    outcome: Outcome = "alike" if not different else "slower" if ratio > 1 else "faster"
    return Comparison(
        a_ns=statistics.median(a),
        b_ns=statistics.median(b),
        ratio=ratio,
        low=float(low),
        high=float(high),
        p=p,
        processes=(len(a), len(b)),
        outcome=outcome,
        doubtful=not different and abs(ratio - 1) > gate,
    )
