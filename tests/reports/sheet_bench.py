"""A card and a journal for contact sheets: photos of a person and a cat, and what the journal says of them."""

from __future__ import annotations

import io
import sqlite3
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path, PurePosixPath
from zoneinfo import ZoneInfo

import cv2
import numpy as np
import pytest
from PIL import Image
from skimage import data

from edge_runtime.intake import completeness, identity
from edge_runtime.journal.journal import Journal
from edge_runtime.journal.runs import Run
from edge_runtime.reports import contact_sheet
from edge_runtime.reports.contact_sheet import Choice, Made
from edge_runtime.values import Box, Capture, Detection, FailureKind, FileStamp, Footage, Photo, Pixels, Species

ALL = Choice(only="all")
RUN = Run(detector="d 1", confident=0.5, keep=0.05, time_zone="Africa/Nairobi")
NOON = int(datetime(2026, 5, 1, 12, tzinfo=ZoneInfo("Africa/Nairobi")).timestamp())
PERSON, CAT = Box(0.05, 0.1, 0.45, 0.95), Box(0.55, 0.2, 0.95, 0.8)
"""Where `photo` has them."""


def photo(*, left: Pixels | None = None, seed: int = 0) -> bytes:
    """A JPEG with a person on the left and a cat on the right, 1200 x 800; or another picture on the left."""
    pixels = np.full((800, 1200, 3), 90 + seed, np.uint8)
    for box, picture in ((PERSON, data.astronaut() if left is None else left), (CAT, data.chelsea())):
        x1, x2, y1, y2 = (round(v * side) for v, side in ((box.x1, 1200), (box.x2, 1200), (box.y1, 800), (box.y2, 800)))
        pixels[y1:y2, x1:x2] = cv2.resize(picture, (x2 - x1, y2 - y1))
    stream = io.BytesIO()
    exif = Image.Exif()
    exif[0x010F] = "SECRET CAMERA"
    Image.fromarray(pixels).save(stream, "JPEG", quality=92, exif=exif)
    return stream.getvalue()


def person(confidence: float = 0.9, box: Box = PERSON) -> Detection:
    return Detection("person", confidence, box)


def cat(confidence: float = 0.9, name: str = "cat") -> Detection:
    return Detection("animal", confidence, CAT, Species(name, 0.8))


@dataclass
class Bench:
    """A card, and a journal that says of its photos what the test wants."""

    card: Path
    journal: Path

    def record(
        self,
        name: str,
        *found: Detection,
        content: bytes | None = None,
        camera: str = "ridge",
        at_s: int | None = NOON,
        event: int | None = None,
        answer: str = "",
        review: str = "",
        footage: Footage | None = None,
    ) -> int:
        """Put a photo on the card and into the journal; returns its event."""
        file = self.card / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(photo() if content is None else content)
        seen = file.stat()
        stamp = FileStamp(self.card, PurePosixPath(name), seen.st_size, seen.st_mtime_ns)
        picture = file.read_bytes()
        end = len(picture) if footage else completeness.check(picture).end
        sha256 = identity.picture_hash(picture, end)
        taken = Capture(at_s, "exif" if at_s else "unknown", "", "", "", 1200, 800)
        journal = Journal(self.journal, device="hut-1")
        try:
            with journal.transaction():
                event = event or journal.events.begin(camera, at_s, taken.time_source)
                journal.ledger.add_photo(
                    Photo(stamp, sha256, camera, taken, footage),
                    found,
                    empty=not found,
                    event_id=event,
                    now_s=NOON,
                    run_id=journal.runs.add(RUN),
                )
        finally:
            journal.close()
        self.sql("UPDATE photo SET review = ? WHERE sha256 = ?", review, sha256)
        if answer:
            self.sql("INSERT INTO answer VALUES (?, ?, ?, 'test')", sha256, answer, NOON)
        return event

    def fail(self, name: str, problem: str) -> None:
        journal = Journal(self.journal, device="hut-1")
        try:
            with journal.transaction():
                stamp = FileStamp(self.card, PurePosixPath(name), 1, 1)
                journal.ledger.add_failure(stamp, FailureKind.ACCESS, problem, attempts=1, final=True)
        finally:
            journal.close()

    def sql(self, statement: str, *values: object) -> None:
        with sqlite3.connect(self.journal) as connection:
            connection.execute(statement, values)
        connection.close()

    def sheet(self, choice: Choice = ALL) -> tuple[Made, str]:
        output = self.journal.parent / "sheet.html"
        made = contact_sheet.write(self.journal, self.card, output, choice)
        return made, output.read_text(encoding="utf-8")


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    (tmp_path / "card").mkdir()
    return Bench(tmp_path / "card", tmp_path / "journal.sqlite")
