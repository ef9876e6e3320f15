"""`edge-station`: the ranger station's command."""

from __future__ import annotations

import argparse
import csv
import json
import logging
import signal
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from zoneinfo import ZoneInfo

from edge_runtime import console, settings
from edge_runtime.errors import CamtrapEdgeError, ConfigError, PayloadError
from edge_runtime.station import documents, explain, wording
from edge_runtime.station.provisioning import cli as provisioning
from edge_runtime.station.store import FILE_NAME, Reader, Store
from edge_runtime.station.values import StoredEvent
from edge_runtime.uplink.codebook import MAX_COMPRESSED, Codebook

PROGRAM = "edge-station"
EXAMPLES = """\
  edge-station serve -c station.yaml                   receive, store, acknowledge, show the page
  edge-station events -c station.yaml --limit 20       the latest events in the terminal
  edge-station events -c station.yaml --csv > all.csv  every event as a table
  edge-station decode 200...  --codebook ridge.m       what a payload says, field by field
  edge-station decode --examples                       the specification's test vectors

  sudo edge-station broker --host station.local --install deploy/mosquitto   set mosquitto up, once
  sudo edge-station provision hut-1 -o /media/stick/hut-1   certificate, key and settings for a device
  sudo edge-station rotate hut-1 --reload                   a new key; the old one is refused
  sudo edge-station revoke hut-1 --reload                   stolen: shut it out
  sudo edge-station devices                                 who may connect, and until when

exit codes: 0 done; 1 something failed; 2 configuration; 130 interrupted"""

CSV_COLUMNS = (
    *("id", "device", "sequence", "camera", "start", "clock", "duration_s", "images"),
    *("label", "count", "confidence", "individual", "individual_score", "review", "received"),
)

log = logging.getLogger(__name__)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code."""
    arguments = _parser().parse_args(argv)
    command = {"serve": _serve, "decode": _decode, "events": _events, **provisioning.COMMANDS}[arguments.command]
    return console.run(PROGRAM, lambda: command(arguments), verbose=arguments.verbose)


def _parser() -> argparse.ArgumentParser:
    parser = console.parser(PROGRAM, "Receives what the devices send and shows it to rangers.", EXAMPLES)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    serve = commands.add_parser("serve", help="receive, store, acknowledge and show the page")
    serve.add_argument("-c", "--config", type=Path, required=True, metavar="station.yaml")

    decode = commands.add_parser("decode", help="explain a payload field by field")
    decode.add_argument("payload", nargs="?", metavar="HEX", help="the payload's bytes; spaces and colons may be in it")
    decode.add_argument("--codebook", type=Path, metavar="FILE", help="gives names (as on the device's topic /m)")
    decode.add_argument("--examples", action="store_true", help="print the specification's test vectors")
    decode.add_argument("--json", action="store_true", help="print as JSON")

    events = commands.add_parser("events", help="print stored events, newest first")
    events.add_argument("-c", "--config", type=Path, required=True, metavar="station.yaml")
    events.add_argument("--limit", type=int, metavar="N", help="at most this many (default: 20; all with --csv)")
    shape = events.add_mutually_exclusive_group()
    shape.add_argument("--json", action="store_true", help="print as JSON")
    shape.add_argument("--csv", action="store_true", help="print as CSV, one row for each label of an event")

    for each in (serve, decode, events, *provisioning.add_to(commands)):
        each.add_argument("-v", "--verbose", action="store_true")
    return parser


def _serve(arguments: argparse.Namespace) -> int:
    try:
        # The page's libraries are an extra: the device's installation has the rest of this command without them.
        from edge_runtime.station.ingest import Ingest
        from edge_runtime.station.web import PageServer, create_app
    except ModuleNotFoundError as error:
        raise CamtrapEdgeError(f"{error}; install the station's parts: pip install 'camtrap-edge[station]'") from error
    chosen = settings.read_station(arguments.config)
    stopping = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopping.set())
    store = Store(Path(chosen.data) / FILE_NAME)
    ingest = Ingest(
        chosen,
        store,
        on_event=lambda event: log.info("%s: %s", event.device, wording.headline(event)),
        on_card_report=lambda report: log.info("%s: card read: %s", report.device, wording.card(report)),
    )
    page = PageServer(create_app(store, chosen, ingest.health), chosen.web.host, chosen.web.port)
    ingest.start()
    page.start()
    log.info("the page is at %s", page.url)
    stopping.wait()
    page.stop()
    ingest.stop()
    store.close()
    return 0


def _decode(arguments: argparse.Namespace) -> int:
    if arguments.examples:
        examples = explain.examples()
        if arguments.json:
            print(json.dumps([asdict(example) for example in examples], indent=2, ensure_ascii=False))
        else:
            for example in examples:
                print(f"{example.name} ({example.size} bytes)\n  {example.hex}\n  {example.text}")
        return 0
    if arguments.payload is None:
        raise CamtrapEdgeError("give the payload as hexadecimal digits, or --examples")
    payload = _from_hex(arguments.payload)
    codebook = None if arguments.codebook is None else _read_codebook(arguments.codebook)
    if arguments.json:
        print(json.dumps(documents.message(payload, codebook, int(time.time())), indent=2, ensure_ascii=False))
    else:
        print(explain.explain(payload, codebook, int(time.time())))
    return 0


def _from_hex(text: str) -> bytes:
    try:
        return bytes.fromhex(text.removeprefix("0x").replace(":", " "))
    except ValueError as error:
        raise CamtrapEdgeError(f"'{text[:40]}' is no hexadecimal: two digits for each byte, like 20 0a ff") from error


def _read_codebook(file: Path) -> Codebook:
    try:
        with file.open("rb") as stream:
            return Codebook.from_bytes(stream.read(MAX_COMPRESSED + 1))
    except OSError as error:
        raise ConfigError(file, error.strerror or str(error)) from error
    except PayloadError as error:
        raise ConfigError(file, str(error), hint="save it with: mosquitto_sub -C 1 -N -t ct/1/DEVICE/m") from error


def _events(arguments: argparse.Namespace) -> int:
    chosen = settings.read_station(arguments.config)
    if arguments.limit is not None and arguments.limit < 1:
        raise CamtrapEdgeError(f"--limit {arguments.limit}: give 1 or more")
    limit = arguments.limit or (-1 if arguments.csv else 20)  # SQLite takes -1 as no limit.
    found = Reader(Path(chosen.data) / FILE_NAME).recent_events(limit)
    if arguments.json:
        print(json.dumps([documents.event(event) for event in found], indent=2, ensure_ascii=False))
    elif arguments.csv:
        _print_csv(found)
    else:
        _print_table(found, ZoneInfo(chosen.time_zone))
    return 0


def _print_csv(events: Sequence[StoredEvent]) -> None:
    writer = csv.writer(sys.stdout)
    writer.writerow(CSV_COLUMNS)
    for event in events:
        document = documents.event(event)
        head = [event.id, event.device, event.sequence, event.camera, document["start"] or "", document["clock"]]
        for count in event.counts:
            counted = [count.label, count.count, f"{count.confidence:.2f}"]
            known = ["", ""] if count.individual is None else [count.individual, f"{count.score:.2f}"]
            said = [*counted, *known, int(event.review), document["received"]]
            writer.writerow([*head, event.duration_s, event.images, *said])


def _print_table(events: Sequence[StoredEvent], zone: ZoneInfo) -> None:
    now = time.time()
    for event in events:
        when = "time unknown" if event.start_s is None else wording.moment(event.start_s, now, zone)
        sure = max(count.confidence for count in event.counts)
        known = [
            f"{count.individual} alike {wording.likeness(count.score)}" for count in event.counts if count.individual
        ]
        notes = [f"{sure:.0%}", *known, event.device, *(["to review"] if event.review else [])]
        print(f"{when:>20}  {wording.headline(event)}  ({', '.join(notes)})")


if __name__ == "__main__":
    sys.exit(main())
