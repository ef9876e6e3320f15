"""`edge-runtime doctor`: step by step, what keeps this device from working, and what to type next."""

from __future__ import annotations

import argparse
import json
import logging
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import edge_runtime
from edge_runtime.checkup import configuration, examination
from edge_runtime.checkup.examination import Result
from edge_runtime.checkup.visit import Visit
from edge_runtime.checkup.world import World

SOMETHING_BAD, UNUSABLE = 1, 2
SCHEMA = 1
"""Of the JSON document."""
_NAME_WIDTH = max(len(step.name) for step in examination.STEPS)
_STATUS_WIDTH = len("skipped")
_INDENT = " " * (_STATUS_WIDTH + _NAME_WIDTH + 4)


def add(commands: Any) -> None:
    """Put the command in."""
    parser = commands.add_parser(
        "doctor",
        help="what keeps this device from working, step by step, and what to type next",
        description="Looks at configuration, disk, journal, models, card, clock, board and the way to the station. "
        "Nothing is sent that the device does not say at every connection. Exit code 0: nothing is bad; 1: something "
        "is; 2: the configuration cannot be used.",
    )
    parser.add_argument("-c", "--config", type=Path, required=True, metavar="device.yaml")
    parser.add_argument("--json", action="store_true", help="print as one JSON document")
    parser.add_argument("--no-network", action="store_true", help="leave out what speaks to other machines")
    parser.add_argument("-v", "--verbose", action="store_true")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace, world: World | None = None) -> int:
    """Look, print each finding when it is known; returns the exit code."""
    visit = Visit(arguments.config, world or World())
    results = []
    with _unheard(arguments.verbose):
        for result in examination.examine(visit, with_network=not arguments.no_network, begins=_shown(arguments.json)):
            results.append(result)
            if not arguments.json:
                sys.stdout.write(text(result))
                sys.stdout.flush()
    if arguments.json:
        device = visit.known_settings.device if visit.known_settings else None
        sys.stdout.write(json.dumps(document(results, visit.config, device, visit.world.now())) + "\n")
    else:
        sys.stdout.write(summary(results))
    return exit_code(results)


def exit_code(results: Sequence[Result]) -> int:
    """As the command's help says."""
    wrong = {each.name for each in results if each.finding.status == "bad"}
    if configuration.NAME in wrong:
        return UNUSABLE
    return SOMETHING_BAD if wrong else 0


def text(result: Result) -> str:
    """A line for what was found, and one for the next step; each ends in a newline."""
    finding = result.finding
    line = f"{finding.status:<{_STATUS_WIDTH}}  {result.name:<{_NAME_WIDTH}}  {finding.found}\n"
    return line + (f"{_INDENT}-> {finding.next_step}\n" if finding.next_step else "")


def summary(results: Sequence[Result]) -> str:
    """How many of each; ends in a newline."""
    counts = Counter(each.finding.status for each in results)
    told = ", ".join(f"{counts[status]} {status}" for status in ("good", "warn", "bad", "skipped") if counts[status])
    return f"{told}\n"


def document(results: Sequence[Result], config: Path, device: str | None, now_s: float) -> dict[str, Any]:
    """Everything as JSON has it.

    Args:
        device: its name; None where the configuration does not tell.
        now_s: UTC seconds since 1970, by this device.
    """
    return {
        "doctor": SCHEMA,
        "version": edge_runtime.__version__,
        "config": str(config),
        "device": device,
        "made_utc": datetime.fromtimestamp(now_s, timezone.utc).isoformat(timespec="seconds"),
        "exit_code": exit_code(results),
        "steps": [
            {
                "name": each.name,
                "status": each.finding.status,
                "found": each.finding.found,
                "next_step": each.finding.next_step,
                "seconds": round(each.seconds, 3),
            }
            for each in results
        ],
    }


def _shown(hidden: bool) -> Callable[[str], None]:
    """Names the step under way, where a person looks: some take seconds."""
    if hidden or not (sys.stdout.isatty() and sys.stderr.isatty()):
        return lambda name: None

    def begins(name: str) -> None:
        sys.stderr.write(f"{name} ...\r")
        sys.stderr.flush()

    return begins


@contextmanager
def _unheard(verbose: bool) -> Iterator[None]:
    """What the parts that are tried log would stand between the findings, and say the same."""
    log = logging.getLogger("edge_runtime")
    before = log.level
    if not verbose:
        log.setLevel(logging.ERROR)
    try:
        yield
    finally:
        log.setLevel(before)
