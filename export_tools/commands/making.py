"""What the commands that make variants have in common: their options, and what they print."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from edge_runtime.bundles.bundle import Bundle
from export_tools.model import Request

REFUSED = 3
"""Exit code where a variant was refused; the bundle holds the others."""


def add_options(parser: argparse.ArgumentParser) -> None:
    """Put the options in."""
    photos = parser.add_argument_group("photos")
    photos.add_argument("--calibrate", type=Path, metavar="DIR", help="real photos or crops, to measure ranges with")
    photos.add_argument("--count", type=int, default=200, metavar="N", help="of them at most (default 200)")
    photos.add_argument("--evaluate", type=Path, metavar="DIR", help="others, for the proof (default: a third of them)")
    photos.add_argument("--truth", type=Path, metavar="FILE", help="what is on those: CSV or MegaDetector results")
    photos.add_argument("--detector", type=Path, metavar="BUNDLE", help="cuts animals out of photos that are no crops")
    photos.add_argument("--skip-unreadable", action="store_true", help="leave out photos that cannot be read")
    photos.add_argument(
        "--golden",
        type=Path,
        metavar="DIR",
        help="may go into the bundle (default: evaluation pictures)",
    )
    photos.add_argument("--no-golden", action="store_true", help="put no sample pictures into the bundle")
    parser.add_argument("--variants", type=_names, default=(), metavar="A,B", help="default: all that can be made here")
    parser.add_argument("--keep-failing", action="store_true", help="also ship variants that failed their gate")
    parser.add_argument("--replace", action="store_true", help="overwrite an existing bundle")
    parser.add_argument("--json", action="store_true", help="print what was made as JSON")
    parser.add_argument("-v", "--verbose", action="store_true")


def run(source: Request | Bundle, arguments: argparse.Namespace) -> int:
    """Make the bundle and print its table; returns the exit code."""
    # torch and its like take seconds to import, and `--help` needs none of them.
    from export_tools import closing
    from export_tools.building import Order, build
    from export_tools.pictures import Folders

    order = Order(
        source=source,
        output=arguments.output,
        variants=arguments.variants,
        folders=Folders(
            calibrate=arguments.calibrate,
            evaluate=arguments.evaluate,
            truth=arguments.truth,
            detector=arguments.detector,
            golden=arguments.golden,
            count=arguments.count,
            skip_unreadable=arguments.skip_unreadable,
        ),
        keep_failing=arguments.keep_failing,
        with_golden=not arguments.no_golden,
        replace=arguments.replace,
    )
    built = build(order)
    if arguments.json:
        sys.stdout.write(json.dumps(closing.as_dict(built), indent=2) + "\n")
    else:
        sys.stdout.write(closing.render(built))
    return REFUSED if built.refused else 0


def size(text: str) -> tuple[int, int]:
    """`640x480` or `640` as (width, height)."""
    width, _, height = text.lower().partition("x")
    height = height or width
    if not (width.isdigit() and height.isdigit()):
        raise argparse.ArgumentTypeError(f"'{text}' is no size; write it like 640x640")
    return int(width), int(height)


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())
