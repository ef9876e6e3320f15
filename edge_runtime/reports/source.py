"""What a report is made of: a journal's results, in order and within dates, as often as a format wants them."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta, timezone, tzinfo
from functools import cached_property
from pathlib import PurePosixPath
from typing import Protocol
from zoneinfo import ZoneInfo

from edge_runtime.bundles.tables import RANKS
from edge_runtime.journal.results import Result
from edge_runtime.journal.runs import Run
from edge_runtime.reports import observations
from edge_runtime.reports.dates import Days
from edge_runtime.reports.left_out import LeftOut
from edge_runtime.settings import Place, Project


class Rows(Protocol):
    """Gives every file with its outcome, as `results.stream`."""

    def __call__(self, *, by_event: bool) -> Iterable[Result]: ...


@dataclass(frozen=True)
class Selection:
    """The files that a report is about."""

    days: Days = field(default_factory=Days)
    """By the cameras' clocks."""
    folder: PurePosixPath = field(default_factory=PurePosixPath)
    """Only what lies below it, relative to which reports name files that want it so."""


@dataclass
class Survey:
    """What all of a report's files are together."""

    files: int = 0
    photos: int = 0
    """Distinct ones that were read."""
    videos: int = 0
    """Distinct ones that were read, at least in part."""
    empty: int = 0
    """Of these photos and videos, those in which nothing counts."""
    failed: int = 0
    duplicates: int = 0
    passed_over: int = 0
    without_time: int = 0
    """Photos and videos without a credible time."""
    names: dict[str, None] = field(default_factory=dict)
    """Every species or group that stands in a result, or that a person gave, in the order of their appearance."""
    cameras: dict[str, tuple[int, int] | None] = field(default_factory=dict)
    """Of each camera its first and last moment, UTC seconds since 1970; None where no photo of it has a time."""
    runs: list[Run] = field(default_factory=list)
    """Those that read the files, oldest first."""
    sizes: array[int] = field(default_factory=lambda: array("I"))
    """Photos and videos of each event, in the order of `Source.events`; four bytes an event."""
    last_s: int | None = None
    """When the last of them was read, UTC seconds since 1970."""


class Source:
    """A journal's results as reports want them.

    Args:
        runs: everything with which the journal's photos were read, oldest first.
        zone: of cameras' clocks for photos whose run is not known; that of the newest run where it is None.
        on_row: called for every file of every pass.
    """

    def __init__(
        self,
        rows: Rows,
        *,
        device: str,
        runs: Sequence[Run],
        zone: tzinfo | None = None,
        selection: Selection | None = None,
        project: Project | None = None,
        left_out: LeftOut | None = None,
        on_row: Callable[[], object] = lambda: None,
    ) -> None:
        self.device, self.runs, self.project = device, runs, project or Project()
        self.left_out = left_out or LeftOut(None)
        self._rows, self._selection, self._on_row = rows, selection or Selection(), on_row
        self._zones: dict[str, tzinfo] = {}
        self._zone = zone or (self._zone_of(runs[-1]) if runs else timezone.utc)
        self.folder = self._selection.folder
        """That the selection keeps to."""
        self.lineages: Mapping[str, tuple[str, ...]] = {
            name: lineage for run in runs for name, lineage in run.lineages.items()
        }
        """Of every name that one of the classifiers can say, its scientific names, class first."""
        self.places: Mapping[str, Place] = {place.name: place for place in self.project.cameras}

    @cached_property
    def coarser(self) -> Mapping[str, tuple[str, ...]]:
        """Of each name those whose lineage begins its own, finest first: what `Taxonomy.coarser` is for one bundle."""
        by_lineage: dict[tuple[str, ...], list[str]] = {}
        for name, lineage in self.lineages.items():
            by_lineage.setdefault(tuple(lineage), []).append(name)
        return {
            name: tuple(
                other for end in range(len(lineage) - 1, 0, -1) for other in by_lineage.get(tuple(lineage[:end]), ())
            )
            for name, lineage in self.lineages.items()
        }

    def files(self) -> Iterator[Result]:
        """Every selected file, ordered by path."""
        return self._selected(by_event=False)

    def media(self) -> Iterator[tuple[Result, bool]]:
        """Every selected file, failures first, then event after event, each by time.

        With it stands whether it shows the same picture as the one before it. It may be marked as a duplicate and yet
        be the only one: the path of the first may have come to mean another picture since.
        """
        last: bytes | None = None
        for result in self._selected(by_event=True):
            yield result, result.sha256 is not None and result.sha256 == last
            last = result.sha256

    def events(self) -> Iterator[Iterator[Result]]:
        """Every event's photos and videos, each picture once; without failures, which belong to none.

        An event has to be read to its end before the next is asked for.
        """
        rows = (result for result, again in self.media() if result.sha256 is not None and not again)
        ahead = next(rows, None)

        def one(first: Result) -> Iterator[Result]:
            nonlocal ahead
            while ahead is not None and ahead.event_id == first.event_id:
                yield ahead
                ahead = next(rows, None)

        while ahead is not None:
            yield one(ahead)

    @cached_property
    def survey(self) -> Survey:
        """A pass over all files."""
        made, titles, event = Survey(), set[tuple[str, ...]](), None
        for result, again in self.media():
            made.files += 1
            if result.failure is not None:
                made.failed += 1
                continue
            if again:
                made.duplicates += 1
                continue
            made.videos += result.video
            made.photos += not result.video
            made.passed_over += result.passed_over
            made.without_time += result.captured_s is None
            made.empty += not observations.of(result)
            if not made.sizes or result.event_id != event:
                made.sizes.append(0)
                event = result.event_id
            made.sizes[-1] += 1
            _note_names(made.names, result)
            _note_time(made.cameras, result)
            if result.processed_s is not None:
                made.last_s = max(made.last_s or 0, result.processed_s)
            if result.run is not None:
                titles.add(_titles(result.run))
        made.runs = [run for run in self.runs if _titles(run) in titles]
        return made

    def local(self, moment_s: int, run: Run | None) -> datetime:
        """A moment by the clock of the camera whose photo was read by `run`."""
        return datetime.fromtimestamp(moment_s, self._zone_of(run))

    def lineage(self, name: str) -> tuple[str, ...]:
        """Scientific names of a species or group from the class down; empty where no bundle says any."""
        return self.lineages.get(name, ())

    def ranks(self, name: str) -> dict[str, str]:
        """As `lineage`, by rank; every rank is there."""
        lineage = self.lineage(name)
        return {rank: lineage[place] if place < len(lineage) else "" for place, rank in enumerate(RANKS)}

    def _selected(self, *, by_event: bool) -> Iterator[Result]:
        days, folder = self._selection.days, self._selection.folder
        everything, any_day = folder == PurePosixPath(), days == Days()
        for result in self._rows(by_event=by_event):
            self._on_row()
            if (everything or folder in result.path.parents) and (any_day or days.hold(self._day(result))):
                yield result

    def _day(self, result: Result) -> date | None:
        return None if result.captured_s is None else self.local(result.captured_s, result.run).date()

    def _zone_of(self, run: Run | None) -> tzinfo:
        if run is None:
            return self._zone
        if run.time_zone not in self._zones:
            self._zones[run.time_zone] = ZoneInfo(run.time_zone)
        return self._zones[run.time_zone]


def media_id(result: Result) -> str:
    """Names a picture wherever it is copied: 32 hex digits of its hash."""
    return (result.sha256 or b"").hex()[:32]


def models(run: Run | None) -> str:
    """What read a photo, as one text; empty where nobody noted it."""
    return "" if run is None else "; ".join(filter(None, (run.detector, run.classifier, run.embedder)))


def iso(moment: datetime) -> str:
    """`2026-05-01T06:00:00+03:00`; whole minutes of offset, as ISO 8601 wants them."""
    text = moment.isoformat(timespec="seconds")
    offset = moment.utcoffset() or timedelta()
    if not offset.seconds % 60:
        return text
    whole = timezone(timedelta(minutes=round(offset.total_seconds() / 60)))
    return moment.astimezone(whole).isoformat(timespec="seconds")


def _note_names(names: dict[str, None], result: Result) -> None:
    for found in (*result.detections, *observations.of(result)):
        if found.species is not None:
            names[found.species.name] = None


def _note_time(cameras: dict[str, tuple[int, int] | None], result: Result) -> None:
    at, known = result.captured_s, cameras.setdefault(result.camera, None)
    if at is not None:
        cameras[result.camera] = (at, at) if known is None else (min(known[0], at), max(known[1], at))


def _titles(run: Run) -> tuple[str, ...]:
    return (run.detector, run.classifier or "", run.embedder or "", str(run.confident), run.time_zone)
