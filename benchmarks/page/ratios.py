"""How many times as fast as the slowest of its kind, with an interval over whole processes."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.document.schema import Document, Scenario
from benchmarks.page.rows import Row

BY_LATENCY: frozenset[Scenario] = frozenset({"single", "trap"})
"""Scenarios that ask how long one query takes; the others ask how many photos are done in a second."""
LEAST_PROCESSES = 3
"""On both sides; fewer have no spread that could be drawn."""
_RESAMPLES, _SEED, _BLOCK = 10_000, 1, 1_000


@dataclass(frozen=True)
class Ratio:
    """A measurement against its group's baseline: 2 is twice as fast."""

    row: Row
    value: float
    low: float | None
    high: float | None
    """95 %; null where either side has too few processes."""
    processes: int
    labels: tuple[str, ...]
    """What must be said beside it."""


@dataclass(frozen=True)
class Comparison:
    """Documents that may be held against each other, fastest first."""

    scenario: Scenario
    photos: str
    quantity: str
    baseline: Row
    ratios: tuple[Ratio, ...]
    """The baseline's own, 1, is among them."""


def compare(rows: Sequence[Row]) -> list[Comparison]:
    """All groups of at least two rows that share scenario, photos, task, input shape, batch and what `whole` holds."""
    groups: dict[tuple[Any, ...], list[Row]] = {}
    for row in rows:
        groups.setdefault(_kind(row.document), []).append(row)
    return [_compared(members) for members in groups.values() if len(members) > 1]


def _kind(document: Document) -> tuple[Any, ...]:
    model = document.model
    return (
        *(document.run.scenario, document.photos.sha256, document.boundary),
        *(model.task, model.input_shape, model.batch),
    )


def _compared(rows: Sequence[Row]) -> Comparison:
    speeds = {row.number: _speeds(row.document) for row in rows}
    ordered = sorted(rows, key=lambda row: statistics.median(speeds[row.number]), reverse=True)
    baseline = ordered[-1]
    ratios = [_ratio(row, baseline, speeds[row.number], speeds[baseline.number]) for row in ordered]
    document = baseline.document
    quantity = "median latency of whole" if document.run.scenario in BY_LATENCY else "photos per second"
    return Comparison(document.run.scenario, document.photos.name, quantity, baseline, tuple(ratios))


def _speeds(document: Document) -> list[float]:
    """Of each process: photos a second, or queries a second at its median latency."""
    if document.run.scenario in BY_LATENCY:
        medians = (statistics.median(process.samples_ns["whole"]) for process in document.processes)
        return [1e9 / max(median, 1.0) for median in medians]
    return [process.photos / (process.wall_ns / 1e9) for process in document.processes]


def _ratio(row: Row, baseline: Row, one: Sequence[float], other: Sequence[float]) -> Ratio:
    value = statistics.median(one) / statistics.median(other)
    if row is baseline:
        alone = () if row.document.verdict.status == "stable" else (row.document.verdict.status,)
        return Ratio(row, 1.0, None, None, len(one), ("baseline", *alone))
    labels = _labels(row.document, baseline.document)
    few = min(len(one), len(other))
    if few < LEAST_PROCESSES:
        why = f"no interval: {few} process{'' if few == 1 else 'es'} on one side"
        return Ratio(row, value, None, None, len(one), (*labels, why))
    low, high = interval(one, other)
    return Ratio(row, value, low, high, len(one), labels)


def interval(one: Sequence[float], other: Sequence[float]) -> tuple[float, float]:
    """95 % percentile bootstrap (Efron 1979) of the ratio of medians, processes drawn with replacement; seeded."""
    dice = np.random.default_rng(_SEED)
    drawn = [_medians(dice, np.asarray(side, dtype=float)) for side in (one, other)]
    low, high = np.quantile(drawn[0] / drawn[1], [0.025, 0.975])
    return float(low), float(high)


def _medians(dice: np.random.Generator, side: Any) -> Any:
    parts = [np.median(dice.choice(side, (_BLOCK, len(side))), axis=1) for _ in range(_RESAMPLES // _BLOCK)]
    return np.concatenate(parts)


def _labels(one: Document, base: Document) -> tuple[str, ...]:
    labels = []
    if one.device.fingerprint != base.device.fingerprint:
        labels.append("cross-device")
    if one.model.precision != base.model.precision:
        labels.append(f"precision differs: {one.model.precision} against {base.model.precision}")
    if (one.model.threads, one.model.streams) != (base.model.threads, base.model.streams):
        mine, theirs = one.model, base.model
        labels.append(f"threads x streams: {mine.threads}x{mine.streams} against {theirs.threads}x{theirs.streams}")
    if one.platform.runtime != base.platform.runtime:
        mine_, theirs_ = one.platform.runtime, base.platform.runtime
        labels.append(f"runtime: {mine_.name} {mine_.version} against {theirs_.name} {theirs_.version}")
    if one.run.batch != base.run.batch:
        labels.append("measured apart, not in turn")
    for document, name in ((one, "this one"), (base, "the baseline")):
        if document.verdict.status != "stable":
            labels.append(f"{name} is {document.verdict.status}")
    return tuple(labels)
