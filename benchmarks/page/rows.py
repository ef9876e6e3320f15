"""What the report shows: one row a result document, in a fixed order, by device."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby
from pathlib import Path
from typing import Any

import msgspec

from benchmarks.document import reading
from benchmarks.document.errors import ResultError
from benchmarks.document.schema import Document, Percentile
from benchmarks.page import published
from benchmarks.page.published import Publication

SLOW = 2.0
"""Samples above this many medians are counted as slow."""


@dataclass(frozen=True)
class Row:
    """A document with its number on the page, from 1."""

    number: int
    file: Path
    document: Document

    @property
    def setup(self) -> str:
        """Threads and streams: `4x1`."""
        return f"{self.document.model.threads}x{self.document.model.streams}"

    @property
    def infer_p50(self) -> Percentile | None:
        """None where this scenario did not time inference by itself."""
        infer = self.document.stats.get("infer")
        return None if infer is None else infer.p50

    @property
    def peak_rss_bytes(self) -> int | None:
        """The largest of the processes that could tell."""
        return max((each.peak_rss_bytes for each in self.document.processes if each.peak_rss_bytes), default=None)

    @cached_property
    def whole_ns(self) -> list[int]:
        """Samples of `whole` of all processes, in order, nanoseconds."""
        return [ns for process in self.document.processes for ns in process.samples_ns["whole"]]

    @cached_property
    def median_ns(self) -> float:
        """Of `whole`; to find slow samples with, not to show."""
        return statistics.median(self.whole_ns)

    @cached_property
    def slow(self) -> int:
        """Samples above twice the median."""
        return sum(ns > SLOW * self.median_ns for ns in self.whole_ns)


@dataclass(frozen=True)
class Group:
    """The rows of one device, and under which conditions they were measured."""

    anchor: str
    board: str
    rows: tuple[Row, ...]
    conditions: tuple[tuple[str, tuple[tuple[str, str], ...]], ...]
    """Name, and each value with the rows that it holds for (no text where it holds for all)."""
    virtual: bool


@dataclass(frozen=True)
class Found:
    """What lay in the files."""

    rows: tuple[Row, ...]
    publications: tuple[tuple[Path, Publication], ...]
    problems: tuple[ResultError, ...]


def find(paths: Sequence[Path]) -> Found:
    """Read all; a file that cannot be used gives a problem and no row."""
    good, problems = reading.read_all(
        [path for path in paths if not (path.is_dir() and path.name == reading.PUBLISHED)]
    )
    publications, others = published.read_all(paths)
    once, twice = _once(good)
    return Found(numbered(once), tuple(publications), (*problems, *twice, *others))


def _once(good: Iterable[tuple[Path, Document]]) -> tuple[list[tuple[Path, Document]], list[ResultError]]:
    first: dict[str, Path] = {}
    kept, problems = [], []
    for file, document in good:
        if (known := first.setdefault(document.run.id, file)) == file:
            kept.append((file, document))
        else:
            problems.append(ResultError(file, f"is the run of {known} once more", hint="remove one of the two"))
    return kept, problems


def numbered(documents: Iterable[tuple[Path, Document]]) -> tuple[Row, ...]:
    """Rows in the page's order: by board, bundle, variant and scenario."""
    ordered = sorted(documents, key=lambda each: _place(each[1]))
    return tuple(Row(number, *each) for number, each in enumerate(ordered, 1))


def _place(document: Document) -> tuple[Any, ...]:
    device, model, run = document.device, document.model, document.run
    return (
        *(device.board, device.fingerprint, device.serial_hash or ""),
        *(model.bundle, model.variant, run.scenario, model.threads, model.streams, run.started_utc, run.id),
    )


def by_device(rows: Sequence[Row]) -> list[Group]:
    """Rows of one board with one fingerprint and one serial number; they are sorted already."""
    groups = []
    for _, members in groupby(rows, key=lambda row: _place(row.document)[:3]):
        of_device = tuple(members)
        document = of_device[0].document
        groups.append(
            Group(
                anchor=f"device-{of_device[0].number}",
                board=document.device.board,
                rows=of_device,
                conditions=tuple(_differing(of_device)),
                virtual=any(row.document.conditions.virtual for row in of_device),
            )
        )
    return groups


def _differing(rows: Sequence[Row]) -> list[tuple[str, tuple[tuple[str, str], ...]]]:
    told = [(row.number, _conditions(row.document)) for row in rows]
    found = []
    for name in told[0][1]:
        values: dict[str, list[int]] = {}
        for number, conditions in told:
            values.setdefault(conditions[name] or "not told", []).append(number)
        only = len(values) == 1
        found.append((name, tuple((value, "" if only else _numbers(of)) for value, of in values.items())))
    return found


def _numbers(numbers: Sequence[int]) -> str:
    return ", ".join(f"#{number}" for number in numbers)


def _conditions(document: Document) -> dict[str, str | None]:
    device, platform, conditions = document.device, document.platform, document.conditions
    ambient = conditions.ambient_c
    return {
        "governor": conditions.governor,
        "power mode": conditions.power_mode,
        "virtual machine": conditions.virtual or "no, as far as it says",
        "ambient": None if ambient is None else f"{ambient:g} °C",
        "cooling": conditions.cooling,
        "supply": conditions.supply,
        "storage": conditions.storage,
        "runtime": f"{platform.runtime.name} {platform.runtime.version}",
        "processor": f"{device.cpu}, {device.cores} cores, {device.ram_bytes / 2**30:.1f} GiB"
        + (f", {device.soc}" if device.soc else ""),
        "accelerator": device.accelerator or "none told",
        "system": f"{platform.os}, Linux {platform.kernel}, Python {platform.python}",
        "JetPack, driver, CUDA": ", ".join(filter(None, (platform.jetpack, platform.driver, platform.cuda))) or None,
        "fingerprint": device.fingerprint,
    }


def as_dict(row: Row) -> dict[str, Any]:
    """The row for a script: exact values, units in the names, null where it could not be told."""
    document = row.document
    whole = document.stats["whole"]
    return {
        "number": row.number,
        "file": str(row.file),
        "run": document.run.id,
        "board": document.device.board,
        "fingerprint": document.device.fingerprint,
        "bundle": document.model.bundle,
        "variant": document.model.variant,
        "precision": document.model.precision,
        "threads": document.model.threads,
        "streams": document.model.streams,
        "scenario": document.run.scenario,
        "photos": document.photos.name,
        "n": whole.n,
        "whole": {name: msgspec.to_builtins(getattr(whole, name)) for name in ("p50", "p90", "p99")},
        "infer_p50_ns": None if row.infer_p50 is None else row.infer_p50.value_ns,
        "photos_per_s": document.throughput_measured_ips,
        "peak_rss_bytes": row.peak_rss_bytes,
        "slow": row.slow,
        "slowest_ns": whole.max_ns,
        "energy": msgspec.to_builtins(document.energy),
        "accuracy": msgspec.to_builtins(document.accuracy),
        "verdict": msgspec.to_builtins(document.verdict),
    }
