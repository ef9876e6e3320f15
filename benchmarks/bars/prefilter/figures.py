"""The figures of one kind of bursts: what is counted, how sure it is, and what people read of it."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

SIZES = ((0.0, 0.0025), (0.0025, 0.01), (0.01, 0.05), (0.05, 1.01))
"""Area of the largest subject, as a fraction of the photo."""


@dataclass(frozen=True)
class Share:
    """`count` of `of`, with Wilson's 95 % interval."""

    count: int
    of: int
    low: float
    high: float

    def __str__(self) -> str:
        if not self.of:
            return "none to count"
        return f"{self.count} of {self.of} = {self.count / self.of:.1%} (95 %: {self.low:.1%} to {self.high:.1%})"


@dataclass(frozen=True)
class Result:
    """One kind of bursts."""

    bursts: int
    photos: int
    passed_over: Share
    """Of all photos."""
    passed_over_empty: Share
    """Of the photos in which the detector finds nothing that counts and nobody has boxed anything."""
    lost: Share
    """Of the photos in which the detector finds something that counts."""
    lost_by_area: dict[str, Share]
    """The same of those with a boxed subject, by its area."""
    boxed_passed_over: dict[str, Share]
    """Of all photos with a boxed subject, by its area, whether the detector finds it or not."""
    seconds_off: float
    seconds_on: float
    saved: float
    """Median over the rounds of 1 - on / off, each within its round."""


def share(these: set[str], of: Iterable[str]) -> Share:
    """How many of `of` are in `these` (Wilson 1927)."""
    among = set(of)
    count, total, z = len(these & among), len(among), 1.96
    if not total:
        return Share(0, 0, 0.0, 1.0)
    rate, spread = count / total, z * z / total
    middle = (rate + spread / 2) / (1 + spread)
    half = z * math.sqrt(rate * (1 - rate) / total + spread / (4 * total)) / (1 + spread)
    return Share(count, total, max(0.0, middle - half), min(1.0, middle + half))


def by_area(passed: set[str], areas: dict[str, float]) -> dict[str, Share]:
    """How many of the photos in `areas` were passed, by the area of their largest subject."""
    return {
        f"{low:.2%} to {min(high, 1):.2%} of the photo": share(
            passed, {path for path, area in areas.items() if low <= area < high}
        )
        for low, high in SIZES
    }


def table(name: str, result: Result) -> str:
    """What people read."""
    lines = [
        f"{name}: {result.photos} photos in {result.bursts} bursts",
        f"  passed over               {result.passed_over}",
        f"  of the empty ones         {result.passed_over_empty}",
        f"  lost of those found       {result.lost}",
    ]
    for title, shares in (("lost", result.lost_by_area), ("passed over, boxed", result.boxed_passed_over)):
        lines += [f"  {title + ', ' + area:51} {each}" for area, each in shares.items() if each.of]
    times = f"{result.seconds_off:.2f} s, {result.seconds_on:.2f} s with it: {result.saved:.0%} saved"
    lines.append(f"  time                      {times}")
    return "\n".join(lines)
