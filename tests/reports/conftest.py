"""Fixtures of the reports' tests: a journal with one of everything, and the command over it."""

from __future__ import annotations

import csv
import json
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from edge_runtime import cli
from tests.conftest import ROOT
from tests.reports import rich_journal
from tests.reports.sheet_bench import bench

__all__ = ["bench"]

Validate = Callable[[Path], dict[str, list[str]]]


@pytest.fixture(scope="session")
def validate() -> Validate:
    """The `megadetector` package's own check, in its own environment."""
    python = ROOT / ".venv-megadetector" / "bin" / "python"
    script = Path(__file__).with_name("validate_with_megadetector.py")
    if not (python.parent.parent / ".installed").exists():
        pytest.skip("the megadetector package is not installed (make megadetector-env)")

    def run(file: Path) -> dict[str, list[str]]:
        done = subprocess.run([str(python), str(script), str(file)], capture_output=True, text=True, check=True)
        return json.loads(done.stdout.splitlines()[-1])

    return run


@dataclass(frozen=True)
class Rich:
    """The journal of `rich_journal`, and reports of it."""

    journal: Path
    project: Path
    paths: list[str]
    """Of every file that it knows."""

    def report(self, name: str, output: Path, *options: str) -> Path:
        given = ["--journal", str(self.journal), "--project", str(self.project), "-o", str(output)]
        assert cli.main(["report", "--format", name, *given, *options]) == 0
        return output

    def json(self, name: str, output: Path, *options: str) -> dict[str, Any]:
        return json.loads(self.report(name, output, *options).read_text())


@pytest.fixture(scope="session")
def rich(tmp_path_factory: pytest.TempPathFactory) -> Rich:
    folder = tmp_path_factory.mktemp("rich")
    paths = rich_journal.build(folder / "journal.sqlite")
    project = folder / "project.yaml"
    project.write_text(rich_journal.PROJECT)
    return Rich(folder / "journal.sqlite", project, paths)


def rows(file: Path) -> list[dict[str, str]]:
    with file.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))
