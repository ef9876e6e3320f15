"""`edge-bench`: the command that measures a device."""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Sequence

from benchmarks.commands import battery, compare, doctor, report, results, run
from edge_runtime import console

PROGRAM = "edge-bench"
EXAMPLES = """\
  edge-bench doctor                                      what here would spoil a measurement, and how to mend it
  edge-bench run default                                 the package's detector, 30 seconds, documents in results/
  edge-bench run my-model --photos card/ --profile standard
  edge-bench run a b --scenario offline                  two bundles, their processes in turn
  edge-bench run default --scenario trap                 from wake to the first result of a burst
  edge-bench report results/ -o report.html              one page that opens anywhere
  edge-bench compare old.json new.json --gate 5%         exit code 1 where new is slower: for CI
  edge-bench results validate results/                   before a pull request
  edge-bench battery result.json --battery-wh 100        days in the field, from the joules that were measured

exit codes: 0 done; 1 a difference, a failed process, a spoilt machine or an unusable file; 2 nothing could be done;
3 compare: nothing can be concluded; 130 interrupted, what was measured is kept"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code."""
    arguments = _parser().parse_args(argv)
    return console.run(
        PROGRAM,
        lambda: int(arguments.run(arguments)),
        verbose=arguments.verbose,
        level=logging.WARNING,
    )


def _parser() -> argparse.ArgumentParser:
    parser = console.parser(PROGRAM, "Measures models on this device, so that others can compare.", EXAMPLES)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for command in (run, compare, report, doctor, results, battery):
        command.add(commands)
    return parser


if __name__ == "__main__":
    sys.exit(main())
