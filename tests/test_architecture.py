"""Imports run one way, and what must stay out of the device stays out."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT

FLOORS: tuple[tuple[str, ...], ...] = (
    ("edge_runtime", "values", "errors", "laps"),
    ("checked_yaml", "console", "database", "settings"),
    ("bundles", "engines", "intake", "events", "journal", "device"),
    ("models", "individuals", "uplink", "reports", "review", "rules", "overlap", "prefilter"),
    ("recording",),
    ("video_look",),
    ("pipeline", "reinsertion", "rescan", "station", "status"),
    ("daemon", "batch", "tuning"),
    ("assembly", "checkup"),
    ("commands",),
    ("cli", "tryout"),
)
FLOOR = {name: floor for floor, names in enumerate(FLOORS) for name in names}
FILES = sorted((ROOT / "edge_runtime").rglob("*.py"))


def imported(file: Path) -> set[str]:
    """Full names of the modules that a file imports anywhere in it."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def part(module: str) -> str:
    """The part of edge_runtime to which a module belongs."""
    steps = module.split(".")
    return steps[1] if len(steps) > 1 and steps[1] in FLOOR else steps[0]


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(ROOT)))
def test_no_import_runs_up(file: Path) -> None:
    home = part(".".join(file.relative_to(ROOT).with_suffix("").parts))
    for module in imported(file):
        if module.startswith("edge_runtime"):
            assert FLOOR[part(module)] <= FLOOR[home], f"{home} imports {module}, which stands above it"
        assert not module.startswith(("export_tools", "benchmarks", "tests")), module


def test_every_part_has_a_floor() -> None:
    names = {path.stem for path in (ROOT / "edge_runtime").iterdir() if path.suffix in ("", ".py")}
    assert names - {"__pycache__", "__init__", "py"} <= set(FLOOR)


def test_the_device_starts_without_what_only_the_station_and_the_workstation_need() -> None:
    code = "import sys, edge_runtime.cli; print(' '.join(sorted(sys.modules)))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    for heavy in ("torch", "flask", "waitress", "skimage", "scipy", "onnx", "iotcore", "ultralytics", "yolov5"):
        assert heavy not in loaded, heavy
