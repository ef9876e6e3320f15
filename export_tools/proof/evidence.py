"""What one variant decides otherwise than another: figures, and the bars that they are held against."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from edge_runtime.bundles.bundle import Bundle
from edge_runtime.bundles.manifest import Measure
from export_tools.accuracy.intervals import Estimate, Share


@dataclass(frozen=True, slots=True)
class Check:
    """One figure and its bar; the larger the better."""

    what: str
    value: float
    low: float
    high: float
    """95 % interval."""
    n: int
    least: float
    """The bar: what is below it fails."""
    enough: int
    """With fewer than so many, one unlucky decision alone would miss the bar: only a loss beyond chance (the whole
    interval below the bar) fails, everything else passes and is called unproven. 0: always judged by the interval."""

    @property
    def failed(self) -> bool:
        judged = 0 < self.enough <= self.n
        return self.n > 0 and self.value < self.least and (judged or self.high < self.least)

    @property
    def unproven(self) -> bool:
        """Passed, but on too few to say so."""
        return not self.failed and self.n < self.enough

    @property
    def shortfall(self) -> float:
        """By how much it misses the bar; 0 where it does not fail."""
        return self.least - self.value if self.failed else 0.0

    def __str__(self) -> str:
        if not self.n:
            return f"{self.what}: nothing to count, at least {_number(self.least)} is asked"
        interval = f"95 % interval {_number(self.low)} to {_number(self.high)}"
        return f"{self.what}: {_number(self.value)} of {self.n} ({interval}), at least {_number(self.least)} is asked"


@dataclass(frozen=True, slots=True)
class Evidence:
    """One variant beside the reference, on the same photos or crops."""

    samples: int
    measures: tuple[Measure, ...]
    checks: tuple[Check, ...]
    loss: float
    """How far the outputs are from the reference's, before any threshold: what layers are ranked by. 0 is equal."""
    each: tuple[float, ...]
    """The same of each sample."""


class Judge(Protocol):
    """Knows what the reference decides on the samples, and compares other variants with it."""

    def evidence(self, bundle: Bundle) -> Evidence:
        """Run `bundle`'s first variant over the samples.

        Raises:
            EngineError, BundleError: it cannot be loaded or run.
        """
        ...

    def part(self, places: Sequence[int]) -> Judge:
        """The same for some of the samples."""
        ...


def from_share(what: str, share: Share, *, least: float, enough: int) -> Check:
    """A check of a count out of a number."""
    return Check(what, share.share, share.low, share.high, share.of, least, enough)


def from_estimate(what: str, estimate: Estimate, n: int, *, least: float, enough: int) -> Check:
    """A check of a mean or a quantile of `n` values."""
    return Check(what, estimate.value, estimate.low, estimate.high, n, least, enough)


def share_measure(name: str, share: Share) -> Measure:
    """A share as a manifest has it; without an interval where nothing was counted."""
    if not share.of:
        return Measure(name=name, value=0.0, n=0)
    return Measure(name=name, value=share.share, n=share.of, low=share.low, high=share.high)


def estimate_measure(name: str, estimate: Estimate, n: int) -> Measure:
    """A mean or quantile as a manifest has it; without an interval where there is none."""
    if not n or not math.isfinite(estimate.value):
        return Measure(name=name, value=0.0, n=0)
    low, high = (round(end, 4) if math.isfinite(end) else None for end in (estimate.low, estimate.high))
    return Measure(name=name, value=round(estimate.value, 4), n=n, low=low, high=high)


def worst(each: Iterable[float], count: int) -> list[int]:
    """Places of the `count` largest values, in their own order."""
    values = list(each)
    return sorted(sorted(range(len(values)), key=lambda place: -values[place])[:count])


def _number(value: float) -> str:
    return f"{value:.4f}" if math.isfinite(value) else "unknown"
