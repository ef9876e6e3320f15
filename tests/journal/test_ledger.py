from __future__ import annotations

import os
import random
import sqlite3
from dataclasses import astuple
from pathlib import Path, PurePosixPath

import pytest

from edge_runtime import database
from edge_runtime.journal.journal import Journal
from edge_runtime.journal.ledger import Totals
from edge_runtime.journal.schema import MIGRATIONS
from edge_runtime.values import Box, Capture, Count, Detection, Event, FailureKind, FileStamp, Footage, Photo

NAMES = ["a.jpg", "b.jpg", "Z.JPG", "IMG_10.JPG", "é.jpg", os.fsdecode(b"caf\xe9_1.jpg"), "\U0001f98a.jpg"]


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return Journal(tmp_path / "journal.sqlite", device="a")


def stamp(path: str, *, size: int = 10, mtime_ns: int = 20) -> FileStamp:
    return FileStamp(Path("/card"), PurePosixPath(path), size, mtime_ns)


def add_photo(
    journal: Journal, file: FileStamp, sha256: bytes, *, empty: bool = False, passed_over: bool = False
) -> None:
    capture = Capture(100, "exif", "", "", "", 640, 480)
    detections = () if empty else (Detection("animal", 0.9, Box(0, 0, 1, 1)),)
    event = journal.events.begin("CAM", 100, "exif")
    photo = Photo(file, sha256, "CAM", capture)
    journal.ledger.add_photo(photo, detections, empty=empty, passed_over=passed_over, event_id=event, now_s=1)


def fail(journal: Journal, file: FileStamp, *, final: bool) -> None:
    journal.ledger.add_failure(file, FailureKind.ACCESS, "broken", attempts=1, final=final)


def fail_video(journal: Journal, file: FileStamp) -> None:
    journal.ledger.add_failure(file, FailureKind.ACCESS, "broken", attempts=1, final=True, video=True)


def add_video(journal: Journal, file: FileStamp, sha256: bytes) -> None:
    event = journal.events.begin("CAM", 100, "exif")
    footage = Footage(30.0, 2.0, (0, 30), "its end is missing")
    photo = Photo(file, sha256, "CAM", Capture(100, "exif", "", "", "", 640, 480), footage)
    found = (Detection("animal", 0.9, Box(0, 0, 1, 1), frame=30),)
    journal.ledger.add_photo(photo, found, empty=False, event_id=event, now_s=1)


@pytest.mark.parametrize("folder", ["", "DCIM/100MEDIA"])
def test_finished_files_of_a_folder_are_told_whatever_their_names(journal: Journal, folder: str) -> None:
    home = PurePosixPath(folder)
    for number, name in enumerate(NAMES):
        add_photo(journal, stamp(str(home / name), size=number), bytes([number]) * 32)
    found = journal.ledger.finished(home, NAMES)
    assert found == {(name, number, 20): True for number, name in enumerate(NAMES)}


def test_what_lies_in_other_folders_is_not_told_of_this_one(journal: Journal) -> None:
    for number, path in enumerate(["DCIM/1.jpg", "DCIM/1/2.jpg", "DCIM0/1.jpg", "DCI/1.jpg", "1.jpg", "DCIM/3/1.jpg"]):
        add_photo(journal, stamp(path), bytes([number]) * 32)
    assert set(journal.ledger.finished(PurePosixPath("DCIM"), ["1.jpg", "3.jpg"])) == {("1.jpg", 10, 20)}
    assert set(journal.ledger.finished(PurePosixPath(), ["1.jpg", "Z.jpg"])) == {("1.jpg", 10, 20)}
    assert journal.ledger.finished(PurePosixPath(), []) == {}


def test_a_failure_is_finished_only_when_it_is_final_and_is_no_photo(journal: Journal) -> None:
    fail(journal, stamp("retried.jpg"), final=False)
    fail(journal, stamp("final.jpg"), final=True)
    fail_video(journal, stamp("v.mp4"))
    found = journal.ledger.finished(PurePosixPath(), ["retried.jpg", "final.jpg", "v.mp4"])
    assert found == {("final.jpg", 10, 20): False, ("v.mp4", 10, 20): False}


def test_a_video_that_grew_is_counted_once(journal: Journal) -> None:
    fail_video(journal, stamp("v.mp4"))
    first = journal.reports.take(now_s=1)
    fail_video(journal, stamp("v.mp4", size=11))
    assert first is not None and (first.videos, first.failed) == (1, 0)
    assert journal.ledger.totals().videos == 1
    assert set(journal.ledger.finished(PurePosixPath(), ["v.mp4"])) == {("v.mp4", 11, 20)}


def counted(connection: sqlite3.Connection) -> Totals:
    """The totals as they are when every row is counted."""

    def one(query: str) -> int:
        return int(connection.execute(query).fetchone()[0])

    return Totals(
        photos=one("SELECT COUNT(*) FROM photo"),
        empty=one("SELECT COUNT(*) FROM photo WHERE empty"),
        failed=one("SELECT COUNT(*) FROM file WHERE failure IS NOT NULL AND NOT video"),
        duplicates=one("SELECT COUNT(*) FROM file WHERE duplicate"),
        videos=one("SELECT COUNT(*) FROM file WHERE failure IS NOT NULL AND video"),
        events=one("SELECT COUNT(*) FROM event WHERE state = 'sent'"),
        passed_over=one("SELECT COUNT(*) FROM photo WHERE passed_over"),
    )


def test_totals_are_those_of_the_rows_whatever_was_done(journal: Journal) -> None:
    chance = random.Random(7)
    photos = 0
    for number in range(400):
        file = stamp(f"{chance.randrange(25)}.jpg", size=number)
        what = chance.randrange(7)
        if what == 0:
            photos += 1
            empty = chance.random() < 0.5
            add_photo(
                journal, file, photos.to_bytes(32, "big"), empty=empty, passed_over=empty and chance.random() < 0.5
            )
        elif what == 1 and photos:
            journal.ledger.add_duplicate(file, chance.randrange(photos) + 1)
        elif what == 2:
            fail(journal, file, final=chance.random() < 0.5)
        elif what == 3:
            fail_video(journal, file)
        elif what == 4:
            journal.ledger.forget(file.path)
        elif what == 5:
            photos += 1
            add_video(journal, file, photos.to_bytes(32, "big"))
        elif still_open := journal.events.open():
            sequence = None
            if chance.random() < 0.5:
                summary = Event("CAM", 1, 2, "exif", 1, (Count("animal", 1, 0.9),))
                sequence = journal.outbox.put(summary, now_s=1)
            journal.events.close(still_open[0].id, sequence=sequence)
        assert journal.ledger.totals() == counted(journal._connection), number
    assert min(astuple(journal.ledger.totals())) > 0, "a kind of row never came up"


def test_a_video_is_told_of_with_its_frames_and_so_is_its_copy(journal: Journal) -> None:
    add_video(journal, stamp("a.mp4"), b"1" * 32)
    journal.ledger.add_duplicate(stamp("b.mp4"), 1)
    for result in journal.ledger.results():
        assert result.video and result.failure is None
        assert result.footage == Footage(30.0, 2.0, (0, 30), "its end is missing")
        assert result.problem == "its end is missing"
        assert [found.frame for found in result.detections] == [30]


def test_what_failed_for_a_reason_that_is_no_more_is_tried_again(journal: Journal) -> None:
    fail_video(journal, stamp("v.mp4"))
    fail(journal, stamp("1.jpg"), final=True)
    journal.ledger.add_failure(stamp("2.jpg"), FailureKind.ACCESS, "other", attempts=1, final=True)
    journal.ledger.try_again("broken")
    assert journal.ledger.finished(PurePosixPath(), ["v.mp4", "1.jpg", "2.jpg"]) == {("2.jpg", 10, 20): False}
    assert journal.ledger.totals() == counted(journal._connection)


def test_what_a_rolled_back_transaction_wrote_is_not_counted(journal: Journal) -> None:
    with pytest.raises(RuntimeError), journal.transaction():
        add_photo(journal, stamp("1.jpg"), b"1" * 32)
        raise RuntimeError("power")
    assert journal.ledger.totals().photos == 0


def test_a_journal_of_the_first_version_comes_with_its_counts(tmp_path: Path) -> None:
    file = tmp_path / "journal.sqlite"
    old = database.open_database(file, MIGRATIONS[:1])
    old.execute("INSERT INTO event VALUES (1, 'CAM', 1, 2, 'exif', 'sent', 1), (2, 'CAM', 1, 2, 'exif', 'empty', NULL)")
    for number in (1, 2, 3):
        old.execute(
            "INSERT INTO photo VALUES (?, ?, 'CAM', 1, 'exif', '', '', '', 1, 1, ?, 1, 1, 0)",
            (number, bytes([number]) * 32, number > 1),
        )
        old.execute(
            "INSERT INTO file (path, size, mtime_ns, photo_id) VALUES (?, 1, 1, ?)", (b"%d.jpg" % number, number)
        )
    old.execute("INSERT INTO file (path, size, mtime_ns, photo_id, duplicate) VALUES (X'41', 1, 1, 1, 1)")
    old.execute("INSERT INTO file (path, size, mtime_ns, failure, problem) VALUES (X'42', 1, 1, 'f', 'p')")
    old.close()
    journal = Journal(file, device="a")
    assert journal.ledger.totals() == Totals(
        photos=3, empty=2, failed=1, duplicates=1, videos=0, events=1, passed_over=0
    )
    assert journal.ledger.totals() == counted(journal._connection)


def test_the_events_of_a_report_are_those_of_its_photos(journal: Journal) -> None:
    for number in range(3):
        add_photo(journal, stamp(f"{number}.jpg"), bytes([number]) * 32, empty=number == 2)
    for event in journal.events.open():
        journal.events.close(event.id, sequence=event.id if event.id < 3 else None)
    report = journal.reports.take(now_s=1)
    assert report is not None and (report.photos, report.empty, report.events) == (3, 1, 2)
    add_photo(journal, stamp("new.jpg"), b"n" * 32)
    again = journal.reports.take(now_s=2)
    assert again is not None and (again.photos, again.events) == (1, 0)
