"""`edge-runtime select`: the photos that people should label next, so that a classifier learns most from them."""

from __future__ import annotations

import argparse
import sys
from contextlib import closing
from pathlib import Path
from typing import Any, get_args

from edge_runtime import console, database, settings
from edge_runtime.errors import CamtrapEdgeError
from edge_runtime.events.selection import Strategy
from edge_runtime.journal.journal import FILE_NAME
from edge_runtime.journal.people import People
from edge_runtime.journal.reading import JournalReader
from edge_runtime.models import loading
from edge_runtime.reports import output
from edge_runtime.review import asked, choosing, sheets
from edge_runtime.review.choosing import Chosen
from edge_runtime.review.looks import Looker
from edge_runtime.settings import DeviceSettings

_COLUMNS = (sheets.FILE, sheets.FOLDER, sheets.SELECTED)
_EPILOG = f"""\
margin and entropy choose what the classifier is least certain of, k-centre what together covers all looks, uniform
anything. k-centre looks at the card's photos again, at {choosing.POOL} at most; the others need the journal alone.

The sheet has a row for every photo that nobody has named; Selected is True for those to be labelled. Write into a
column Species what each of them shows and take the sheet back with `edge-runtime review import`."""


def add(commands: Any) -> None:
    """Put the command in."""
    parser = commands.add_parser(
        "select",
        help="choose the photos that people should label next (active learning)",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("-c", "--config", type=Path, required=True, metavar="device.yaml")
    parser.add_argument("--strategy", choices=get_args(Strategy), default="margin", help="(default %(default)s)")
    parser.add_argument("-n", type=_positive, default=100, metavar="N", help="photos to choose (default %(default)s)")
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        default=Path("timelapse_selector.csv"),
        metavar="FILE",
        help="(default %(default)s)",
    )
    parser.add_argument(
        "--seed", type=int, default=0, metavar="N", help="of uniform and k-centre (default %(default)s)"
    )
    parser.add_argument("--card", type=Path, metavar="FOLDER", help="k-centre: default cards.root of device.yaml")
    parser.add_argument("--embedder", metavar="BUNDLE", help="k-centre: default device.yaml's, else the classifier's")
    parser.add_argument(
        "--pool", type=_positive, default=choosing.POOL, metavar="N", help="k-centre: photos to look at (%(default)s)"
    )
    parser.add_argument("-v", "--verbose", action="store_true")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Choose, write the sheet; returns the exit code."""
    config = settings.read_device(arguments.config)
    file = Path(config.data) / FILE_NAME
    # One moment for every pass over the journal: a photo is known by its place in it.
    with closing(database.open_read_only(file)) as connection, database.snapshot(connection):
        reader = JournalReader(file, connection)
        chosen = _choose(arguments, config, reader, People(connection))
        if not chosen.candidates:
            raise CamtrapEdgeError(_nothing(arguments.strategy))
        rows = _write(arguments.output, Path(config.data), reader, set(chosen.places))
    for problem in chosen.failed:
        sys.stderr.write(f"edge-runtime: {problem}; it was no candidate\n")
    sys.stdout.write(
        f"{arguments.output}: {len(chosen.places)} of {chosen.candidates} candidates selected by {arguments.strategy}; "
        f"{rows} photos without an answer in all\n"
    )
    return 1 if chosen.failed else 0


def _choose(arguments: argparse.Namespace, config: DeviceSettings, reader: JournalReader, people: People) -> Chosen:
    if arguments.strategy == "uniform":
        return choosing.uniform(reader, arguments.n, seed=arguments.seed)
    if arguments.strategy != "k-centre":
        return choosing.by_scores(reader, arguments.strategy, arguments.n)
    models = config.models
    named = models.embedder if models.embedder != "none" else models.classifier
    bundle = arguments.embedder or (named if named != "none" else "default")
    looker = Looker(
        arguments.card or Path(config.cards.root),
        loading.load_embedder(bundle, threads=models.threads),
        people,
        max_pixels=int(config.cards.max_megapixels * 1_000_000),
    )
    with console.progress_bar(unit="photo", about="looks", hidden=False) as bar:

        def progress(total: int) -> None:
            if total:
                bar.total = total
                bar.refresh()
            else:
                bar.update()

        return choosing.k_centre(
            reader, looker, arguments.n, pool=arguments.pool, seed=arguments.seed, progress=progress
        )


def _write(file: Path, data: Path, reader: JournalReader, chosen: set[int]) -> int:
    rows = 0
    with output.table(file, _COLUMNS) as row, asked.noting(data, "select") as note:
        for place, result in enumerate(choosing.unlabelled(reader)):
            row((*sheets.place(result.path), place in chosen))
            if place in chosen:
                note(result)
            rows += 1
    return rows


def _nothing(strategy: Strategy) -> str:
    if strategy in ("margin", "entropy"):
        return "no photo without an answer has an animal that a classifier looked at; choose --strategy uniform"
    return "no photo without an answer has an animal in it"


def _positive(text: str) -> int:
    number = int(text) if text.isascii() and text.isdecimal() else 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"'{text}' is no number from 1 on")
    return number
