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
from edge_runtime.models.loading import load_detector
from edge_runtime.pipeline import Outcome, Pipeline, Rules
from edge_runtime.values import CardReport, Event, FileStamp
from tests.colour_detector import Cells, photo

START = datetime(2026, 5, 1, 6, 0, 0)


@dataclass
class Bench:
    """What the tests handle."""

    card: Path
    journal: Journal
    pipeline: Pipeline
    seed: int = 0
    outcomes: list[Outcome] = field(default_factory=list)

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
        return self.pipeline.take(self.stamp(name), settled=settled)

    def take_all(self) -> list[Outcome]:
        return [self.pipeline.take(stamp, settled=True) for stamp in scan.scan(self.card).photos]

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
    rules = Rules(zone=ZoneInfo("UTC"), cameras=(), max_pixels=200_000_000, gap_s=60, confident=0.3)
    yield Bench(card, journal, Pipeline(journal, load_detector(str(colour_bundle), threads=1), None, rules))
    journal.close()
