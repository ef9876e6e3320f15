"""The figures of an evaluation, as values: what the table shows, the bars judge and the model card renders."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

from export_tools.accuracy.intervals import Estimate
from export_tools.accuracy.latency import Timing

DEFAULT, FLOAT, AGAINST = "default", "float", "against"
"""The three detectors: the bundle judged, the same in float, and the one beside it."""


@dataclass(frozen=True, slots=True)
class StratumFigures:
    """Average precision on one kind of photos or boxes, by detector."""

    stratum: str
    photos: int
    boxes: int
    ap50: dict[str, Estimate]
    ap40: dict[str, Estimate]
    difference: Estimate
    """AP50 of the default minus that of the one beside it, paired."""


@dataclass(frozen=True, slots=True)
class OperatingFigures:
    """What one detector gives at one threshold."""

    detector: str
    threshold: float
    chosen: str
    """`by the bundle`, or `best F1 here`: chosen on these very photos, so flattering."""
    truths: int
    right: int
    false: int
    recall: Estimate
    precision: float
    empty_photos: int
    empty_false: int
    """False boxes on the empty photos, all of them together."""
    persons: int
    persons_right: int
    people: int
    people_right: int
    people_false: int
    """Persons on photos held back from training; boxes, right ones, false ones."""


@dataclass(frozen=True, slots=True)
class Counts:
    """What the figures stand on."""

    labelled: int
    boxes: int
    by_class: dict[str, int]
    by_source: dict[str, int]
    """Photos by who drew their boxes."""
    sequences: int
    empty: int
    unlabelled: int
    unreadable: int
    doubtful: tuple[str, ...]
    """Photos on which a box says person or vehicle and the species on record is an animal."""
    held_back: int
    held_back_persons: int


@dataclass(frozen=True, slots=True)
class Bar:
    """One condition and whether it holds."""

    name: str
    default: str
    against: str
    """Both figures, as text."""
    holds: bool | None
    """None where it was not measured."""


@dataclass(frozen=True, slots=True)
class Report:
    """One evaluation."""

    titles: dict[str, str]
    """Detector to its bundle's title."""
    megabytes: dict[str, float]
    """Of the graph, 10^6 bytes."""
    counts: Counts
    strata: tuple[StratumFigures, ...]
    operating: tuple[OperatingFigures, ...]
    timings: tuple[Timing, ...]
    bars: tuple[Bar, ...] = ()

    def stratum(self, name: str) -> StratumFigures:
        """The figures of the stratum called `name`."""
        return next(figures for figures in self.strata if figures.stratum == name)

    def at(self, detector: str, chosen: str) -> OperatingFigures:
        """What `detector` gives at the threshold that was `chosen` so."""
        return next(one for one in self.operating if (one.detector, one.chosen) == (detector, chosen))

    def timing(self, detector: str, engine: str, what: str) -> Timing | None:
        """The timing asked for, None where it was not measured."""
        wanted = (detector, engine, what)
        return next((one for one in self.timings if (one.detector, one.engine, one.what) == wanted), None)


def as_document(report: Report) -> dict[str, Any]:
    """The report as JSON values."""
    document: dict[str, Any] = jsonable(asdict(report))
    return document


def jsonable(value: Any) -> Any:
    """`value` with null for every number that could not be computed."""
    if isinstance(value, dict):
        return {key: jsonable(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [jsonable(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
