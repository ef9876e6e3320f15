"""`edge-runtime review`: what the machine is not sure of, for people to look at, and their answers."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from edge_runtime import database, settings
from edge_runtime.errors import CamtrapEdgeError, JournalError
from edge_runtime.events.repeats import State
from edge_runtime.journal import repeats
from edge_runtime.journal.answers import Given
from edge_runtime.journal.journal import FILE_NAME, Journal
from edge_runtime.journal.reading import reading
from edge_runtime.journal.results import Result
from edge_runtime.reports import output
from edge_runtime.review import asked, checking, queue, sheets
from edge_runtime.review.checking import Checked
from edge_runtime.settings import DeviceSettings

_SHOWN = 20
_COLUMNS = (sheets.FILE, sheets.FOLDER, sheets.SELECTED, sheets.SPECIES, "Reason", "Answer", "Confidence")
_EPILOG = """\
examples:
  edge-runtime review list -c device.yaml                     what waits for a person, and why
  edge-runtime review export -c device.yaml -o review.csv     the same as a sheet: write into its Species column
  edge-runtime review import -c device.yaml review.csv        take the answers back (also those of a selection)
  edge-runtime review repeats -c device.yaml                  places that are found again and again, held back
  edge-runtime review repeats -c device.yaml --real 7         it is an animal after all

An answer is a class of the classifier, a group of classes, animal, person, vehicle, or empty. It is about the picture,
under whatever name it is read, and wins over the machine's word in every report. Where its event is still open, the
event is sent with it. What was sent already stays: a record is for ever, and version 1 of the payload has no
correction."""


def add(commands: Any) -> None:
    """Put the command in."""
    parser = commands.add_parser(
        "review",
        help="what the machine is not sure of, for people; take back their answers",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parts = parser.add_subparsers(dest="part", required=True, metavar="PART")
    listing = _part(parts, "list", "what waits for a person, and why", _list)
    listing.add_argument("-n", type=int, default=_SHOWN, metavar="N", help=f"photos to show (default {_SHOWN})")
    listing.add_argument("--json", action="store_true", help="print as JSON, one photo a line")
    export = _part(parts, "export", "the same as a sheet (CSV); people write into its Species column", _export)
    export.add_argument("-o", "--output", type=Path, required=True, metavar="review.csv")
    taking = _part(
        parts, "import", "take answers back: all of a sheet, or nothing of it where anything is wrong", _import
    )
    taking.add_argument("answers", type=Path, metavar="answers.csv")
    taking.add_argument("--new-class", action="append", default=[], metavar="NAME", help="may be said too")
    taking.add_argument("--partial", action="store_true", help="the rest will be answered later")
    taking.add_argument("--json", action="store_true", help="print what changed as JSON")
    places = _part(parts, "repeats", "places that are found again and again; say what they are", _repeats)
    places.add_argument("--real", type=int, action="append", default=[], metavar="ID", help="it counts, for ever")
    places.add_argument("--repeat", type=int, action="append", default=[], metavar="ID", help="it does not count")
    places.add_argument("--all", action="store_true", help="those too that were found too seldom so far")
    places.add_argument("--json", action="store_true", help="print as JSON")


def _part(parts: Any, name: str, summary: str, run: Any) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = parts.add_parser(name, help=summary)
    parser.add_argument("-c", "--config", type=Path, required=True, metavar="device.yaml")
    parser.add_argument("-v", "--verbose", action="store_true")
    parser.set_defaults(run=run)
    return parser


def _list(arguments: argparse.Namespace) -> int:
    config = settings.read_device(arguments.config)
    zone, number = ZoneInfo(config.time_zone), 0
    with reading(_journal_file(config)) as reader:
        for number, result in enumerate(queue.waiting(reader), start=1):
            if number <= arguments.n:
                sys.stdout.write(json.dumps(_told(result)) + "\n" if arguments.json else _line(result, zone))
    if not arguments.json:
        more = f", {number - arguments.n} of them not shown" if number > arguments.n else ""
        sys.stdout.write(f"{number} photos and videos wait for a person{more}\n")
    return 0


def _export(arguments: argparse.Namespace) -> int:
    config = settings.read_device(arguments.config)
    number = 0
    with (
        reading(_journal_file(config)) as reader,
        output.table(arguments.output, _COLUMNS) as row,
        asked.noting(Path(config.data), "review") as note,
    ):
        for result in queue.waiting(reader):
            claims = queue.claims(result)
            labels = "; ".join(claim.label for claim in claims)
            confidences = "; ".join(f"{claim.confidence:.3f}" for claim in claims)
            row((*sheets.place(result.path), True, "", result.review, labels, confidences))
            note(result)
            number += 1
    sys.stdout.write(f"{arguments.output}: {number} photos and videos to look at\n")
    return 0


def _import(arguments: argparse.Namespace) -> int:
    config = settings.read_device(arguments.config)
    with _open(config) as journal:
        checked = checking.check(
            arguments.answers,
            journal,
            data=Path(config.data),
            new_names=arguments.new_class,
            partial=arguments.partial,
            every=arguments.verbose,
        )
        with journal.transaction():
            given = journal.answers.give(checked.answers, source=arguments.answers.name, now_s=int(time.time()))
    if arguments.json:
        changed = {checked.names[sha256]: [before, checked.answers[sha256]] for sha256, before in given.changed.items()}
        told = {"answers": len(checked.answers), "new": given.new, "changed": changed, "unchanged": given.unchanged}
        told |= {"open": given.open, "late": given.late, "unread": given.unread}
        sys.stdout.write(json.dumps({**told, "repeated": checked.repeated, "missing": checked.missing}) + "\n")
    else:
        _tell(arguments.answers, checked, given)
    return 0


def _repeats(arguments: argparse.Namespace) -> int:
    config = settings.read_device(arguments.config)
    words: dict[int, State] = {**dict.fromkeys(arguments.real, "real"), **dict.fromkeys(arguments.repeat, "repeat")}
    both = set(arguments.real) & set(arguments.repeat)
    if both:
        raise CamtrapEdgeError(f"place {min(both)} cannot be --real and --repeat")
    if words:
        with _open(config) as journal, journal.transaction():
            for place_id, state in words.items():
                if not journal.repeats.judge(place_id, state):
                    raise CamtrapEdgeError(
                        f"there is no place {place_id}; `edge-runtime review repeats --all` lists them"
                    )
    file = _journal_file(config)
    with closing(database.open_read_only(file)) as connection, database.snapshot(connection):
        listed = repeats.sighted(connection, suspects=arguments.all)
    for one in listed:
        sys.stdout.write(json.dumps(_told_place(one)) + "\n" if arguments.json else _place_line(one))
    if not listed and not arguments.json:
        sys.stdout.write("no place was found often enough to be held back\n")
    return 0


@contextmanager
def _open(config: DeviceSettings) -> Iterator[Journal]:
    """The device's journal, to write; its daemon may be running."""
    file = _journal_file(config)
    if not file.exists():
        raise JournalError(file, "does not exist", hint="has the program run with this configuration yet?")
    with closing(Journal(file, device=config.device)) as journal:
        yield journal


def _journal_file(config: DeviceSettings) -> Path:
    return Path(config.data) / FILE_NAME


def _told(result: Result) -> dict[str, object]:
    return {
        "file": output.text(result.path),
        "camera": result.camera,
        "captured_s": result.captured_s,
        "reason": result.review,
        "answer": [[claim.label, round(claim.confidence, 4)] for claim in queue.claims(result)],
    }


def _line(result: Result, zone: ZoneInfo) -> str:
    taken = (
        "no time"
        if result.captured_s is None
        else f"{datetime.fromtimestamp(result.captured_s, zone):%Y-%m-%d %H:%M:%S}"
    )
    said = ", ".join(f"{claim.label} {claim.confidence:.2f}" for claim in queue.claims(result)) or "nothing"
    return f"{output.text(result.path)}  {result.camera}  {taken}  {said}: {result.review}\n"


def _tell(file: Path, checked: Checked, given: Given) -> None:
    again = f"; {checked.repeated} rows say a picture's answer again" if checked.repeated else ""
    sys.stdout.write(
        f"{file}: {len(checked.answers)} answers: {given.new} new, {len(given.changed)} changed, "
        f"{given.unchanged} as before{again}\n"
    )
    for sha256, before in given.changed.items():
        sys.stdout.write(f"  {checked.names[sha256]}: {checked.answers[sha256]}, was {before}\n")
    if given.open:
        sys.stdout.write(f"  {given.open} go into events that are still open\n")
    if given.late:
        sys.stdout.write(f"  {given.late} came after their event was closed: reports have them, what was sent stays\n")
    if given.unread:
        sys.stdout.write(f"  {given.unread} are of pictures that are not read yet; they count when they are\n")
    if checked.missing:
        sys.stdout.write(f"  {checked.missing} photos still wait for an answer\n")


def _told_place(one: repeats.Sighted) -> dict[str, object]:
    box = one.place.box
    return {
        "id": one.place.id,
        "camera": one.place.camera,
        "state": one.place.state,
        "box": [round(value, 4) for value in (box.x1, box.y1, box.x2, box.y2)],
        "events": one.place.events,
        "photos": one.photos,
        "first": output.text(one.first) if one.first else None,
        "last": output.text(one.last) if one.last else None,
    }


def _place_line(one: repeats.Sighted) -> str:
    place, box = one.place, one.place.box
    where = f"{box.x1:.3f} {box.y1:.3f} {box.x2:.3f} {box.y2:.3f}"
    shown = " to ".join(dict.fromkeys(output.text(path) for path in (one.first, one.last) if path)) or "no file"
    seen = f"{place.events} events, {one.photos} photos: {shown}"
    return f"{place.id:>5}  {place.state:<7}  {place.camera}  box {where}  {seen}\n"
