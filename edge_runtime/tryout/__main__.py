"""`make run`: broker, station and device on this one machine, from a card to the ranger's page."""

from __future__ import annotations

import argparse
import logging
import shutil
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timezone
from pathlib import Path
from typing import NoReturn

import iotcore
from tqdm import tqdm
from tqdm.contrib.logging import logging_redirect_tqdm

from edge_runtime import assembly, console
from edge_runtime.assembly import Device
from edge_runtime.errors import CamtrapEdgeError
from edge_runtime.intake import scan
from edge_runtime.pipeline import Outcome
from edge_runtime.settings import Broker, Camera, Cards, DeviceSettings, Models, StationSettings, Uplink, Web
from edge_runtime.station import wording
from edge_runtime.station.ingest import Ingest
from edge_runtime.station.store import FILE_NAME, Store
from edge_runtime.station.values import StoredEvent
from edge_runtime.station.web import PageServer, create_app
from edge_runtime.tryout import sample_card
from edge_runtime.tryout.ports import free_port

PROGRAM = "tryout"
WEB_PORT = 8080
SETTLE_SECONDS = 2.0
EXAMPLES = """\
  python -m edge_runtime.tryout --detector BUNDLE                       the sample card; stays up until Ctrl-C
  python -m edge_runtime.tryout --detector BUNDLE --once                the same; ends by itself
  python -m edge_runtime.tryout --detector BUNDLE --card /media/CARD01  your own photos"""

SAMPLE_CAMERAS = tuple(Camera(name=place, folder=folder) for folder, (place, _, _) in sample_card.CAMERAS.items())
HEADING = f"{'time (UTC)':19}  {'camera':16}  {'what':32}  {'sure':>5}  {'photos':>6}  {'bytes':>5}"


def main(argv: Sequence[str] | None = None) -> int:
    """Run the try-out; returns the exit code."""
    parser = console.parser(f"python -m edge_runtime.{PROGRAM}", "A card goes in, a ranger reads an event.", EXAMPLES)
    parser.add_argument("--detector", default="default", metavar="BUNDLE")
    parser.add_argument("--classifier", default="default", metavar="BUNDLE", help="'none' for no species")
    parser.add_argument("--card", type=Path, metavar="FOLDER", help="your own photos (default: a sample card)")
    parser.add_argument("--once", action="store_true", help="end when the card is through")
    parser.add_argument("--data", type=Path, default=Path("tryout-data"), metavar="FOLDER", help="where to work")
    parser.add_argument("-v", "--verbose", action="store_true")
    arguments = parser.parse_args(argv)
    # What becomes of each file is in the table and in the summary: only faults need a log line.
    return console.run(PROGRAM, lambda: _run(arguments), verbose=arguments.verbose, level=logging.ERROR)


def _run(arguments: argparse.Namespace) -> int:
    work = arguments.data / "run"
    shutil.rmtree(work, ignore_errors=True)
    port, card = free_port(), arguments.card or arguments.data / "card"
    device_settings = DeviceSettings(
        device="try-out",
        data=str(work / "device"),
        cards=Cards(root=str(card), settle_seconds=SETTLE_SECONDS),
        time_zone="UTC",
        cameras=() if arguments.card else SAMPLE_CAMERAS,
        models=Models(detector=arguments.detector, classifier=arguments.classifier),
        uplink=Uplink(port=port),
    )
    station_settings = StationSettings(
        station="headquarters", data=str(work / "station"), broker=Broker(port=port), web=Web(port=free_port(WEB_PORT))
    )
    with tqdm(unit="photo", leave=False, disable=not sys.stderr.isatty()) as bar:
        # The models first: what cannot work should say so before anything else is made.
        device = assembly.assemble(device_settings, on_outcome=lambda stamp, outcome: _advance(bar, outcome))
        if arguments.card is None:
            _build_sample(card)
        bar.reset(len(scan.scan(card).photos))
        with iotcore.Broker(port=port, listen="127.0.0.1"), _station(station_settings) as (store, url):
            tqdm.write(f"the ranger's page: {url}\n\n{HEADING}")
            _follow(device, store, bar, card, url, once=arguments.once)
    return 0


def _advance(bar: tqdm[NoReturn], outcome: Outcome) -> None:
    if outcome not in (Outcome.WAITING, Outcome.RETRY):
        bar.update()


def _build_sample(folder: Path) -> None:
    made = sample_card.build(folder)
    tqdm.write(f"sample card in {folder}: {made.photos} photos, {len(made.events)} events, and some broken files")


@contextmanager
def _station(settings: StationSettings) -> Iterator[tuple[Store, str]]:
    store = Store(Path(settings.data) / FILE_NAME)
    ingest = Ingest(settings, store, on_event=lambda event: tqdm.write(_line(event)))
    page = PageServer(create_app(store, settings, ingest.health), settings.web.host, settings.web.port)
    ingest.start()
    page.start()
    try:
        yield store, page.url
    finally:
        page.stop()
        ingest.stop()
        store.close()


def _follow(device: Device, store: Store, bar: tqdm[NoReturn], card: Path, url: str, *, once: bool) -> None:
    signal.signal(signal.SIGTERM, lambda *_: device.daemon.stop())
    device.link.start()
    try:
        with logging_redirect_tqdm(loggers=[logging.getLogger()]):
            device.daemon.run(until_idle=True)
        bar.close()
        _print_summary(device, store)
        if not once:
            print(f"\n{url} stays up, and new photos in {card} are read as they come. Ctrl-C ends.")
            device.daemon.run()
    except KeyboardInterrupt:
        print("\nended")
    finally:
        device.link.stop()
        device.journal.close()


def _line(event: StoredEvent) -> str:
    when = "unknown" if event.start_s is None else _utc(event.start_s)
    what = ", ".join(f"{count.count} {count.label} {count.individual or ''}".rstrip() for count in event.counts)
    sure = max(count.confidence for count in event.counts)
    size = f"{event.payload_bytes:.0f}"
    return f"{when:19}  {event.camera:16.16}  {what:32.32}  {sure:4.0%}   {wording.images(event.images):>6}  {size:>5}"


def _utc(time_s: int) -> str:
    return datetime.fromtimestamp(time_s, timezone.utc).strftime("%Y-%m-%d %H:%M:%S")


def _print_summary(device: Device, store: Store) -> None:
    totals = device.journal.ledger.totals()
    events = store.totals().events
    waiting = device.journal.outbox.waiting()
    link, wire = device.link, device.link.traffic()
    sequences = device.journal.outbox.span()[1] - 1
    print(f"\n  photos        {totals.photos}, of these {totals.empty} empty")
    print(f"  not read      {totals.failed} unreadable, {totals.videos} videos; {totals.duplicates} duplicates")
    print(f"  events        {events}")
    print(
        f"  bytes sent    {link.payload_bytes_sent} of payload in {link.messages_sent} messages; "
        f"{wire.sent} on the socket with everything"
    )
    print(f"  acknowledged  {sequences - waiting} of {sequences} summaries")
    for result in device.journal.ledger.results():
        if result.failure is not None:
            print(f"  unreadable    {result.path}: {result.problem}")
    if waiting:
        raise CamtrapEdgeError(f"{waiting} summaries were not acknowledged")


if __name__ == "__main__":
    sys.exit(main())
