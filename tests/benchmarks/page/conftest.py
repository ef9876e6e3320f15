"""A folder of results, the command, and a browser that tells what it was asked to fetch."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from benchmarks.commands import report
from benchmarks.document import store
from benchmarks.document.schema import Document
from edge_runtime import console


@dataclass
class Results:
    """A results folder, and the page of it."""

    folder: Path
    output: Path
    documents: dict[str, Document] = field(default_factory=dict)
    """By run."""

    def add(self, *documents: Document) -> list[Path]:
        self.documents.update({each.run.id: each for each in documents})
        return [store.write(each, self.folder) for each in documents]

    def report(self, *arguments: str) -> int:
        """Run `edge-bench report`; returns its exit code."""
        parser = argparse.ArgumentParser()
        report.add(parser.add_subparsers())
        parsed = parser.parse_args(["report", str(self.folder), "-o", str(self.output), *arguments])
        return console.run("edge-bench", lambda: report.run(parsed), verbose=False)


@pytest.fixture
def results(tmp_path: Path) -> Results:
    return Results(tmp_path / "results", tmp_path / "report.html")


@pytest.fixture
def opened(browser: Browser) -> Iterator[Callable[[Path, int], tuple[Page, list[str]]]]:
    """Opens a file at a width in pixels; tells the page and every address that was asked for."""
    pages: list[Page] = []

    def open_(file: Path, width: int = 1280) -> tuple[Page, list[str]]:
        page = browser.new_page(viewport={"width": width, "height": 900})
        pages.append(page)
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        page.goto(file.as_uri())
        page.wait_for_load_state("networkidle")
        return page, asked

    yield open_
    for page in pages:
        page.close()
