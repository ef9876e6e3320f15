"""`edge-runtime why-slow`: where a photo's time goes on this device, and what would help."""

from __future__ import annotations

import argparse
import json
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import asdict
from typing import Any

from edge_runtime import engines
from edge_runtime.commands import place
from edge_runtime.commands.place import Place
from edge_runtime.journal.journal import Journal
from edge_runtime.laps import StopWatch
from edge_runtime.models.classifier import Classifier
from edge_runtime.models.detector import Detector
from edge_runtime.pipeline import Pipeline
from edge_runtime.rules import Rules
from edge_runtime.tuning import choice, plan, report, sample, slowness
from edge_runtime.tuning.advice import Circumstances
from edge_runtime.tuning.choice import Chosen
from edge_runtime.tuning.slowness import MakePipeline, Slowness

PHOTOS = 30


def add(commands: Any) -> None:
    """Put the command in."""
    parser = commands.add_parser("why-slow", help="where a photo's time goes on this device, and what would help")
    place.add_options(parser, photos=PHOTOS)
    parser.add_argument("--classifier", metavar="BUNDLE", help="default: that of device.yaml, else the package's own")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Measure and print; returns the exit code."""
    with _unheard() if not arguments.verbose else nullcontext():
        found = _measure(arguments)
    if arguments.json:
        sys.stdout.write(json.dumps({**asdict(found), "of_the_floor": found.of_the_floor}) + "\n")
    else:
        sys.stdout.write(report.slowness(found))
    return 0


@contextmanager
def _unheard() -> Iterator[None]:
    """Its events go into a journal that is thrown away; nobody should take them for new ones."""
    log = logging.getLogger("edge_runtime")
    before = log.level
    log.setLevel(logging.WARNING)
    try:
        yield
    finally:
        log.setLevel(before)


def _measure(arguments: argparse.Namespace) -> Slowness:
    where = place.find(arguments)
    models, file = where.models, where.tuned_file
    drawn = sample.draw(where.folder, arguments.photos, max_pixels=where.max_pixels)
    finds = choice.detector(models.detector, models.engine, cpus=models.threads, file=file)
    named = arguments.classifier or models.classifier
    names = choice.classifier(named, models.engine, cpus=models.threads, file=file)
    watch = StopWatch()
    single = Detector(finds.bundle, threads=1), Classifier(names.bundle, threads=1) if names else None
    loaded = choice.opened(finds, names)
    with place.progress_bar(hidden=arguments.json) as progress:
        return slowness.measure(
            drawn.photos,
            watch,
            _maker(where, *single, workers=1),
            _maker(where, loaded.detector, loaded.classifier, workers=loaded.workers),
            cpus=models.threads,
            data=file.parent,
            now=_circumstances(where, finds),
            progress=progress,
        )


def _circumstances(where: Place, detector: Chosen) -> Circumstances:
    here = plan.runnable(choice.find(where.models.detector), engines.available())
    return Circumstances(
        tuned=detector.tuned,
        precision=detector.bundle.manifest.variants[0].precision,
        int8=next((variant.name for variant in here if variant.precision == "int8"), ""),
        full_decode=where.models.decode == "full",
    )


def _maker(where: Place, detector: Detector, classifier: Classifier | None, *, workers: int) -> MakePipeline:
    chosen = where.models.confidence
    rules = Rules(
        zone=where.zone,
        cameras=where.cameras,
        max_pixels=where.max_pixels,
        gap_s=where.gap_s,
        confident=detector.bundle.manifest.thresholds.confident if chosen is None else chosen,
        decode=where.models.decode,
    )

    def make(journal: Journal) -> Pipeline:
        return Pipeline(journal, detector, classifier, rules, workers=workers)

    return make
