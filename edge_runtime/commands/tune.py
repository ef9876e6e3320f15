"""`edge-runtime tune`: which variant, threads and streams are fastest here, and still decide alike."""

from __future__ import annotations

import argparse
import sys
from typing import Any

import msgspec

from edge_runtime.commands import place
from edge_runtime.tuning import choice, report, tuner

PHOTOS = 40
SECONDS = 120.0


def add(commands: Any) -> None:
    """Put the command in."""
    parser = commands.add_parser("tune", help="measure what is fastest on this device with this card's photos; keep it")
    place.add_options(parser, photos=PHOTOS)
    parser.add_argument("--seconds", type=float, default=SECONDS, metavar="S", help="about so long (default 120)")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Tune, keep the choice, print the table; returns the exit code."""
    where = place.find(arguments)
    bundle = choice.find(where.models.detector)
    with place.progress_bar(hidden=arguments.json) as progress:
        made = tuner.tune(
            bundle,
            where.folder,
            where.tuned_file,
            cpus=where.models.threads,
            photos=arguments.photos,
            seconds=arguments.seconds,
            max_pixels=where.max_pixels,
            decode=where.models.decode,
            progress=progress,
        )
    if arguments.json:
        sys.stdout.write(msgspec.json.encode(made).decode() + "\n")
    else:
        sys.stdout.write(report.choice(made) + f"  kept in {where.tuned_file}; `engine: auto` takes it\n")
    return 0
