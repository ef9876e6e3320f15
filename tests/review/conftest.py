"""A device that tells cats apart by their shade, its card, and the commands on both."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from edge_runtime import cli
from edge_runtime.journal.results import Result
from edge_runtime.models.loading import load_classifier
from tests import colour_classifier, colour_detector
from tests.device.conftest import Bench, bench

__all__ = ["bench"]

LYNX, BETWEEN, COUGAR = ({(1, 1): shade} for shade in colour_classifier.SHADES)


@dataclass
class Ranger:
    """Someone with the device's settings, its card and a spreadsheet."""

    bench: Bench
    config: Path
    folder: Path
    capsys: pytest.CaptureFixture[str]

    def say(self, *command: str, code: int = 0) -> str:
        """A command's standard output, or its errors where it fails."""
        self.capsys.readouterr()
        assert cli.main([*command[:2], "-c", str(self.config), *command[2:]]) == code, self.capsys.readouterr()
        told = self.capsys.readouterr()
        return told.err if code else told.out

    def select(self, *options: str, code: int = 0) -> str:
        self.capsys.readouterr()
        output = str(self.selector)
        assert cli.main(["select", "-c", str(self.config), "-o", output, *options]) == code, self.capsys.readouterr()
        told = self.capsys.readouterr()
        return told.err if code else told.out

    @property
    def selector(self) -> Path:
        return self.folder / "timelapse_selector.csv"

    def export(self) -> list[dict[str, str]]:
        sheet = self.folder / "review.csv"
        self.say("review", "export", "-o", str(sheet))
        return rows(sheet)

    def sheet(self, lines: Sequence[dict[str, Any]], name: str = "answers.csv") -> str:
        """A sheet with these rows; returns its path."""
        file = self.folder / name
        with file.open("w", newline="", encoding="utf-8", errors="surrogateescape") as stream:
            writer = csv.DictWriter(stream, list(lines[0]))
            writer.writeheader()
            writer.writerows(lines)
        return str(file)

    def answer(self, answers: dict[str, str], *options: str) -> dict[str, Any]:
        """Give answers by path; what the import told."""
        lines = [
            {"File": Path(path).name, "RelativePath": str(Path(path).parent).removeprefix("."), "Species": species}
            for path, species in answers.items()
        ]
        told: dict[str, Any] = json.loads(self.say("review", "import", self.sheet(lines), "--json", *options))
        return told

    def read(self, *, close: bool = True) -> None:
        self.bench.take_all()
        if close:
            self.bench.pipeline.close_events()

    def results(self) -> dict[str, Result]:
        return {str(result.path): result for result in self.bench.journal.ledger.results()}

    def table(self, name: str) -> list[tuple[object, ...]]:
        """All rows of a table of the journal."""
        return [tuple(row) for row in self.bench.journal._connection.execute(f"SELECT * FROM {name}")]


def rows(file: Path) -> list[dict[str, str]]:
    with file.open(newline="", encoding="utf-8", errors="surrogateescape") as stream:
        return list(csv.DictReader(stream))


@pytest.fixture
def ranger(
    bench: Bench,
    tmp_path: Path,
    colour_bundle: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Iterator[Ranger]:
    for name, shade in colour_classifier.SHADES.items():
        monkeypatch.setitem(colour_detector.COLOURS, name, shade)
    colour_classifier.build_bundle(tmp_path / "cats")
    bench.rebuild(classifier=load_classifier(str(tmp_path / "cats"), threads=1))
    config = tmp_path / "device.yaml"
    document = {
        "device": "bench",
        "data": "data",
        "cards": {"root": "card", "rescan_seconds": 0.2, "settle_seconds": 0.2},
        "time_zone": "UTC",
        "events": {"gap_seconds": 2},
        "models": {"detector": str(colour_bundle), "classifier": "cats", "threads": 1},
        "uplink": {"port": 1, "drain_seconds": 0},  # nobody listens
    }
    config.write_text(yaml.safe_dump(document))
    yield Ranger(bench, config, tmp_path, capsys)
