"""`edge-export quantize`: all variants of a bundle whose float graph exists already."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from export_tools.commands import making
from export_tools.proof import inspection


def add(commands: Any) -> None:
    """Put the command in."""
    parser = commands.add_parser("quantize", help="variants and their proof for a bundle with a float ONNX graph")
    parser.add_argument("bundle", type=Path, metavar="BUNDLE", help="made by import, say")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="BUNDLE", help="folder to write")
    making.add_options(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Make the variants; returns the exit code."""
    return making.run(inspection.load(arguments.bundle), arguments)
