"""`edge-runtime status`: what the device has read, found and sent."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from edge_runtime import settings, status


def add(commands: Any) -> None:
    """Put the command in."""
    parser = commands.add_parser("status", help="what the device has read, found and sent")
    parser.add_argument("-c", "--config", type=Path, required=True, metavar="device.yaml")
    parser.add_argument("--json", action="store_true", help="print as JSON")
    parser.add_argument("-v", "--verbose", action="store_true")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print it; returns the exit code."""
    config = settings.read_device(arguments.config)
    now = status.read(config)
    if arguments.json:
        sys.stdout.write(json.dumps(asdict(now)) + "\n")
        return 0
    zone = ZoneInfo(config.time_zone)
    last = "never" if now.last_photo_s is None else datetime.fromtimestamp(now.last_photo_s, zone).isoformat(" ")
    sys.stdout.write(f"device       {now.device} (journal {now.journal}, epoch {now.epoch})\n")
    passed = f" ({now.passed_over} passed over by the prefilter)" if now.passed_over else ""
    sys.stdout.write(f"photos       {now.photos}, of these empty {now.empty}{passed}; last one {last}\n")
    sys.stdout.write(f"not read     {now.failed} failed, {now.videos} videos; {now.duplicates} duplicates\n")
    sys.stdout.write(f"events       {now.events}, and {now.open_events} still open\n")
    sys.stdout.write(f"outbox       {now.waiting} waiting for a station's acknowledgement\n")
    for path, problem in now.failures:
        sys.stdout.write(f"  failed     {path}: {problem}\n")
    return 0
