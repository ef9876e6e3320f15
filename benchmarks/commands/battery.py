"""`edge-bench battery`: for how many days a battery lasts, from the joules and seconds of a result document."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.battery import Estimate, Trace, estimate
from benchmarks.document import reading
from benchmarks.document.errors import ResultError
from benchmarks.document.schema import Document, Energy
from edge_runtime.errors import CamtrapEdgeError


def add(commands: Any) -> None:
    """Put the command in."""
    parser = commands.add_parser(
        "battery",
        help="days in the field, from measured joules",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="example:\n  edge-bench battery result.json --battery-wh 100 --photos-a-day 300 --sleep-w 0.01",
    )
    parser.add_argument("result", type=Path, metavar="RESULT", help="result document of a board with a power sensor")
    parser.add_argument("--battery-wh", type=float, required=True, metavar="WH")
    parser.add_argument("--usable", type=float, default=0.7, metavar="SHARE", help="of the battery (default 0.7)")
    parser.add_argument("--photos-a-day", type=float, default=300, metavar="N", help="default 300")
    parser.add_argument("--photos-a-wake", type=float, default=10, metavar="N", help="default 10")
    parser.add_argument("--wake-s", type=float, default=30, metavar="S", help="awake beyond the photos (default 30)")
    parser.add_argument("--idle-w", type=float, metavar="W", help="awake without work (default: as measured)")
    parser.add_argument(
        "--sleep-w", type=float, default=0.0, metavar="W", help="between two wakes (default 0: power is cut)"
    )
    parser.add_argument("--sensor", metavar="WHERE", help="where there are several: VDD_IN, PMIC, package-0 ...")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("-v", "--verbose", action="store_true")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Estimate and tell; returns the exit code."""
    document = reading.read(arguments.result)
    sensor = _sensor(arguments.result, document, arguments.sensor)
    trace = _trace(arguments, document, sensor)
    try:
        found = estimate(trace)
    except ValueError as error:
        raise CamtrapEdgeError(f"{error}: fewer photos a day, a shorter wake, or a faster board") from error
    if arguments.json:
        print(json.dumps({"sensor": sensor.where, "inputs": asdict(trace), "estimate": asdict(found)}))
    else:
        _print(document, sensor, trace, found)
    return 0


def _sensor(file: Path, document: Document, wanted: str | None) -> Energy:
    there = ", ".join(each.where for each in document.energy)
    if not document.energy:
        raise ResultError(file, "tells no energy: its board has no power sensor that could be read")
    if wanted is None and len(document.energy) > 1:
        raise ResultError(file, f"has several sensors: {there}", hint="name one with --sensor")
    for each in document.energy:
        if wanted in (None, each.where):
            return each
    raise ResultError(file, f"has no sensor '{wanted}'", hint=f"it has: {there}")


def _trace(arguments: argparse.Namespace, document: Document, sensor: Energy) -> Trace:
    idle_w = sensor.idle_w if arguments.idle_w is None else arguments.idle_w
    if idle_w is None:
        raise ResultError(arguments.result, "tells no idle power", hint="give it with --idle-w")
    whole_w = sensor.mean_w
    seconds_per_photo = 1 / document.throughput_measured_ips
    return Trace(
        battery_wh=arguments.battery_wh,
        usable=arguments.usable,
        photos_a_day=arguments.photos_a_day,
        photos_a_wake=arguments.photos_a_wake,
        wake_s=arguments.wake_s,
        idle_w=idle_w,
        sleep_w=arguments.sleep_w,
        joules_per_photo=max(0.0, (whole_w - idle_w) * seconds_per_photo),
        seconds_per_photo=seconds_per_photo,
    )


def _print(document: Document, sensor: Energy, trace: Trace, found: Estimate) -> None:
    print(f"{document.device.board}, {document.model.bundle} {document.model.variant}, sensor {sensor.where}")
    rows = [
        ("battery", f"{trace.battery_wh:g} Wh, of which {trace.usable:.0%} are usable"),
        ("photos", f"{trace.photos_a_day:g} a day, {trace.photos_a_wake:g} a wake"),
        ("awake beyond the photos", f"{trace.wake_s:g} s a wake, at {trace.idle_w:.2f} W"),
        ("asleep", f"{trace.sleep_w:g} W"),
        ("a photo", f"{trace.seconds_per_photo:.3f} s and {trace.joules_per_photo:.3f} J above idle"),
        ("photos take", f"{found.photos_wh:.3f} Wh a day"),
        ("being awake takes", f"{found.awake_wh:.3f} Wh a day"),
        ("sleep takes", f"{found.asleep_wh:.3f} Wh a day"),
    ]
    for name, value in rows:
        print(f"  {name:24} {value}")
    print(f"{found.days:.0f} days, without sun and without what the radio takes")
