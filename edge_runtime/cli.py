"""`edge-runtime`: the device's command."""

from __future__ import annotations

import argparse
import json
import logging
import signal
import sys
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from tqdm import tqdm
from tqdm.contrib.logging import logging_redirect_tqdm

from edge_runtime import assembly, batch, console, settings, status
from edge_runtime.device import memory
from edge_runtime.errors import CamtrapEdgeError
from edge_runtime.models import loading
from edge_runtime.pipeline import Outcome
from edge_runtime.rules import Rules
from edge_runtime.values import FileStamp

PROGRAM = "edge-runtime"
EXAMPLES = """\
  edge-runtime run -c device.yaml                      watch the cards, infer, send
  edge-runtime run -c device.yaml --until-idle         one card, then end (for boards that sleep)
  edge-runtime process /media/CARD -o results.json     one folder into a MegaDetector file, no broker
  edge-runtime status -c device.yaml --json            what the device has done, for scripts

exit codes: 0 done; 1 something failed; 2 configuration or models; 3 no station reached; 130 interrupted"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code."""
    arguments = _parser().parse_args(argv)
    command = {"run": _run, "process": _process, "status": _status}[arguments.command]
    memory.return_large_blocks()
    return console.run(
        PROGRAM,
        lambda: command(arguments),
        verbose=arguments.verbose,
        interrupted="interrupted; the same command goes on where it stopped",
    )


def _parser() -> argparse.ArgumentParser:
    parser = console.parser(PROGRAM, "Reads camera-trap cards on the spot and sends what matters.", EXAMPLES)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    run = commands.add_parser("run", help="watch the card folder, infer, send summaries")
    run.add_argument("-c", "--config", type=Path, required=True, metavar="device.yaml")
    run.add_argument("--until-idle", action="store_true", help="end once everything is read and acknowledged")

    process = commands.add_parser("process", help="read one folder into a MegaDetector results file")
    process.add_argument("folder", type=Path)
    process.add_argument("-o", "--output", type=Path, required=True, metavar="results.json")
    process.add_argument("--detector", default="default", metavar="BUNDLE")
    process.add_argument("--classifier", default="default", metavar="BUNDLE", help="'none' for no species")
    process.add_argument("--threads", type=int, default=2, metavar="N")
    process.add_argument("--time-zone", default="UTC", metavar="ZONE", help="of the cameras' clocks (default: UTC)")
    process.add_argument("--max-megapixels", type=float, default=200.0, metavar="N", help="refuse larger photos")
    process.add_argument("--fresh", action="store_true", help="forget what an interrupted run left")
    process.add_argument("--json", action="store_true", help="print the summary as JSON")

    shown = commands.add_parser("status", help="what the device has read, found and sent")
    shown.add_argument("-c", "--config", type=Path, required=True, metavar="device.yaml")
    shown.add_argument("--json", action="store_true", help="print as JSON")

    for each in (run, process, shown):
        each.add_argument("-v", "--verbose", action="store_true")
    return parser


def _run(arguments: argparse.Namespace) -> int:
    device = assembly.assemble(settings.read_device(arguments.config))
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: device.daemon.stop())
    device.run(until_idle=arguments.until_idle)
    return 0


def _process(arguments: argparse.Namespace) -> int:
    try:
        zone = ZoneInfo(arguments.time_zone)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise CamtrapEdgeError(
            f"--time-zone {arguments.time_zone}: no such zone; write it like Africa/Nairobi"
        ) from error
    detector = loading.load_detector(arguments.detector, threads=1, streams=arguments.threads)
    classifier = loading.load_classifier(arguments.classifier, threads=1, streams=arguments.threads)
    rules = Rules(
        zone=zone,
        cameras=(),
        max_pixels=int(arguments.max_megapixels * 1_000_000),
        gap_s=settings.Events().gap_seconds,
        confident=detector.bundle.manifest.thresholds.confident,
    )
    with tqdm(unit="photo", desc="photos", disable=arguments.json or not sys.stderr.isatty()) as bar:

        def start(files: int, done: int) -> None:
            bar.total, bar.n = files, done
            bar.refresh()

        def progress(stamp: FileStamp, outcome: Outcome) -> None:
            bar.update()

        with logging_redirect_tqdm(loggers=[logging.getLogger()]):
            summary = batch.process(
                arguments.folder,
                arguments.output,
                detector=detector,
                classifier=classifier,
                rules=rules,
                workers=arguments.threads + 1,
                fresh=arguments.fresh,
                on_start=start,
                on_outcome=progress,
            )
    for path, reason in summary.unread_folders:
        print(f"{PROGRAM}: {path}: {reason}; its photos are missing from the results", file=sys.stderr)
    if arguments.json:
        print(json.dumps({"output": str(arguments.output), **asdict(summary)}, default=str))
    else:
        _print_summary(summary, arguments.output)
    return 1 if summary.unread_folders else 0


def _print_summary(summary: batch.Summary, output: Path) -> None:
    totals = summary.totals
    resumed = f" ({summary.resumed} already done by an interrupted run)" if summary.resumed else ""
    print(f"{output}: {summary.files} files in {summary.seconds:.1f} s{resumed}")
    print(f"  photos {totals.photos}, of these empty {totals.empty}; duplicates {totals.duplicates}")
    if totals.failed or totals.videos:
        print(f"  failed {totals.failed}, videos not read {totals.videos}: listed in the results with their failure")


def _status(arguments: argparse.Namespace) -> int:
    config = settings.read_device(arguments.config)
    now = status.read(config)
    if arguments.json:
        print(json.dumps(asdict(now)))
        return 0
    zone = ZoneInfo(config.time_zone)
    last = "never" if now.last_photo_s is None else datetime.fromtimestamp(now.last_photo_s, zone).isoformat(" ")
    print(f"device       {now.device} (journal {now.journal}, epoch {now.epoch})")
    print(f"photos       {now.photos}, of these empty {now.empty}; last one {last}")
    print(f"not read     {now.failed} failed, {now.videos} videos; {now.duplicates} duplicates")
    print(f"events       {now.events}, and {now.open_events} still open")
    print(f"outbox       {now.waiting} waiting for a station's acknowledgement")
    for path, problem in now.failures:
        print(f"  failed     {path}: {problem}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
