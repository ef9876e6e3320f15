"""What a journal says of each file in the end, and what an older journal keeps when it is brought up to date."""

from __future__ import annotations

import gc
import shutil
import sqlite3
import tracemalloc
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path, PurePosixPath

import pytest

from edge_runtime import database
from edge_runtime.errors import JournalError
from edge_runtime.events import closing
from edge_runtime.events.closing import Animal, Medium
from edge_runtime.events.evidence import Verdict
from edge_runtime.journal import results
from edge_runtime.journal.journal import Journal
from edge_runtime.journal.reading import reading
from edge_runtime.journal.results import Result
from edge_runtime.journal.runs import Run
from edge_runtime.journal.schema import MIGRATIONS
from edge_runtime.values import (
    Box,
    Capture,
    Detection,
    FailureKind,
    FileStamp,
    Footage,
    Individual,
    Photo,
    Scores,
    Species,
)

BOX = Box(0.125, 0.25, 0.5, 0.75)
ZEBRA: Scores = (("zebra", 0.9), ("horse", 0.1))
RUN = Run(
    detector="d 1", classifier="c 1", confident=0.5, keep=0.05, time_zone="UTC", lineages={"zebra": ("Mammalia",)}
)


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    opened = Journal(tmp_path / "journal.sqlite", device="a")
    yield opened
    opened.close()


def found(name: str | None = "horse", scores: Scores = ZEBRA, confidence: float = 0.9) -> Detection:
    return Detection("animal", confidence, BOX, Species(name, 0.6) if name else None, scores)


def add(
    journal: Journal,
    path: str,
    *detections: Detection,
    event: int | None = None,
    footage: Footage | None = None,
    run: Run | None = RUN,
) -> tuple[int, int]:
    """Record a photo whose hash comes from its path; returns its id and its event's."""
    capture = Capture(100, "exif", "MAKE", "", "", 640, 480)
    event = journal.events.begin("CAM", 100, "exif") if event is None else event
    photo = Photo(FileStamp(Path("/card"), PurePosixPath(path), 10, 20), key(path), "CAM", capture, footage)
    run_id = journal.runs.add(run) if run else None
    photo_id = journal.ledger.add_photo(photo, detections, empty=not detections, event_id=event, now_s=5, run_id=run_id)
    return photo_id, event


def key(path: str) -> bytes:
    return path.encode().ljust(32, b"\0")


def close(journal: Journal, event: int, said: Species | None, who: Individual | None = None) -> None:
    """Close an event whose only animal is what `said` says."""
    media = [Medium(shot.id, journal.ledger.detections(shot.id)) for shot in journal.events.shots(event)]
    (animal,) = closing.follow(media, None, "mean-log", confident=0.5)
    verdict = Verdict(said, "mean-log", 0.5, len(media))
    journal.events.add_animals(event, [medium.id for medium in media], [Animal(animal.track, verdict, who)])
    journal.events.close(event, sequence=None)


def answer(journal: Journal, path: str, species: str) -> None:
    journal._connection.execute("INSERT OR REPLACE INTO answer VALUES (?, ?, 7, 'test')", (key(path), species))


def of(journal: Journal, path: str) -> Result:
    return next(result for result in journal.ledger.results() if result.path == PurePosixPath(path))


def test_before_its_event_is_closed_a_photo_is_what_its_crops_say(journal: Journal) -> None:
    add(journal, "1.jpg", found("horse"))
    (detection,) = of(journal, "1.jpg").detections
    assert detection == found("horse")


def test_the_event_wins_over_the_crop_and_a_person_over_both(journal: Journal) -> None:
    _, event = add(journal, "1.jpg", found("horse"))
    add(journal, "2.jpg", found(None), event=event)
    close(journal, event, Species("zebra", 0.75), Individual("Z7", 0.9))
    for path in ("1.jpg", "2.jpg"):
        (detection,) = of(journal, path).detections
        assert detection.species == Species("zebra", 0.75) and detection.individual == Individual("Z7", 0.9)
        assert detection.scores == ZEBRA and detection.box == BOX
    answer(journal, "2.jpg", "donkey")
    (detection,) = of(journal, "2.jpg").detections
    assert detection.species == Species("donkey", 1.0, by="human")
    assert of(journal, "2.jpg").answer == "donkey" and of(journal, "1.jpg").answer is None
    assert of(journal, "1.jpg").detections[0].label == "zebra", "the word was on the other photo"


def test_an_event_that_is_sure_of_nothing_wins_over_a_crop_that_was(journal: Journal) -> None:
    _, event = add(journal, "1.jpg", found("horse"))
    close(journal, event, None)
    assert of(journal, "1.jpg").detections[0].species is None
    assert journal.ledger.detections(1)[0].species == Species("horse", 0.6), "the crop's own word is kept"


def test_an_individual_that_nobody_knows_is_not_no_individual(journal: Journal) -> None:
    _, event = add(journal, "1.jpg", found())
    close(journal, event, Species("zebra", 0.75), Individual(None, 0.4))
    assert of(journal, "1.jpg").detections[0].individual == Individual(None, 0.4)
    _, event = add(journal, "2.jpg", found())
    close(journal, event, Species("zebra", 0.75))
    assert of(journal, "2.jpg").detections[0].individual is None


def test_what_stands_in_the_same_place_again_and_again_is_held_and_refuted_is_too(journal: Journal) -> None:
    photo, _ = add(journal, "1.jpg", found())
    add(journal, "2.jpg", found())
    journal._connection.execute("INSERT INTO repeat VALUES (9, 'CAM', 1, 0, 0, 1, 1, 20, 20, 'repeat')")
    journal._connection.execute("UPDATE detection SET repeat_id = 9 WHERE photo_id = ?", (photo,))
    answer(journal, "2.jpg", "empty")
    assert [of(journal, path).detections[0].held for path in ("1.jpg", "2.jpg")] == ["repeat", "refuted"]
    journal._connection.execute("UPDATE repeat SET state = 'real'")
    assert of(journal, "1.jpg").detections[0].held == ""


def test_an_answer_is_about_what_counts_by_the_run_that_read_the_photo(journal: Journal) -> None:
    add(journal, "1.jpg", found(confidence=0.7), found(confidence=0.4))
    answer(journal, "1.jpg", "donkey")
    assert [one.label for one in of(journal, "1.jpg").detections] == ["donkey", "horse"]
    add(journal, "2.jpg", found(confidence=0.4), run=None)
    answer(journal, "2.jpg", "donkey")
    assert [one.label for one in of(journal, "2.jpg").detections] == ["donkey"], "of an older program all counts"


def test_a_reason_to_look_goes_once_somebody_has(journal: Journal) -> None:
    photo, _ = add(journal, "1.jpg", found())
    journal.events.ask([(photo, "no species is sure")])
    assert of(journal, "1.jpg").review == "no species is sure"
    answer(journal, "1.jpg", "zebra")
    assert of(journal, "1.jpg").review == ""


def test_a_video_comes_with_how_it_was_looked_at_and_each_box_with_its_frame(journal: Journal) -> None:
    footage = Footage(29.97, 12.5, (0, 30, 60), "ends after 12.5 of 15.0 s")
    add(journal, "v.mp4", replace(found(), frame=30), footage=footage)
    result = of(journal, "v.mp4")
    assert result.video and result.footage == footage and result.problem == footage.problem
    assert result.detections[0].frame == 30
    add(journal, "1.jpg", found())
    assert not of(journal, "1.jpg").video and of(journal, "1.jpg").footage is None


def test_another_file_of_the_same_picture_has_the_same_result(journal: Journal) -> None:
    photo, _ = add(journal, "b.jpg", found())
    footage = Footage(25, 1, (0,))
    video, _ = add(journal, "w.mp4", found(), footage=footage)
    for path, known in (("a.jpg", photo), ("a.mp4", video)):
        journal.ledger.add_duplicate(FileStamp(Path("/card"), PurePosixPath(path), 10, 20), known)
    first, second = of(journal, "b.jpg"), of(journal, "a.jpg")
    assert second == replace(first, path=PurePosixPath("a.jpg"), duplicate=True) and not first.duplicate
    assert of(journal, "a.mp4").video and of(journal, "a.mp4").footage == footage


def test_a_failure_has_its_kind_and_reason_and_nothing_else(journal: Journal) -> None:
    stamp = FileStamp(Path("/card"), PurePosixPath("bad.jpg"), 10, 20)
    journal.ledger.add_failure(stamp, FailureKind.INFERENCE, "out of memory", attempts=3, final=True)
    result = of(journal, "bad.jpg")
    assert (result.failure, result.problem) == (FailureKind.INFERENCE, "out of memory")
    assert result.sha256 is None and result.detections == () and result.run is None and result.event_id is None


def test_each_result_tells_with_what_it_was_read_and_alike_runs_are_one(journal: Journal) -> None:
    add(journal, "1.jpg")
    add(journal, "2.jpg")
    other = Run(detector="d 2", confident=0.3, keep=0.05, time_zone="UTC")
    add(journal, "3.jpg", run=other)
    add(journal, "4.jpg", run=None)
    assert [of(journal, f"{number}.jpg").run for number in (1, 2, 3, 4)] == [RUN, RUN, other, None]
    assert list(journal.runs.all().values()) == [RUN, other]


def test_results_come_in_the_order_of_their_paths_as_bytes(journal: Journal) -> None:
    paths = ["b/2.jpg", "a.jpg", "B.jpg", "é.jpg", "b/10.jpg", "b.jpg"]
    for path in paths:
        add(journal, path)
    assert [str(result.path) for result in journal.ledger.results()] == sorted(paths, key=str.encode)


def peak(journal: Journal) -> int:
    """Bytes that Python holds at most while the results go by."""
    gc.collect()
    tracemalloc.start()
    for _ in journal.ledger.results():
        pass
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return most


def test_results_stream_in_memory_that_does_not_grow_with_them(journal: Journal) -> None:
    with journal.transaction():
        for number in range(1200):
            add(journal, f"{number:05}.jpg", found(), found())
    list(journal.ledger.results())  # statements are prepared once
    few = peak(journal)
    with journal.transaction():
        for number in range(1200, 3600):
            add(journal, f"{number:05}.jpg", found(), found())
    assert peak(journal) < few + 100_000, "40 bytes a photo would be more"


def test_sqlite_sorts_nothing_for_them(journal: Journal) -> None:
    statements: list[str] = []
    add(journal, "1.jpg", found())
    journal._connection.set_trace_callback(statements.append)
    list(journal.ledger.results())
    journal._connection.set_trace_callback(None)
    plans = [
        str(row["detail"]) for text in statements for row in journal._connection.execute(f"EXPLAIN QUERY PLAN {text}")
    ]
    assert plans and not [detail for detail in plans if "TEMP B-TREE" in detail]
    scans = [detail for detail in plans if detail.startswith("SCAN")]
    assert all("file" in detail or "run" in detail for detail in scans), scans


def test_a_reader_sees_one_moment_as_often_as_it_looks_while_the_device_goes_on(journal: Journal) -> None:
    add(journal, "1.jpg", found())
    with reading(journal.file) as reader:
        before = list(reader.results())
        add(journal, "2.jpg", found())
        assert list(reader.results()) == before and len(before) == 1
        assert (reader.device, reader.runs(), reader.totals().photos) == ("a", (RUN,), 1)
    with reading(journal.file) as reader:
        assert len(list(reader.results())) == 2


def test_a_copy_of_a_journal_is_read_anywhere(journal: Journal, tmp_path: Path) -> None:
    add(journal, "1.jpg", found())
    journal.close()
    copy = tmp_path / "station" / "copied.sqlite"
    copy.parent.mkdir()
    shutil.copyfile(journal.file, copy)
    with reading(copy) as reader:
        assert [str(result.path) for result in reader.results()] == ["1.jpg"]
    Journal(journal.file, device="a")


@pytest.mark.parametrize(("version", "hint"), [(-1, "run edge-runtime with it once"), (1, "update the program")])
def test_a_reader_refuses_a_journal_of_another_version_and_says_what_to_do(
    journal: Journal, version: int, hint: str
) -> None:
    journal.close()
    with sqlite3.connect(journal.file) as connection:
        connection.execute(f"PRAGMA user_version={len(MIGRATIONS) + version}")
    with pytest.raises(JournalError, match=hint), reading(journal.file):
        pass
    Path(journal.file).unlink()
    Journal(journal.file, device="a")


@pytest.mark.parametrize("content", [b"", b"these are no pages" * 1000])
def test_a_file_that_is_no_journal_is_refused_by_name(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "other.sqlite"
    file.write_bytes(content)
    with pytest.raises(JournalError, match=r"other\.sqlite"), reading(file):
        pass
    with pytest.raises(JournalError, match="does not exist"), reading(tmp_path / "nothing.sqlite"):
        pass


@pytest.fixture
def version_3(tmp_path: Path) -> Path:
    """A journal as the program before videos left it: photos, a duplicate, failures, two videos, events, an outbox."""
    file = tmp_path / "old.sqlite"
    old = database.open_database(file, MIGRATIONS[:3])
    run = old.execute
    run("INSERT INTO meta VALUES ('device', 'a'), ('epoch', '0123456789abcdef')")
    run("INSERT INTO code VALUES ('camera', 'CAM', 0), ('label', 'animal', 0), ('label', 'zebra', 1)")
    run("INSERT INTO event VALUES (1, 'CAM', 100, 110, 'exif', 'open', 1), (2, 'CAM', 900, 900, 'exif', 'open', NULL)")
    run("UPDATE event SET state = 'sent' WHERE id = 1")
    for number, event, empty in ((1, 1, 0), (2, 1, 1), (3, 2, 0)):
        run(
            "INSERT INTO photo (id, sha256, camera, captured_s, time_source, make, model, serial, width, height, "
            "empty, processed_s, event_id, reported, passed_over) "
            "VALUES (?, ?, 'CAM', ?, 'exif', 'M', '', '', 640, 480, ?, 5, ?, 1, ?)",
            (number, bytes([number]) * 32, 100 * number, empty, event, empty),
        )
        run("INSERT INTO file (path, size, mtime_ns, photo_id) VALUES (?, 10, 20, ?)", (b"%d.jpg" % number, number))
    for photo, species in ((1, "zebra"), (3, None)):
        run(
            "INSERT INTO detection VALUES (?, 0, 'animal', 0.9, 0.125, 0.25, 0.5, 0.75, ?, ?)",
            (photo, species, 0.8 if species else None),
        )
    run("INSERT INTO file (path, size, mtime_ns, photo_id, duplicate) VALUES (X'41', 10, 20, 1, 1)")
    failed = "INSERT INTO file (path, size, mtime_ns, video, failure, problem, attempts) VALUES (?, 10, 20, ?, ?, ?, ?)"
    run(failed, (b"bad.jpg", 0, "image access failure", "no picture", 3))
    run(failed, (b"v.mp4", 1, "image access failure", "videos are not read yet", 0))
    run(failed, (b"w.avi", 1, "image access failure", "videos are not read yet", 0))
    run("INSERT INTO outbox (kind, body, created_s) VALUES ('event', ?, 1)", (OLD_EVENT,))
    old.close()
    return file


OLD_EVENT = (
    b'{"camera":"CAM","start_s":100,"end_s":110,"time_source":"exif","photos":2,'
    b'"counts":[{"label":"zebra","count":1,"confidence":0.8}]}'
)


def rows(file: Path, version: int) -> dict[str, list[tuple[object, ...]]]:
    """What is in the tables of the journal's third version, by the columns that they had there."""
    empty = sqlite3.connect(":memory:")
    for migration in MIGRATIONS[:3]:
        empty.executescript(migration)
    with sqlite3.connect(file) as connection:
        assert connection.execute("PRAGMA user_version").fetchone()[0] == version
        kept = {}
        for (table,) in empty.execute(
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%'"
        ):
            columns = ", ".join(row[1] for row in empty.execute(f"PRAGMA table_info({table})"))
            kept[table] = sorted(connection.execute(f"SELECT {columns} FROM {table}").fetchall(), key=repr)
    return kept


def test_a_journal_of_version_3_keeps_every_row_and_has_its_videos_tried_again(version_3: Path) -> None:
    before = rows(version_3, 3)
    journal = Journal(version_3, device="a")
    try:
        entries = {name: journal.ledger.entry(PurePosixPath(name)) for name in ("v.mp4", "w.avi", "bad.jpg")}
        assert {name: entry.final for name, entry in entries.items() if entry} == {
            "v.mp4": False,
            "w.avi": False,
            "bad.jpg": True,
        }
        through = {name for name, _, _ in journal.ledger.finished(PurePosixPath(), ["v.mp4", "bad.jpg", "1.jpg"])}
        assert {"bad.jpg", "1.jpg"} <= through and not {"v.mp4", "w.avi"} & through
        totals = journal.ledger.totals()
        assert (totals.photos, totals.empty, totals.failed, totals.duplicates, totals.videos) == (3, 1, 1, 1, 2)
        assert (totals.events, totals.passed_over, journal.epoch) == (1, 1, "0123456789abcdef")
    finally:
        journal.close()
    after = rows(version_3, len(MIGRATIONS))
    changed = {table for table in before if after[table] != before[table]}
    assert changed <= {"file"}, changed
    assert [row for row in after["file"] if b".mp4" not in row[0] and b".avi" not in row[0]] == [  # type: ignore[operator]
        row
        for row in before["file"]
        if b".mp4" not in row[0] and b".avi" not in row[0]  # type: ignore[operator]
    ]


def test_results_of_an_older_journal_are_those_that_it_had(version_3: Path) -> None:
    journal = Journal(version_3, device="a")
    try:
        told = {str(result.path): result for result in journal.ledger.results()}
        assert list(told) == ["1.jpg", "2.jpg", "3.jpg", "A", "bad.jpg", "v.mp4", "w.avi"]
        (zebra,) = told["1.jpg"].detections
        assert zebra == Detection("animal", 0.9, BOX, Species("zebra", 0.8))
        assert told["1.jpg"].run is None and told["1.jpg"].review == "" and told["2.jpg"].passed_over
        assert told["A"].duplicate and told["A"].detections == told["1.jpg"].detections
        (waiting,) = journal.outbox.after(0, limit=9)
        assert waiting.summary is not None and not getattr(waiting.summary, "review", True)
    finally:
        journal.close()


def test_an_event_that_an_older_program_left_open_is_closed_by_this_one(version_3: Path) -> None:
    journal = Journal(version_3, device="a")
    try:
        (event,) = journal.events.open()
        close(journal, event.id, None)
        assert results.detections(journal._connection, 3)[0].species is None
        assert not journal.events.open()
    finally:
        journal.close()
