"""`edge-runtime run`: watch the cards, infer, send."""

from __future__ import annotations

import argparse
import signal
from pathlib import Path
from typing import Any

from edge_runtime import assembly, settings
from edge_runtime.device import notify


def add(commands: Any) -> None:
    """Put the command in."""
    parser = commands.add_parser("run", help="watch the card folder, infer, send summaries")
    parser.add_argument("-c", "--config", type=Path, required=True, metavar="device.yaml")
    parser.add_argument("--until-idle", action="store_true", help="end once everything is read and acknowledged")
    parser.add_argument("-v", "--verbose", action="store_true")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Run until it is told to stop; returns the exit code."""
    device = assembly.assemble(settings.read_device(arguments.config), supervisor=notify.supervisor())
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: device.daemon.stop())
    device.run(until_idle=arguments.until_idle)
    return 0
