"""`edge-bench run`: measure bundles on this machine; a result document for each."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import edge_runtime
from benchmarks import photo_set, running, subject
from benchmarks.commands import show
from benchmarks.document import store
from benchmarks.document.schema import Document, Profile, Scenario
from benchmarks.profiles import LENGTHS
from benchmarks.running import Order, Progress, Taken
from benchmarks.scenarios import TOLD
from edge_runtime import console, settings
from edge_runtime.device.host import Host
from edge_runtime.errors import CamtrapEdgeError

ROOT = Path(__file__).resolve().parents[2]
PHOTOS = 40
EXAMPLES = """\
  edge-bench run default
  edge-bench run default megadetector-v6-c --photos /media/CARD --profile standard
  edge-bench run my-model --variant openvino --threads 1
  edge-bench run default --scenario card --photos /media/CARD --count 2000 --json"""


def add(commands: Any) -> None:
    """Put the command in."""
    scenarios = "\n".join(f"  {name:8} {told}" for name, told in TOLD.items())
    lengths = "\n".join(
        f"  {name:8} {each.seconds:g} s in {each.processes} processes"
        + (f", at least {each.queries} queries" if each.queries else "")
        + (f", after {each.soak_s:g} s under load" if each.soak_s else "")
        for name, each in LENGTHS.items()
    )
    parser = commands.add_parser(
        "run",
        help="measure bundles on this machine",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog=f"scenarios:\n{scenarios}\nprofiles, for each variant:\n{lengths}\nexamples:\n{EXAMPLES}",
    )
    parser.add_argument("bundles", nargs="+", metavar="BUNDLE", help="folder, 'default' or 'default-classifier'")
    parser.add_argument("--scenario", choices=get_args(Scenario), default="single", help="default: single")
    parser.add_argument("--profile", choices=get_args(Profile), default="quick", help="default: quick")
    parser.add_argument("--photos", type=Path, metavar="DIR", help="photos to measure with (default: a sample card)")
    parser.add_argument("--count", type=_positive, default=PHOTOS, metavar="N", help=f"of them (default {PHOTOS})")
    parser.add_argument("--variant", action="append", default=[], metavar="NAME", help="variant or engine; repeatable")
    parser.add_argument("--threads", type=_positive, metavar="N", help="CPU threads of one inference")
    parser.add_argument("--streams", type=_positive, metavar="N", help="inferences at once")
    parser.add_argument(
        "--seconds", type=float, metavar="S", help="of measuring each variant, instead of the profile's"
    )
    parser.add_argument("--processes", type=_positive, metavar="N", help="instead of the profile's")
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="of the photos and the turns (default 1)")
    parser.add_argument("--ambient", type=float, metavar="C", help="temperature of the air, for the document")
    parser.add_argument("--supply", metavar="TEXT", help="what feeds the board, for the document: '12 V, buck'")
    parser.add_argument("-o", "--output", type=Path, default=Path("results"), metavar="DIR", help="default: results/")
    parser.add_argument("--json", action="store_true", help="print the documents' paths and verdicts as JSON")
    parser.add_argument("-v", "--verbose", action="store_true")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Measure, write the documents, print the table; returns the exit code."""
    order = _order(arguments)
    subjects = [
        each
        for name in arguments.bundles
        for each in subject.find(
            name,
            scenario=order.scenario,
            cpus=order.cpus,
            only=arguments.variant,
            threads=arguments.threads,
            streams=arguments.streams,
        )
    ]
    with (
        photo_set.opened(arguments.photos, count=arguments.count, seed=order.seed) as photos,
        _progress(hidden=arguments.json) as progress,
    ):
        taken, interrupted = running.measure(subjects, photos, order, host=Host(), progress=progress)
    written = [(store.write(each.document, arguments.output), each.document) for each in taken if each.document]
    _tell(written, as_json=arguments.json)
    return _exit_code(taken, interrupted=interrupted)


def _order(arguments: argparse.Namespace) -> Order:
    length = LENGTHS[arguments.profile]
    if arguments.seconds is not None:
        if not 0 < arguments.seconds < 1e6:
            raise CamtrapEdgeError(f"--seconds {arguments.seconds:g}: give a number above 0")
        length = replace(length, seconds=arguments.seconds)
    if arguments.processes is not None:
        length = replace(length, processes=arguments.processes)
    return Order(
        scenario=arguments.scenario,
        profile=arguments.profile,
        length=length,
        cpus=settings.cores(),
        seed=arguments.seed,
        argv=tuple(argument.replace(str(Path.home()), "~") for argument in sys.argv[1:]),
        tool_version=edge_runtime.__version__,
        git_sha=_git_sha(),
        ambient_c=arguments.ambient,
        supply=arguments.supply,
    )


def _tell(written: Sequence[tuple[Path, Document]], *, as_json: bool) -> None:
    if as_json:
        told = [{"file": str(file), **show.as_dict(document)} for file, document in written]
        print(json.dumps({"documents": told}))
        return
    if written:
        sys.stdout.write(show.table([document for _, document in written]))
    for file, _ in written:
        print(f"  {file}")


def _exit_code(taken: Sequence[Taken], *, interrupted: bool) -> int:
    for each in taken:
        if each.problem:
            print(f"edge-bench: {each.problem}", file=sys.stderr)
    if interrupted:
        kept = "what was measured is kept" if any(each.document for each in taken) else "nothing was measured yet"
        print(f"edge-bench: interrupted; {kept}", file=sys.stderr)
        return console.INTERRUPTED
    return max((each.exit_code for each in taken), default=0)


@contextmanager
def _progress(*, hidden: bool) -> Iterator[Progress]:
    with console.progress_bar(unit="s", hidden=hidden, leave=False) as bar:
        bar.bar_format = "{desc} {percentage:3.0f}%|{bar}| {n:.0f}/{total:.0f} s [{elapsed}<{remaining}]"

        def tell(what: str, done_s: float, whole_s: float) -> None:
            bar.set_description(what, refresh=False)
            bar.total, bar.n = whole_s, done_s
            bar.refresh()

        yield tell


def _git_sha() -> str | None:
    """Of the checkout that this runs from, with `-dirty` where it was changed; None where it is installed."""
    if not (ROOT / ".git").exists():
        return None
    try:
        told = [
            subprocess.run(["git", "-C", str(ROOT), *words], capture_output=True, text=True, check=True).stdout.strip()
            for words in (["rev-parse", "HEAD"], ["status", "--porcelain", "--untracked-files=no"])
        ]
    except (OSError, subprocess.CalledProcessError):
        return None
    return told[0] + ("-dirty" if told[1] else "")


def _positive(text: str) -> int:
    number = int(text) if text.isascii() and text.isdecimal() else 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"'{text}' is no number from 1 on")
    return number
