"""What a document sums up: everything in it that follows from its samples."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import msgspec

from benchmarks.document.schema import Document, Model, PhotoSet, Process, Scenario, Stage, Stats
from benchmarks.statistics.percentiles import stats


def summarised(processes: Sequence[Process]) -> dict[Stage, Stats]:
    """Statistics of each stage over the samples of all processes; all have the same stages."""
    stages = processes[0].samples_ns
    return {stage: stats([ns for process in processes for ns in process.samples_ns[stage]]) for stage in stages}


def throughput(processes: Sequence[Process]) -> float:
    """Photos per second over the processes' own walls."""
    return sum(each.photos for each in processes) / (sum(each.wall_ns for each in processes) / 1e9)


def comparable_key(document: Document) -> str:
    """As `key_of`."""
    return key_of(document.run.scenario, document.boundary, document.model, document.photos)


def key_of(scenario: Scenario, boundary: Sequence[Stage], model: Model, photos: PhotoSet) -> str:
    """What two documents must share to be compared: 16 hex digits."""
    told = [scenario, list(boundary), *(value for _, value in of_measurement(model)), photos.sha256]
    return hashlib.sha256(msgspec.json.encode(told)).hexdigest()[:16]


def of_measurement(model: Model) -> tuple[tuple[str, object], ...]:
    """What of a model decides whether two measurements compare, each with its name."""
    return (
        ("task", model.task),
        ("input shape", list(model.input_shape)),
        ("precision", model.precision),
        ("batch", model.batch),
        ("threads", model.threads),
        ("streams", model.streams),
    )
