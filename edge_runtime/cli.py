"""`edge-runtime`: the device's command."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from edge_runtime import console
from edge_runtime.commands import doctor, gallery, process, report, review, run, select, sheet, status, tune, why_slow
from edge_runtime.device import memory

PROGRAM = "edge-runtime"
EXAMPLES = """\
  edge-runtime run -c device.yaml                      watch the cards, infer, send
  edge-runtime run -c device.yaml --until-idle         one card, then end (for boards that sleep)
  edge-runtime process /media/CARD -o results.json     one folder into a MegaDetector file, no broker
  edge-runtime status -c device.yaml --json            what the device has done, for scripts
  edge-runtime doctor -c device.yaml                   what keeps it from working, and what to type next
  edge-runtime report --format camtrap-dp -c device.yaml -o package    for ecologists; or megadetector, timelapse ...
  edge-runtime sheet -c device.yaml -o sheet.html      thumbnails to look through, people blurred
  edge-runtime review export -c device.yaml -o review.csv    what the machine is not sure of, for people
  edge-runtime select -c device.yaml -n 100            photos that people should label next (active learning)
  edge-runtime gallery enrol -c device.yaml --species leopard photos/   who is who; sub-folders are names
  edge-runtime tune -c device.yaml                     measure what is fastest on this device, keep it
  edge-runtime why-slow -c device.yaml                 where a photo's time goes

exit codes: 0 done; 1 something failed; 2 configuration or models; 3 no station reached; 130 interrupted"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code."""
    arguments = _parser().parse_args(argv)
    memory.return_large_blocks()
    return console.run(
        PROGRAM,
        lambda: int(arguments.run(arguments)),
        verbose=arguments.verbose,
        interrupted="interrupted; the same command goes on where it stopped",
    )


def _parser() -> argparse.ArgumentParser:
    parser = console.parser(PROGRAM, "Reads camera-trap cards on the spot and sends what matters.", EXAMPLES)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for command in (run, process, status, doctor, report, review, select, gallery, sheet, tune, why_slow):
        command.add(commands)
    return parser


if __name__ == "__main__":
    sys.exit(main())
