"""`edge-runtime process`: one folder into a MegaDetector results file."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any, get_args
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from edge_runtime import batch, console, settings
from edge_runtime.errors import CamtrapEdgeError
from edge_runtime.pipeline import Outcome
from edge_runtime.rules import Rules
from edge_runtime.tuning import choice, stored
from edge_runtime.values import FileStamp


def add(commands: Any) -> None:
    """Put the command in."""
    parser = commands.add_parser("process", help="read one folder into a MegaDetector results file")
    parser.add_argument("folder", type=Path)
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="results.json")
    parser.add_argument("--detector", default="default", metavar="BUNDLE")
    parser.add_argument("--classifier", default="default", metavar="BUNDLE", help="'none' for no species")
    parser.add_argument("--allowed", type=Path, metavar="FILE", help="names that the classifier may answer with")
    parser.add_argument("--threads", type=int, default=settings.cores(), metavar="N", help="default: all cores")
    parser.add_argument("--engine", default="auto", metavar="NAME", help="variant or engine (default: auto, as tuned)")
    parser.add_argument("--time-zone", default="UTC", metavar="ZONE", help="of the cameras' clocks (default: UTC)")
    parser.add_argument("--max-megapixels", type=float, default=200.0, metavar="N", help="refuse larger photos")
    parser.add_argument("--decode", choices=get_args(settings.Decode), default="reduced", help="see device.yaml")
    parser.add_argument("--prefilter", choices=get_args(settings.Prefilter), default="off", help="see device.yaml")
    parser.add_argument("--fresh", action="store_true", help="forget what an interrupted run left")
    parser.add_argument("--json", action="store_true", help="print the summary as JSON")
    parser.add_argument("-v", "--verbose", action="store_true")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Process the folder and print the summary; returns the exit code."""
    try:
        zone = ZoneInfo(arguments.time_zone)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise CamtrapEdgeError(
            f"--time-zone {arguments.time_zone}: no such zone; write it like Africa/Nairobi"
        ) from error
    loaded = choice.load(
        arguments.detector,
        arguments.classifier,
        arguments.engine,
        cpus=arguments.threads,
        file=stored.file_for(None),
        allowed=arguments.allowed,
    )
    rules = Rules(
        zone=zone,
        cameras=(),
        max_pixels=int(arguments.max_megapixels * 1_000_000),
        gap_s=settings.Events().gap_seconds,
        confident=loaded.detector.bundle.manifest.thresholds.confident,
        prefilter=arguments.prefilter,
        decode=arguments.decode,
    )
    with console.progress_bar(unit="photo", about="photos", hidden=arguments.json) as bar:

        def start(files: int, done: int) -> None:
            bar.total, bar.n = files, done
            bar.refresh()

        def progress(stamp: FileStamp, outcome: Outcome) -> None:
            bar.update()

        summary = batch.process(
            arguments.folder,
            arguments.output,
            detector=loaded.detector,
            classifier=loaded.classifier,
            rules=rules,
            workers=loaded.workers,
            fresh=arguments.fresh,
            on_start=start,
            on_outcome=progress,
        )
    for path, reason in summary.unread_folders:
        sys.stderr.write(f"edge-runtime: {path}: {reason}; its photos are missing from the results\n")
    if arguments.json:
        sys.stdout.write(json.dumps({"output": str(arguments.output), **asdict(summary)}, default=str) + "\n")
    else:
        _print_summary(summary, arguments.output)
    return 1 if summary.unread_folders else 0


def _print_summary(summary: batch.Summary, output: Path) -> None:
    totals = summary.totals
    resumed = f" ({summary.resumed} already done by an interrupted run)" if summary.resumed else ""
    sys.stdout.write(f"{output}: {summary.files} files in {summary.seconds:.1f} s{resumed}\n")
    passed = f" ({totals.passed_over} passed over by the prefilter)" if totals.passed_over else ""
    sys.stdout.write(f"  photos {totals.photos}, of these empty {totals.empty}{passed}; ")
    sys.stdout.write(f"duplicates {totals.duplicates}\n")
    if totals.failed or totals.videos:
        sys.stdout.write(
            f"  failed {totals.failed}, videos not read {totals.videos}: listed in the results with their failure\n"
        )
