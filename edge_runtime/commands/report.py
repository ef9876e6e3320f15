"""`edge-runtime report`: what the journal knows, in a format that others read."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any
from zoneinfo import ZoneInfo

from msgspec import structs

from edge_runtime import console, settings
from edge_runtime.errors import CamtrapEdgeError
from edge_runtime.journal import journal as journals
from edge_runtime.journal import reading
from edge_runtime.journal.reading import JournalReader
from edge_runtime.reports import dates, left_out, output
from edge_runtime.reports.dates import Days
from edge_runtime.reports.formats import EVENT_TABLE, FORMATS, Format
from edge_runtime.reports.left_out import LeftOut
from edge_runtime.reports.source import Selection, Source
from edge_runtime.settings import DeviceSettings, Place, Project


def add(commands: Any) -> None:
    """Put the command in."""
    parser = commands.add_parser("report", help="write what the journal knows in a format that others read")
    parser.add_argument("--format", choices=tuple(FORMATS), required=True)
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("-c", "--config", type=Path, metavar="device.yaml", help="the journal of this device")
    where.add_argument("--journal", type=Path, metavar="FILE", help="a journal, or a copy of one")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="OUTPUT", help="camtrap-dp: a folder")
    parser.add_argument("--project", type=Path, metavar="project.yaml", help="what the study is, and cameras' places")
    parser.add_argument("--since", type=dates.day, metavar="DATE", help="first day, like 2026-05-01")
    parser.add_argument("--until", type=dates.day, metavar="DATE", help="last day")
    parser.add_argument("--root", metavar="FOLDER", help="timelapse: the image set's, as the journal has paths")
    parser.add_argument("--per", choices=("detection", "event"), default="detection", help="csv: what has a row")
    parser.add_argument("--json", action="store_true", help="print the summary as JSON")
    parser.add_argument("-v", "--verbose", action="store_true")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Write the report and print the summary; returns the exit code."""
    started = time.monotonic()
    config = None if arguments.config is None else settings.read_device(arguments.config)
    journal_file = arguments.journal if config is None else Path(config.data) / journals.FILE_NAME
    chosen = _chosen(arguments)
    root = _root(arguments)
    output.check(arguments.output, folder=chosen.folder)
    left_out_file = left_out.beside(arguments.output, folder=chosen.folder)
    with reading.reading(journal_file) as reader, LeftOut(left_out_file) as missing:
        with _progress(reader, chosen, hidden=arguments.json) as on_row:
            source = Source(
                reader.results,
                device=reader.device,
                runs=reader.runs(),
                zone=ZoneInfo(config.time_zone) if config else None,
                selection=Selection(Days(arguments.since, arguments.until), root),
                project=_project(arguments.project, config),
                left_out=missing,
                on_row=on_row,
            )
            _ = source.survey  # the first pass, which finds a damaged journal before anything is written
            chosen.write(source, arguments.output)
        summary = _summary(arguments, source, time.monotonic() - started)
    if arguments.json:
        sys.stdout.write(json.dumps(summary) + "\n")
    else:
        _print(summary)
    return 0


def _chosen(arguments: argparse.Namespace) -> Format:
    if arguments.root is not None and arguments.format != "timelapse":
        raise CamtrapEdgeError("--root is for --format timelapse")
    if arguments.per == "event":
        if arguments.format != "csv":
            raise CamtrapEdgeError("--per event is for --format csv")
        return EVENT_TABLE
    return FORMATS[arguments.format]


def _root(arguments: argparse.Namespace) -> PurePosixPath:
    """The image set's root relative to the watched folder, as the journal has its paths; all of it by default."""
    root = PurePosixPath(arguments.root or "")
    if root.is_absolute() or ".." in root.parts:
        raise CamtrapEdgeError(f"--root {root}: name it as the journal has it, below the watched folder (CARD_A/DCIM)")
    return root


def _project(file: Path | None, config: DeviceSettings | None) -> Project:
    """The file's project, or the device's; with the places of both, where the file's win."""
    project = settings.read_project(file) if file else config.project if config else Project()
    places = {}
    for camera in config.cameras if config else ():
        if camera.latitude is not None and camera.longitude is not None:
            place = Place(name=camera.name, latitude=camera.latitude, longitude=camera.longitude)
            places[camera.name] = place
    for place in (*(config.project.cameras if config else ()), *project.cameras):
        places[place.name] = place
    return structs.replace(project, cameras=tuple(places.values()))


@dataclass
class _Row:
    """Moves a bar; seldom, for there are a million of them."""

    bar: Any
    waiting: int = 0

    def __call__(self) -> None:
        self.waiting += 1
        if self.waiting == 1000:
            self.bar.update(self.waiting)
            self.waiting = 0


@contextmanager
def _progress(reader: JournalReader, chosen: Format, *, hidden: bool) -> Iterator[_Row]:
    totals = reader.totals()
    files = totals.photos + totals.failed + totals.duplicates + totals.videos
    with console.progress_bar(unit="file", about="report", hidden=hidden) as bar:
        bar.total = files * chosen.passes
        yield _Row(bar)


def _summary(arguments: argparse.Namespace, source: Source, seconds: float) -> dict[str, Any]:
    survey, missing = source.survey, source.left_out
    return {
        "format": arguments.format,
        "output": str(arguments.output),
        "files": survey.files,
        "photos": survey.photos,
        "videos": survey.videos,
        "empty": survey.empty,
        "failed": survey.failed,
        "duplicates": survey.duplicates,
        "events": len(survey.sizes),
        "without_time": survey.without_time,
        "left_out": dict(missing.counts),
        "left_out_list": str(missing.file) if missing.counts else None,
        "seconds": round(seconds, 3),
    }


def _print(summary: dict[str, Any]) -> None:
    sys.stdout.write(f"{summary['output']}: {summary['files']} files in {summary['seconds']:.1f} s\n")
    sys.stdout.write(
        f"  photos {summary['photos']}, videos {summary['videos']}, of these empty {summary['empty']}; "
        f"failed {summary['failed']}, duplicates {summary['duplicates']}\n"
    )
    for reason, number in summary["left_out"].items():
        sys.stdout.write(f"  left out {number}: {reason}\n")
    if summary["left_out_list"]:
        sys.stdout.write(f"  listed in {summary['left_out_list']}\n")
