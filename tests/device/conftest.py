"""A device without a network: journal, pipeline and a card folder of photos whose truth is known."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path, PurePosixPath
from zoneinfo import ZoneInfo

import pytest

from edge_runtime.intake import scan
from edge_runtime.journal.journal import Journal
from edge_runtime.models.classifier import Classifier
from edge_runtime.models.detector import Detector
from edge_runtime.models.loading import load_detector
from edge_runtime.pipeline import Outcome, Pipeline
from edge_runtime.rules import Rules
from edge_runtime.values import CardReport, Event, FileStamp
from tests.colour_detector import Cells, photo

START = datetime(2026, 5, 1, 6, 0, 0)
RULES = Rules(zone=ZoneInfo("UTC"), cameras=(), max_pixels=200_000_000, gap_s=60, confident=0.3)


@dataclass
class Bench:
    """What the tests handle."""

    card: Path
    journal: Journal
    detector: Detector
    pipeline: Pipeline
    seed: int = 0
    outcomes: list[Outcome] = field(default_factory=list)

    def rebuild(self, *, classifier: Classifier | None = None, workers: int = 1) -> None:
        """Another pipeline over the same journal."""
        self.pipeline = Pipeline(self.journal, self.detector, classifier, RULES, workers=workers)

    def restart(self, data: Path) -> None:
        """With an empty journal in another folder."""
        self.journal = Journal(data / "journal.sqlite", device="bench")
        self.rebuild()

    def shoot(self, name: str, cells: Cells, *, seconds: float = 0.0, serial: str = "") -> Path:
        """Put a photo on the card, taken `seconds` after the start."""
        self.seed += 1
        file = self.card / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(photo(cells, taken=START + timedelta(seconds=seconds), serial=serial, seed=self.seed))
        return file

    def stamp(self, name: str) -> FileStamp:
        path = PurePosixPath(name)
        return next(stamp for stamp in scan.scan(self.card).photos if stamp.path == path)

    def take(self, name: str, *, settled: bool = False) -> Outcome:
        return self.take_stamp(self.stamp(name), settled=settled)

    def take_stamp(self, stamp: FileStamp, *, settled: bool = True) -> Outcome:
        ((_, outcome),) = self.pipeline.take_all([(stamp, settled)])
        return outcome

    def take_all(self) -> list[Outcome]:
        work = [(stamp, True) for stamp in scan.scan(self.card).photos]
        return [outcome for _, outcome in self.pipeline.take_all(work)]

    def sent(self) -> list[Event | CardReport]:
        return [entry.summary for entry in self.journal.outbox.after(0, limit=1000)]

    def events(self) -> list[tuple[str, int, int, dict[str, int]]]:
        """Each event in the outbox: camera, seconds after the start, photos, label to count."""
        zero = int(START.replace(tzinfo=ZoneInfo("UTC")).timestamp())
        return [
            (event.camera, (event.start_s or 0) - zero, event.photos, {c.label: c.count for c in event.counts})
            for event in self.sent()
            if isinstance(event, Event)
        ]


@pytest.fixture
def bench(tmp_path: Path, colour_bundle: Path) -> Iterator[Bench]:
    card = tmp_path / "card"
    card.mkdir()
    journal = Journal(tmp_path / "data" / "journal.sqlite", device="bench")
    detector = load_detector(str(colour_bundle), threads=1, streams=2)
    made = Bench(card, journal, detector, Pipeline(journal, detector, None, RULES))
    yield made
    made.journal.close()
