"""Bursts through the whole pipeline, with the prefilter off and on in turn."""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from zoneinfo import ZoneInfo

from tqdm import tqdm

from benchmarks.bars.prefilter.bursts import Shot
from benchmarks.bars.prefilter.figures import Result, by_area, share
from edge_runtime.intake import scan
from edge_runtime.journal.journal import Journal
from edge_runtime.models.detector import Detector
from edge_runtime.pipeline import Pipeline
from edge_runtime.rules import Rules

FIRST_S = 1_750_000_000
"""Of the first photo, UTC seconds since 1970."""


@dataclass(frozen=True)
class Seen:
    """What one run made of a photo."""

    found: bool
    passed_over: bool


def measure(bursts: Sequence[Sequence[Shot]], detector: Detector, *, rounds: int) -> Result:
    """Take the bursts through the pipeline with the prefilter off and on, in turn."""
    seconds: dict[str, list[float]] = {"off": [], "burst": []}
    seen: dict[str, dict[str, Seen]] = {}
    with tempfile.TemporaryDirectory(prefix="camtrap-edge-prefilter-") as name:
        card = Path(name) / "card"
        areas = _write(card, bursts)
        for _ in tqdm(range(rounds), unit="round", disable=not sys.stderr.isatty(), leave=False):
            for prefilter in ("off", "burst"):
                seen[prefilter], spent = _run(card, Path(name), detector, prefilter)
                seconds[prefilter].append(spent)
    off, on = seen["off"], seen["burst"]
    passed = {path for path, each in on.items() if each.passed_over}
    found = {path for path, each in off.items() if each.found}
    boxed = {path: area for path, area in areas.items() if area}
    return Result(
        bursts=len(bursts),
        photos=len(off),
        passed_over=share(passed, off),
        passed_over_empty=share(passed, off.keys() - found - boxed.keys()),
        lost=share(passed, found),
        lost_by_area=by_area(passed, {path: area for path, area in boxed.items() if path in found}),
        boxed_passed_over=by_area(passed, boxed),
        seconds_off=statistics.median(seconds["off"]),
        seconds_on=statistics.median(seconds["burst"]),
        saved=statistics.median(1 - b / a for a, b in zip(seconds["off"], seconds["burst"], strict=True)),
    )


def _run(card: Path, work: Path, detector: Detector, prefilter: str) -> tuple[dict[str, Seen], float]:
    confident = detector.bundle.manifest.thresholds.confident
    rules = Rules(ZoneInfo("UTC"), (), 200_000_000, gap_s=60, confident=confident)
    with tempfile.TemporaryDirectory(dir=work) as folder:
        journal = Journal(Path(folder) / "journal.sqlite", device="bench")
        chosen = replace(rules, prefilter="burst") if prefilter == "burst" else rules
        pipeline = Pipeline(journal, detector, None, chosen, workers=3)
        photos = [(stamp, True) for stamp in scan.scan(card).photos]
        started = time.perf_counter()
        for _ in pipeline.take_all(photos):
            pass
        spent = time.perf_counter() - started
        seen = {
            str(result.path): Seen(not rules.empty(result.detections), result.passed_over)
            for result in journal.ledger.results()
            if result.failure is None
        }
        journal.close()
    return seen, spent


def _write(card: Path, bursts: Sequence[Sequence[Shot]]) -> dict[str, float | None]:
    """Each burst is a camera of its own; where a photo tells no time its file's does. Returns the areas by path."""
    areas = {}
    for number, burst in enumerate(bursts):
        for index, shot in enumerate(burst):
            file = card / f"CAM{number:04d}" / f"IMG_{index:04d}.JPG"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(shot.jpeg)
            os.utime(file, (FIRST_S + number * 1000 + index,) * 2)
            areas[str(file.relative_to(card))] = shot.area
    return areas
