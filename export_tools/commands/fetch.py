"""`edge-export fetch`: the public checkpoints of the field."""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
from pathlib import Path
from typing import Any

from export_tools import columns
from export_tools.checkpoints import catalogue, fetching


def add(commands: Any) -> None:
    """Put the command in."""
    parser = commands.add_parser("fetch", help="a public checkpoint by name; without a name, the list of them")
    parser.add_argument("name", nargs="?", metavar="NAME", help="mdv5a, miewid-msv3 ...")
    parser.add_argument("--list", action="store_true", help="what there is to fetch")
    parser.add_argument("-o", "--output", type=Path, default=Path(), metavar="DIR", help="default: here")
    parser.add_argument("--url", action="append", metavar="URL", help="another address of the same file")
    parser.add_argument(
        "--sha256", default="", metavar="HEX", help="what the file must have, where nobody published it"
    )
    parser.add_argument("--accept-unverified", action="store_true", help="take a file that has no published hash")
    parser.add_argument("--json", action="store_true", help="print the list, or what was fetched, as JSON")
    parser.add_argument("-v", "--verbose", action="store_true")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Fetch, or list; returns the exit code."""
    if arguments.list or arguments.name is None:
        return _list(as_json=arguments.json)
    path = fetching.fetch(
        arguments.name,
        arguments.output,
        urls=arguments.url,
        sha256=arguments.sha256,
        accept_unverified=arguments.accept_unverified,
    )
    sys.stdout.write((json.dumps({"name": arguments.name, "file": str(path)}) if arguments.json else str(path)) + "\n")
    return 0


def _list(*, as_json: bool) -> int:
    rows = catalogue.rows()
    if as_json:
        sys.stdout.write(json.dumps([dataclasses.asdict(row) for row in rows], indent=2) + "\n")
        return 0
    header = tuple(field.name for field in dataclasses.fields(catalogue.Row))
    for line in columns.aligned([header, *(dataclasses.astuple(row) for row in rows)]):
        sys.stdout.write(line + "\n")
    return 0
