"""What every test may ask for."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

from export_tools import cli as export_cli
from tests import colour_detector

ROOT = Path(__file__).resolve().parent.parent
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
_ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"]
_ARGUMENTS += ["--disable-background-networking", "--disable-component-update", "--disable-sync"]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A real browser, for one module: while it is open its event loop runs, and no other one can be started."""
    if CHROMIUM is None:
        pytest.skip("chromium is not installed (Debian: apt-get install chromium)")
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=CHROMIUM, headless=True, args=_ARGUMENTS)
        yield launched
        launched.close()


@pytest.fixture(scope="session")
def assets() -> Path:
    """The folder of real camera-trap photos, truth and weights; tests that need it skip where it is missing."""
    folder = Path(os.environ.get("CAMTRAP_EDGE_ASSETS") or ROOT.parent / "shared" / "assets")
    if not folder.is_absolute():
        folder = ROOT / folder
    if not (folder / "photos").is_dir():
        pytest.skip(f"no test photos: {folder} is missing (set CAMTRAP_EDGE_ASSETS)")
    return folder


@pytest.fixture(scope="session")
def colour_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A detector bundle whose truth is known exactly (tests/colour_detector.py)."""
    folder = tmp_path_factory.mktemp("bundles") / "colour-detector"
    return colour_detector.build_bundle(folder).folder


@pytest.fixture(scope="session")
def yolox_bundle(assets: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """YOLOX-nano, imported by the command that the README names; skips where its weights are missing."""
    graph = assets / "weights" / "yolox_nano" / "yolox_nano_416_opencvzoo.onnx"
    if not graph.is_file():
        pytest.skip(f"no YOLOX-nano weights: {graph} is missing")
    folder = tmp_path_factory.mktemp("bundles") / "yolox-nano"
    arguments = [str(graph), "--preset", "yolox", "--labels", "coco80", "-o", str(folder)]
    arguments += ["--licence", "Apache-2.0", "--source", "https://github.com/opencv/opencv_zoo"]
    assert export_cli.main(["import", *arguments]) == 0
    return folder
