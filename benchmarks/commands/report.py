"""`edge-bench report`: one page of result documents."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import msgspec

from benchmarks.document import reading
from benchmarks.page import making
from benchmarks.page.rows import Found, as_dict

DEFAULT = Path("report.html")


def add(commands: Any) -> None:
    """Put the command in."""
    parser = commands.add_parser(
        "report",
        help="one page of result documents that opens anywhere",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description="Writes one HTML page with tables and charts. It needs no network, no script and no other file. "
        "Figures that others\npublished (folders called 'published') stand in a section of their own.",
        epilog="exit codes: 0 done; 1 done, but some files could not be used: the page names them; 2 no page\n"
        "examples:\n  edge-bench report results/ -o report.html\n  edge-bench report a.json b.json --json",
    )
    parser.add_argument("paths", nargs="+", type=Path, metavar="RESULT", help="result documents, or folders of them")
    parser.add_argument(
        "-o", "--output", type=Path, default=DEFAULT, metavar="FILE", help=f"default {DEFAULT}; replaced if it is there"
    )
    parser.add_argument("--json", action="store_true", help="print the page's rows, write no page")
    parser.add_argument("-v", "--verbose", action="store_true")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Make the page, or print its rows; returns the exit code."""
    if arguments.json:
        found = making.usable(arguments.paths)
        print(json.dumps(_as_dict(found)))
    else:
        found = making.report(arguments.paths, arguments.output)
        print(f"{arguments.output}: measurements {len(found.rows)}, publications of others {len(found.publications)}")
    sys.stderr.write(reading.complaints(found.problems))
    return 1 if found.problems else 0


def _as_dict(found: Found) -> dict[str, Any]:
    return {
        "rows": [as_dict(row) for row in found.rows],
        "published": [{"file": str(file), **msgspec.to_builtins(each)} for file, each in found.publications],
        "problems": [{"file": str(each.file), "problem": each.problem} for each in found.problems],
    }
