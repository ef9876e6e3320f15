"""`edge-bench doctor`: what it prints and what it ends with."""

from __future__ import annotations

import argparse
import json
from functools import partial
from pathlib import Path

import pytest

from benchmarks.board.checks.around import Around
from benchmarks.board.checkup import checkup
from benchmarks.commands import doctor
from tests.benchmarks.board import trees
from tests.benchmarks.board.planting import Answers, plant

QUIET = Around((), None, 1e-9, Path("/tmp"), (10**11, 10**11))


def parsed(*words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    doctor.add(parser.add_subparsers())
    return parser.parse_args(["doctor", *words])


def ran(tmp_path: Path, table: str, tools: Answers, *words: str) -> int:
    look = partial(checkup, plant(tmp_path, table, tools=tools), lambda _: QUIET)
    code = doctor.run(parsed(*words), look)
    assert isinstance(code, int)
    return code


def test_nothing_wrong_ends_well(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert ran(tmp_path, trees.PI5, trees.PI5_TOOLS) == 0
    out = capsys.readouterr().out
    assert out.endswith("nothing here would spoil a measurement\n") and "->" not in out


def test_what_would_spoil_a_measurement_ends_with_1_and_its_remedy_below_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ran(tmp_path, trees.PI4, trees.PI4_TOOLS) == 1
    lines = capsys.readouterr().out.splitlines()
    at = next(number for number, line in enumerate(lines) if "governor" in line)
    assert lines[at].split() == ["warn", "governor", "ondemand"]
    assert lines[at + 1].strip().startswith("-> echo performance | sudo tee ")
    assert lines[-1] == "3 of these would spoil a measurement"


def test_json_has_every_check_with_its_four_fields(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert ran(tmp_path, trees.PI4, trees.PI4_TOOLS, "--json") == 1
    told = json.loads(capsys.readouterr().out)
    assert {"name": "swap", "status": "warn", "found": "128 MiB in use", "mend": "sudo swapoff -a"} in told
    assert all(set(each) == {"name", "status", "found", "mend"} for each in told)


def test_this_machine_is_looked_at_by_default(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = parsed("--json")
    code = arguments.run(arguments)
    told = json.loads(capsys.readouterr().out)
    assert code == int(any(each["status"] in ("warn", "bad") for each in told)) and len(told) >= 7
