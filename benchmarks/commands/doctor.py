"""`edge-bench doctor`: what on this machine would spoil a measurement, and how to mend it."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from benchmarks.board.checks.check import Check
from benchmarks.board.checkup import checkup, spoilt
from edge_runtime.device.host import Host

SPOILT = 1
_HEAD = ("", "check", "found")


def add(commands: Any) -> None:
    """Put the command in."""
    parser = commands.add_parser(
        "doctor",
        help="what on this machine would spoil a measurement, and how to mend it",
        description="Looks at clocks, heat, power, memory and who else is at work. Exit code 1: something would spoil "
        "a measurement.",
    )
    parser.add_argument("--json", action="store_true", help="print as JSON")
    parser.add_argument("-v", "--verbose", action="store_true")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace, look: Callable[[], tuple[Check, ...]] = lambda: checkup(Host())) -> int:
    """Look, print what was found; returns the exit code."""
    checks = look()
    if arguments.json:
        sys.stdout.write(msgspec.json.encode(checks).decode() + "\n")
    else:
        sys.stdout.write(table(checks))
    return SPOILT if spoilt(checks) else 0


def table(checks: Sequence[Check]) -> str:
    """A line for each check, and under it what mends it; lines end in a newline."""
    rows = [_HEAD, *((each.status, each.name, each.found) for each in checks)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    indent = " " * (widths[0] + widths[1] + 4)
    mends = ["", *(each.mend for each in checks)]
    lines = []
    for row, mend in zip(rows, mends, strict=True):
        lines.append("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
        if mend:
            lines.append(f"{indent}-> {mend}")
    spoils = sum(spoilt((each,)) for each in checks)
    lines.append(f"{spoils} of these would spoil a measurement" if spoils else "nothing here would spoil a measurement")
    return "".join(line + "\n" for line in lines)
