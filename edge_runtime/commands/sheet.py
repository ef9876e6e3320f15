"""`edge-runtime sheet`: a page with a thumbnail of each photo, people blurred."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any, get_args

from edge_runtime import settings
from edge_runtime.errors import CamtrapEdgeError
from edge_runtime.journal.journal import FILE_NAME
from edge_runtime.reports import contact_sheet
from edge_runtime.reports.contact_sheet import Choice, Only


def add(commands: Any) -> None:
    """Put the command in."""
    parser = commands.add_parser("sheet", help="one HTML page with a thumbnail of each photo, people blurred")
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("-c", "--config", type=Path, metavar="device.yaml", help="the device's settings")
    where.add_argument("--journal", type=Path, metavar="FILE", help="a device's journal, or a copy of one")
    parser.add_argument("--card", type=Path, metavar="FOLDER", help="default: cards.root of device.yaml")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="sheet.html")
    parser.add_argument(
        "--only", choices=get_args(Only), default="found", help="default: photos with something in them"
    )
    parser.add_argument(
        "--since", type=_since, metavar="DATE", help="by the cameras' clocks: 2026-05-01, or with T18:00"
    )
    parser.add_argument(
        "--limit", type=_count, default=contact_sheet.LIMIT, metavar="N", help="photos at most (%(default)s)"
    )
    parser.add_argument("--json", action="store_true", help="print what was made as JSON")
    parser.add_argument("-v", "--verbose", action="store_true")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Write the page and say what is on it; returns the exit code."""
    journal, card = arguments.journal, arguments.card
    max_pixels, sampling = contact_sheet.MAX_PIXELS, contact_sheet.LOOKED_AT
    if arguments.config is not None:
        device = settings.read_device(arguments.config)
        journal, card = Path(device.data) / FILE_NAME, card or Path(device.cards.root)
        max_pixels, sampling = int(device.cards.max_megapixels * 1_000_000), device.videos
    if card is None:
        raise CamtrapEdgeError("name the card's folder with --card, or the device's settings with -c device.yaml")
    choice = Choice(arguments.only, arguments.since, arguments.limit)
    made = contact_sheet.write(journal, card, arguments.output, choice, max_pixels=max_pixels, sampling=sampling)
    if arguments.json:
        sys.stdout.write(json.dumps({"output": str(arguments.output), **asdict(made)}) + "\n")
        return 0
    sys.stdout.write(
        f"{arguments.output}: {made.photos} photos of {made.events} events, people blurred in {made.blurred}\n"
    )
    if made.not_shown or made.failed:
        sys.stdout.write(f"  {made.not_shown} without a picture, {made.failed} files not read: each with its reason\n")
    if made.left_out:
        sys.stdout.write(f"  {made.left_out} more photos left out; raise --limit, or choose by --only and --since\n")
    return 0


def _since(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text).replace(tzinfo=None)
    except ValueError:
        raise argparse.ArgumentTypeError(f"'{text}' is no date; write it like 2026-05-01 or 2026-05-01T18:00") from None


def _count(text: str) -> int:
    number = int(text) if text.isascii() and text.isdecimal() else 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"'{text}' is no number from 1 on")
    return number
