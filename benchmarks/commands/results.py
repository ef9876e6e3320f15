"""`edge-bench results validate`: whether files are result documents that can be trusted to be what was measured."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import msgspec

from benchmarks.document import reading
from benchmarks.document.schema import Document
from benchmarks.page import published


def add(commands: Any) -> None:
    """Put the command in."""
    parser = commands.add_parser("results", help="check result documents")
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    validate = actions.add_parser(
        "validate",
        help="check files or folders of result documents",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="exit codes: 0 all are good; 1 some are not; 2 there are none\n"
        "example:\n  edge-bench results validate results/",
    )
    validate.add_argument("paths", nargs="+", type=Path, metavar="FILE", help="files, or folders of them")
    validate.add_argument("--json", action="store_true")
    validate.add_argument("-v", "--verbose", action="store_true")
    validate.set_defaults(run=run)
    form = actions.add_parser("schema", help="print the document's form as JSON Schema")
    form.add_argument("-v", "--verbose", action="store_true")
    form.set_defaults(run=show_schema)


def show_schema(arguments: argparse.Namespace) -> int:
    """Print the newest version's form; returns the exit code."""
    print(json.dumps(msgspec.json.schema(Document), indent=1))
    return 0


def run(arguments: argparse.Namespace) -> int:
    """Check and tell; returns the exit code: 1 where a file is bad, 2 where there is none."""
    good, problems = reading.read_all(arguments.paths)
    cited, faults = published.read_all(arguments.paths)
    problems += faults

    if arguments.json:
        bad = [{"file": str(each.file), "problem": each.problem} for each in problems]
        print(
            json.dumps(
                {"good": [str(file) for file, _ in good], "published": [str(file) for file, _ in cited], "bad": bad}
            )
        )
    else:
        for file, document in good:
            print(f"{file}: good: {document.model.bundle} {document.model.variant}, {document.verdict.status}")
        for file, publication in cited:
            print(f"{file}: good: {len(publication.figures)} published figures of {publication.source}")
        sys.stderr.write(reading.complaints(problems))
    if problems:
        return 1
    return 0 if good or cited else 2
