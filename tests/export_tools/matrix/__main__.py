"""Every TensorRT variant of every family, parsed and built by NVIDIA's own parser and builder for SM 8.6, on the CPU.

    python -m tests.export_tools.matrix [--list] [--only NAMES] [--quick] [--json | --markdown] [--output FILE]

Networks have the published layouts and sizes; weights are random where no real ones can be had. Each row runs in a
process of its own. Exit code 0: everything was built; 1: something was not; 2: cannot begin.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict
from importlib import util
from pathlib import Path

import msgspec

from edge_runtime.errors import CamtrapEdgeError
from export_tools.variants import tensorrt_check
from tests.export_tools.matrix import tables, trying
from tests.export_tools.matrix.networks import NETWORKS, QUICK, ROOT, Network
from tests.export_tools.matrix.trying import Answer, NothingToBuildError, Verdict


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns the exit code."""
    given = _parser().parse_args(arguments)
    if given.list:
        sys.stdout.write("\n".join(tables.listed(list(NETWORKS.values()))) + "\n")
        return 0
    try:
        wanted = _wanted(given.only)
        if given.row:
            sys.stdout.write("\n" + json.dumps(asdict(_tried(wanted[0], quick=given.quick))) + "\n")
            return 0
        if util.find_spec(tensorrt_check.PACKAGE) is None:
            raise CamtrapEdgeError("TensorRT for RTX is missing: pip install 'camtrap-edge[tensorrt-check]'")
    except CamtrapEdgeError as error:
        sys.stderr.write(f"export-matrix: {error}\n")
        return 2
    layout = tables.as_json if given.json else tables.as_markdown if given.markdown else tables.as_text
    answers: list[Answer] = []
    end = time.monotonic() + given.limit
    for place, network in enumerate(wanted, 1):
        sys.stderr.write(f"[{place}/{len(wanted)}] {network.name} ...\n")
        answers.append(_apart(network, quick=given.quick, seconds=end - time.monotonic()))
        sys.stderr.write(f"[{place}/{len(wanted)}] {tables.in_short(answers[-1])}\n")
        if given.output:
            given.output.write_text(layout(answers), encoding="utf-8")
    sys.stdout.write(layout(answers))
    return 0 if all(answer.proven for answer in answers) else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="export-matrix", description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--list", action="store_true", help="the networks and their names, and nothing more")
    parser.add_argument("--only", metavar="NAMES", default="", help="of these networks, separated by commas")
    parser.add_argument("--quick", action="store_true", help="inputs of 128 x 128 pixels where the size is free")
    parser.add_argument("--json", action="store_true", help="everything, as JSON")
    parser.add_argument("--markdown", action="store_true", help="a table in Markdown")
    parser.add_argument("--output", type=Path, metavar="FILE", help="also write it here, anew after each row")
    parser.add_argument("--limit", type=float, default=6 * 3600, metavar="SECONDS", help="of all rows together")
    parser.add_argument("--row", action="store_true", help=argparse.SUPPRESS)
    return parser


def _wanted(names: str) -> list[Network]:
    if not names:
        return list(NETWORKS.values())
    asked = names.split(",")
    unknown = [name for name in asked if name not in NETWORKS]
    if unknown:
        raise CamtrapEdgeError(f"'{unknown[0]}' is no row; --list names them")
    return [NETWORKS[name] for name in asked]


def _tried(network: Network, *, quick: bool) -> Answer:
    """The row, in this process."""
    begun = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="camtrap-edge-matrix-") as folder:
        work = Path(folder)
        try:
            subject = network.make(work, QUICK if quick else None)
            verdicts = trying.judge(subject, work)
        except NothingToBuildError as error:
            return _answer(network, Verdict("none", str(error)), time.monotonic() - begun)
        except CamtrapEdgeError as error:
            return _answer(network, Verdict("failed", str(error)), time.monotonic() - begun)
        spec = subject.model.description.input
        return Answer(
            *(network.name, network.family, network.network, network.weights),
            input=f"{spec.width}x{spec.height}",
            batch="free" if subject.model.any_batch else "1",
            parameters=trying.parameters(subject, work),
            verdicts=verdicts,
            seconds=round(time.monotonic() - begun, 1),
            memory=trying.most_memory(),
        )


def _apart(network: Network, *, quick: bool, seconds: float) -> Answer:
    """The row, in a process of its own, so that its memory comes back and a crash takes nothing else down."""
    if seconds <= 0:
        return _answer(network, Verdict("failed", "not tried: the time was up"), 0)
    command = [sys.executable, "-m", __package__ or "", "--row", "--only", network.name, *(["--quick"] * quick)]
    begun = time.monotonic()
    # A session of its own: the builder is a process of the row's process, and has to end with it.
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as running:
        try:
            said, complaints = running.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            os.killpg(running.pid, signal.SIGKILL)
            return _answer(network, Verdict("failed", "the time was up before it was done"), time.monotonic() - begun)
    if running.returncode != 0:
        last = complaints.strip().splitlines()[-1:] or ["it said nothing"]
        reason = f"ended with code {running.returncode}: {last[0]}"
        return _answer(network, Verdict("failed", reason), time.monotonic() - begun)
    return msgspec.convert(json.loads(said.splitlines()[-1]), Answer)


def _answer(network: Network, verdict: Verdict, seconds: float) -> Answer:
    return Answer(
        *(network.name, network.family, network.network, network.weights),
        verdicts=dict.fromkeys(trying.TRIED, verdict),
        seconds=round(seconds, 1),
    )


if __name__ == "__main__":
    sys.exit(main())
