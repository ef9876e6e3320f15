"""A journal that has one of everything: what reports have to get right, with a truth that a person can read."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from edge_runtime.journal.journal import Journal
from edge_runtime.journal.runs import Run
from edge_runtime.values import (
    Box,
    Capture,
    Detection,
    FailureKind,
    FileStamp,
    Footage,
    Photo,
    Scores,
    Species,
    TimeSource,
)

START_S = 1_780_000_000  # 2026-05-28T20:26:40Z
LEOPARD = ("Mammalia", "Carnivora", "Felidae", "Panthera", "Panthera pardus")
RUN = Run(
    detector="boxes 1 (aaaaaaaaaaaa)",
    classifier="names 2 (bbbbbbbbbbbb)",
    confident=0.3,
    keep=0.05,
    time_zone="Africa/Nairobi",
    lineages={
        "cat family": LEOPARD[:3],
        "cheetah": ("Mammalia", "Carnivora", "Felidae", "Acinonyx", "Acinonyx jubatus"),
        "leopard": LEOPARD,
        "unnamed": (),
        "zebra": ("Mammalia", "Perissodactyla", "Equidae", "Equus", "Equus quagga"),
    },
)
WATERHOLE, COMMA, NOTHING = "waterhole", 'ridge, "north"', "NA"
CAMERAS = (WATERHOLE, COMMA, NOTHING)
PROJECT = """\
title: The hill's study
description: "What is there: everything"
contributor: Rangers
data_license: CC0-1.0
media_license: CC-BY-4.0
cameras:
  - {name: waterhole, latitude: -2.33, longitude: 34.83}
  - {name: 'ridge, "north"', latitude: -2.4, longitude: 34.9}
  - {name: "NA", latitude: 1, longitude: -30}
"""
BOX = Box(0.1, 0.2, 0.35, 0.6)
ODD_NAMES = (
    "caf\udce9.JPG",
    'say "cheese", please.JPG',
    "two\nlines.JPG",
    ".hidden/1.JPG",
    "a..b.JPG",
    "~home/1.JPG",
    "=SUM(A1).JPG",
    "100%.JPG",
    "nothing",
)


@dataclass
class Writer:
    """Puts files into a journal, one event each unless told."""

    journal: Journal
    clock_s: int = START_S
    run_id: int | None = None
    paths: list[str] = field(default_factory=list)

    def event(self, camera: str = WATERHOLE, *, timed: bool = True) -> int:
        self.clock_s += 3600
        return self.journal.events.begin(camera, self.clock_s if timed else None, "exif" if timed else "unknown")

    def photo(
        self,
        path: str,
        *detections: Detection,
        event: int | None = None,
        camera: str = WATERHOLE,
        timed: bool = True,
        footage: Footage | None = None,
        passed_over: bool = False,
        size: tuple[int, int] = (640, 480),
    ) -> int:
        event = self.event(camera, timed=timed) if event is None else event
        source: TimeSource = "exif" if timed else "unknown"
        capture = Capture(self.clock_s if timed else None, source, "MAKER", "MODEL", "", *size)
        self.journal.events.extend(event, capture.time_s)
        self.clock_s += 1
        photo = Photo(self.stamp(path), self.sha256(path), camera, capture, footage)
        return self.journal.ledger.add_photo(
            photo,
            detections,
            empty=not detections,
            event_id=event,
            now_s=self.clock_s + 86400,
            passed_over=passed_over,
            run_id=self.run_id,
        )

    def failure(self, path: str, kind: FailureKind, problem: str, *, video: bool = False) -> None:
        self.journal.ledger.add_failure(self.stamp(path), kind, problem, attempts=1, final=True, video=video)

    def answer(self, path: str, species: str) -> None:
        values = (self.sha256(path), species, self.clock_s, "sheet.csv")
        self.journal._connection.execute("INSERT INTO answer VALUES (?, ?, ?, ?)", values)

    def track(self, event: int, photo: int, *, species: Species, individual: tuple[str | None, float]) -> None:
        """The first detection of the photo is this animal, as its event says."""
        connection = self.journal._connection
        connection.execute(
            "INSERT INTO track VALUES (?, 1, ?, ?, 'mean-log', 1.0, 3, ?, ?)",
            (event, species.name, species.confidence, *individual),
        )
        connection.execute("UPDATE detection SET track = 1 WHERE photo_id = ? AND rank = 0", (photo,))

    def repeat(self, photo: int, rank: int) -> None:
        connection = self.journal._connection
        cursor = connection.execute(
            "INSERT INTO repeat (camera, cell, x1, y1, x2, y2, events, last_event, state) "
            "VALUES (?, 0, 0.1, 0.1, 0.2, 0.2, 20, 1, 'repeat')",
            (WATERHOLE,),
        )
        connection.execute(
            "UPDATE detection SET repeat_id = ? WHERE photo_id = ? AND rank = ?", (cursor.lastrowid, photo, rank)
        )

    def stamp(self, path: str) -> FileStamp:
        self.paths.append(path)
        return FileStamp(Path("/card"), PurePosixPath(path), 1000, 1)

    @staticmethod
    def sha256(path: str) -> bytes:
        return hashlib.sha256(path.encode("utf-8", "surrogateescape")).digest()


def animal(
    name: str | None = None, sure: float = 0.9, *, box: Box = BOX, scores: Scores = (), frame: int | None = None
) -> Detection:
    species = Species(name, sure) if name else None
    return Detection("animal", 0.8, box, species, scores, frame)


def build(file: Path) -> list[str]:
    """Write the journal; returns the paths of all its files."""
    journal = Journal(file, device="hill")
    with journal.transaction():
        writer = Writer(journal)
        writer.photo("old/1.JPG", animal("leopard"))  # of a program that noted no run
        writer.run_id = journal.runs.add(RUN)
        _burst(writer)
        _categories(writer)
        _answers(writer)
        _videos(writer)
        _copies_and_failures(writer)
        for name in ODD_NAMES:
            writer.photo(name, animal("zebra"), camera=COMMA)
        writer.photo("na/1.JPG", camera=NOTHING)
        writer.photo("untimed/1.JPG", animal("zebra"), timed=False)
        writer.photo("untimed/2.JPG", timed=False)
    journal.close()
    return sorted(set(writer.paths))


def _burst(writer: Writer) -> None:
    """One leopard, F12, of which one frame alone would have said cheetah; a branch that is found again and again."""
    event = writer.event()
    scores = (("cheetah", 0.6), ("leopard", 0.3), ("", 0.1))
    first = writer.photo("burst/1.JPG", animal("cheetah", 0.6, scores=scores), event=event)
    branch = Detection("animal", 0.95, Box(0.7, 0.7, 0.8, 0.8))
    weak = Detection("animal", 0.1, Box(0.0, 0.0, 1.0, 1.0))
    agreed = (("leopard", 0.7), ("cheetah", 0.2), ("zebra", 0.05), ("", 0.02))
    second = writer.photo("burst/2.JPG", animal("leopard", 0.7, scores=agreed), branch, weak, event=event)
    writer.photo("burst/3.JPG", event=event, passed_over=True)
    writer.track(event, first, species=Species("leopard", 0.85), individual=("F12", 0.91))
    connection = writer.journal._connection
    connection.execute("UPDATE detection SET track = 1 WHERE photo_id = ? AND rank = 0", (second,))
    connection.execute("UPDATE photo SET review = 'alike' WHERE id = ?", (second,))
    writer.repeat(second, 1)


def _categories(writer: Writer) -> None:
    person = Detection("person", 0.9, Box(0.5, 0.1, 0.9, 0.9))
    car = Detection("vehicle", 0.7, Box(0.0, 0.5, 0.4, 1.0))
    writer.photo("mixed/1.JPG", animal("cat family", 0.75, scores=(("cheetah", 0.4), ("leopard", 0.35))), person, car)
    writer.photo("mixed/2.JPG", animal(), animal(box=Box(0.6, 0.6, 0.7, 0.7)), animal("unnamed"))
    writer.photo("mixed/3.JPG")
    stranger = writer.event()
    photo = writer.photo("mixed/4.JPG", animal("leopard"), event=stranger)
    writer.track(stranger, photo, species=Species("leopard", 0.9), individual=(None, 0.4))


def _answers(writer: Writer) -> None:
    writer.photo("answered/zebra.JPG", animal("leopard"))
    writer.answer("answered/zebra.JPG", "zebra")
    writer.photo("answered/unknown.JPG", animal("leopard"))
    writer.answer("answered/unknown.JPG", "aardwolf, maybe")
    writer.photo("answered/empty.JPG", animal("leopard"))
    writer.answer("answered/empty.JPG", "empty")
    writer.photo("answered/person.JPG", animal())
    writer.answer("answered/person.JPG", "person")
    writer.photo("answered/unseen.JPG")
    writer.answer("answered/unseen.JPG", "zebra")


def _videos(writer: Writer) -> None:
    two = [animal("zebra", frame=0), animal("zebra", box=Box(0.6, 0.6, 0.9, 0.9), frame=0), animal("zebra", frame=30)]
    writer.photo("video/whole.MP4", *two, footage=Footage(30.0, 2.0, (0, 30)))
    cut = Footage(29.97, 0.5, (0,), problem="ends after 0.5 of 10 s")
    writer.photo("video/part.AVI", animal("leopard", frame=0), footage=cut)
    writer.photo("video/empty.mov", footage=Footage(25.0, 1.0, (0,)))
    writer.failure("video/broken.MP4", FailureKind.ACCESS, "no video stream", video=True)


def _copies_and_failures(writer: Writer) -> None:
    ledger = writer.journal.ledger
    original = writer.photo("copies/1.JPG", animal("zebra"))
    ledger.add_duplicate(writer.stamp("copies/2.JPG"), original)
    # The path of the first came to mean a broken file since: its copy is all there is.
    gone = writer.photo("copies/3.JPG", animal("leopard"))
    ledger.add_duplicate(writer.stamp("copies/4.JPG"), gone)
    writer.failure("copies/3.JPG", FailureKind.INFERENCE, "out of memory")
    writer.failure("failed/empty.JPG", FailureKind.ACCESS, "empty file")
