"""`edge-bench compare`: whether B is slower than A."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.document import reading
from benchmarks.document.schema import Document
from benchmarks.statistics import comparing
from benchmarks.statistics.comparing import Comparison

SLOWER, REFUSED, NOT_CONCLUDED = 1, 2, 3
_VERDICTS = {"slower": "B is slower", "faster": "B is faster", "alike": "no difference beyond the gate was shown"}


def add(commands: Any) -> None:
    """Put the command in."""
    parser = commands.add_parser(
        "compare",
        help="whether result B is slower than result A",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="exit codes: 0 B is not slower; 1 B is slower by more than the gate; 2 refused: they measured different "
        "things,\nor a file cannot be used; 3 nothing can be concluded\nexample:\n"
        "  edge-bench run old new --scenario single && edge-bench compare results/measured/*/*old*.json "
        "results/measured/*/*new*.json",
    )
    parser.add_argument("a", type=Path, metavar="A", help="result document")
    parser.add_argument("b", type=Path, metavar="B", help="result document")
    parser.add_argument(
        "--gate", type=_share, default=comparing.GATE, metavar="5%", help="larger than this (default 5%%)"
    )
    parser.add_argument(
        "--even-unsteady", action="store_true", help="conclude from measurements whose verdict is not 'stable', too"
    )
    parser.add_argument("--json", action="store_true")
    parser.add_argument("-v", "--verbose", action="store_true")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Compare and tell; returns the exit code."""
    a, b = reading.read(arguments.a), reading.read(arguments.b)
    refused = comparing.refusals(a, b)
    labels = labels_of(a, b)
    if refused:
        return _told(arguments.json, "refused", refused, labels, None, REFUSED)
    doubts = _doubts(a, b, even_unsteady=arguments.even_unsteady)
    made = comparing.compare(comparing.process_medians(a), comparing.process_medians(b), gate=arguments.gate)
    if doubts:
        return _told(arguments.json, "nothing concluded", doubts, labels, made, NOT_CONCLUDED)
    return _told(arguments.json, made.outcome, [], labels, made, SLOWER if made.outcome == "slower" else 0)


def labels_of(a: Document, b: Document) -> list[str]:
    """What must be said beside a ratio of the two."""
    labels = []
    if a.device.fingerprint != b.device.fingerprint:
        labels.append(f"cross-device: {a.device.board} and {b.device.board}")
    if a.run.batch != b.run.batch:
        labels.append("measured apart: their processes did not take turns")
    if a.platform.runtime != b.platform.runtime:
        one, other = a.platform.runtime, b.platform.runtime
        labels.append(f"other runtimes: {one.name} {one.version} and {other.name} {other.version}")
    return labels


def _doubts(a: Document, b: Document, *, even_unsteady: bool) -> list[str]:
    doubts = []
    for name, document in (("A", a), ("B", b)):
        verdict, count = document.verdict, len(document.processes)
        if count < comparing.LEAST_PROCESSES:
            doubts.append(f"{name} has {count} processes; {comparing.LEAST_PROCESSES} are the least that can tell")
        if verdict.status != "stable" and not even_unsteady:
            doubts.append(f"{name} is {verdict.status}: {'; '.join(verdict.reasons)} (--even-unsteady passes over it)")
    return doubts


def _told(
    as_json: bool, outcome: str, reasons: list[str], labels: list[str], made: Comparison | None, code: int
) -> int:
    if as_json:
        figures = None if made is None else asdict(made)
        print(json.dumps({"outcome": outcome, "reasons": reasons, "labels": labels, "comparison": figures}))
        return code
    if made is not None:
        print(
            f"A {made.a_ns / 1e6:.2f} ms, B {made.b_ns / 1e6:.2f} ms: B / A = {made.ratio:.3f} "
            f"[{made.low:.3f}, {made.high:.3f}], p = {made.p:.2g}, "
            f"{made.processes[0]} and {made.processes[1]} processes"
        )
    for label in labels:
        print(f"  {label}")
    print(_VERDICTS.get(outcome, outcome))
    if made is not None and made.doubtful:
        print(f"  it may be chance: p < {comparing.ALPHA:g} is asked for; more --processes would tell")
    for reason in reasons:
        print(f"  {reason}")
    return code


def _share(text: str) -> float:
    try:
        value = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
    except ValueError:
        value = -1.0
    if not 0 <= value < 1:
        raise argparse.ArgumentTypeError(f"'{text}' is no share: say 5% or 0.05")
    return value
