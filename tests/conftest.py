"""What every test may ask for."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

from export_tools import cli as export_cli
from tests import colour_detector

ROOT = Path(__file__).resolve().parent.parent
LOCK = "CAMTRAP_EDGE_TESTS_LOCK"
"""The variable that names the file by which workers that run at once (`-n 2`) leave one alone."""
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
_ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"]
_ARGUMENTS += ["--disable-background-networking", "--disable-component-update", "--disable-sync"]


def pytest_configure(config: pytest.Config) -> None:
    """Before workers are started: they get one thread each, and a lock for those tests that must be alone.

    Of two workers with two threads each on two cores, one's threads spin where the other's work.
    """
    if config.getoption("numprocesses", None) and LOCK not in os.environ:
        os.environ.setdefault("OMP_NUM_THREADS", "1")
        descriptor, os.environ[LOCK] = tempfile.mkstemp(prefix="camtrap-edge-tests-")
        os.close(descriptor)
        config.add_cleanup(Path(os.environ[LOCK]).unlink)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """For `-n 2 --dist loadfile`: files with a long test come first, those whose tests must be alone last."""
    if LOCK in os.environ:
        slow, alone = ({item.path for item in items if item.get_closest_marker(name)} for name in ("slow", "alone"))
        items.sort(key=lambda item: 2 if item.path in alone else item.path not in slow)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """A test that is marked `alone` waits until no other worker's runs, and none begins meanwhile."""
    if LOCK not in os.environ:
        return (yield)
    with Path(os.environ[LOCK]).open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX if item.get_closest_marker("alone") else fcntl.LOCK_SH)
        return (yield)


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
