from __future__ import annotations

import os
import shutil
import sqlite3
from pathlib import Path

import pytest

from edge_runtime.errors import CardGoneError, EngineError
from edge_runtime.laps import Lap, no_lap
from edge_runtime.recording import MAX_ATTEMPTS, Outcome
from edge_runtime.uplink import codec
from edge_runtime.uplink.codebook import Codebook
from edge_runtime.uplink.packing import pack
from edge_runtime.uplink.payload import EventRecord
from edge_runtime.values import CardReport, FailureKind
from tests.colour_detector import photo
from tests.device.conftest import Bench

ANIMAL = {(1, 1): "animal"}
TWO_ANIMALS = {(0, 0): "animal", (2, 2): "animal"}


def test_a_burst_is_one_event_with_the_largest_number_seen_at_once(bench: Bench) -> None:
    for number, cells in enumerate([ANIMAL, TWO_ANIMALS, {}]):
        bench.shoot(f"CAM01/DCIM/100MEDIA/IMG_{number}.JPG", cells, seconds=number)
    assert bench.take_all() == [Outcome.FOUND, Outcome.FOUND, Outcome.EMPTY]
    bench.pipeline.close_events()
    assert bench.events() == [("CAM01", 0, 3, {"animal": 2})]


def test_a_longer_gap_and_another_camera_make_another_event(bench: Bench) -> None:
    bench.shoot("CAM01/DCIM/1.JPG", ANIMAL, seconds=0)
    bench.shoot("CAM01/DCIM/2.JPG", ANIMAL, seconds=61)
    bench.shoot("CAM02/DCIM/1.JPG", {(0, 3): "person"}, seconds=61)
    bench.take_all()
    bench.pipeline.close_events()
    assert bench.events() == [
        ("CAM01", 0, 1, {"animal": 1}),
        ("CAM01", 61, 1, {"animal": 1}),
        ("CAM02", 61, 1, {"person": 1}),
    ]


def test_an_event_is_sent_as_soon_as_its_camera_went_on(bench: Bench) -> None:
    bench.shoot("CAM01/1.JPG", ANIMAL, seconds=0)
    bench.shoot("CAM01/2.JPG", {}, seconds=600)
    bench.take("CAM01/1.JPG")
    assert bench.events() == []
    bench.take("CAM01/2.JPG")
    assert bench.events() == [("CAM01", 0, 1, {"animal": 1})]


def test_empty_photos_send_nothing_but_are_counted(bench: Bench) -> None:
    for number in range(3):
        bench.shoot(f"{number}.JPG", {}, seconds=number * 100)
    bench.take_all()
    bench.pipeline.close_events()
    report = bench.pipeline.report_card()
    assert report is not None and (report.photos, report.empty, report.events) == (3, 3, 0)
    assert bench.sent() == [report]


def test_a_card_is_reported_once(bench: Bench) -> None:
    bench.shoot("1.JPG", ANIMAL)
    bench.take_all()
    bench.pipeline.close_events()
    first = bench.pipeline.report_card()
    assert isinstance(first, CardReport) and (first.photos, first.empty, first.events) == (1, 0, 1)
    assert bench.pipeline.report_card() is None


def test_the_same_picture_under_another_name_is_a_duplicate_and_adds_nothing(bench: Bench) -> None:
    file = bench.shoot("A/1.JPG", ANIMAL)
    shutil.copyfile(file, bench.card / "copy.JPG")
    assert sorted(outcome.value for outcome in bench.take_all()) == ["duplicate", "found"]
    bench.pipeline.close_events()
    assert len(bench.events()) == 1
    report = bench.pipeline.report_card()
    assert report is not None and (report.photos, report.duplicates) == (1, 1)


def test_a_card_put_back_under_another_name_is_recognised_photo_by_photo(bench: Bench) -> None:
    bench.shoot("CARD_A/DCIM/1.JPG", ANIMAL)
    bench.shoot("CARD_A/DCIM/2.JPG", {}, seconds=1)
    bench.take_all()
    (bench.card / "CARD_A").rename(bench.card / "CARD_B")
    assert bench.take_all() == [Outcome.DUPLICATE, Outcome.DUPLICATE]
    assert bench.journal.ledger.totals().photos == 2


@pytest.mark.parametrize(
    ("content", "says"),
    [(b"", "empty file"), (b"this is no picture at all", "no JPEG"), (b"\xff\xd8\xff\xe0\x00", "")],
    ids=["zero bytes", "text", "five bytes of a JPEG"],
)
def test_what_is_no_photo_is_a_failure_and_never_empty(bench: Bench, content: bytes, says: str) -> None:
    (bench.card / "IMG_1.JPG").write_bytes(content)
    assert bench.take("IMG_1.JPG", settled=True) is Outcome.FAILED
    (result,) = bench.journal.ledger.results()
    assert result.failure is FailureKind.ACCESS and says in result.problem
    report = bench.pipeline.report_card()
    assert report is not None and (report.photos, report.empty, report.failed) == (0, 0, 1)


def test_a_file_cut_at_every_512_bytes_waits_and_its_completion_is_one_photo(bench: Bench) -> None:
    file = bench.card / "1.JPG"
    whole = photo(ANIMAL, seed=1, size=(1024, 1024))
    assert len(whole) > 20 * 512
    for end in range(0, len(whole), 512):
        file.write_bytes(whole[:end])
        assert bench.take("1.JPG") is Outcome.WAITING, end
    assert bench.journal.ledger.totals().failed == 0
    file.write_bytes(whole)
    assert bench.take("1.JPG") is Outcome.FOUND
    bench.pipeline.close_events()
    assert len(bench.events()) == 1


def test_a_photo_reported_as_damaged_counts_once_it_is_whole_after_all(bench: Bench) -> None:
    file = bench.shoot("1.JPG", ANIMAL)
    whole = file.read_bytes()
    file.write_bytes(whole[: len(whole) // 2])
    assert bench.take("1.JPG", settled=True) is Outcome.FAILED
    file.write_bytes(whole)
    assert bench.take("1.JPG") is Outcome.FOUND
    assert bench.journal.ledger.totals().failed == 0


class FailingDetector:
    """Stands in for a detector whose memory runs out: only the failure is made, the rest is real."""

    def __init__(self, real: object, failures: int) -> None:
        self._real, self._left = real, failures

    def __getattr__(self, name: str) -> object:
        return getattr(self._real, name)

    def detect(self, frame: object, lap: Lap = no_lap) -> object:
        if self._left:
            self._left -= 1
            raise EngineError("onnxruntime", Path("graph.onnx"), "out of memory")
        return self._real.detect(frame, lap)


def test_a_failed_inference_is_tried_again_and_never_called_empty(bench: Bench) -> None:
    bench.shoot("1.JPG", ANIMAL)
    bench.pipeline._detector = FailingDetector(bench.pipeline._detector, failures=1)
    assert bench.take("1.JPG") is Outcome.RETRY
    assert bench.pipeline.report_card() is None
    assert bench.take("1.JPG") is Outcome.FOUND
    report = bench.pipeline.report_card()
    assert report is not None and (report.photos, report.failed) == (1, 0)


def test_an_inference_that_keeps_failing_is_reported_as_a_failure(bench: Bench) -> None:
    bench.shoot("1.JPG", ANIMAL)
    bench.pipeline._detector = FailingDetector(bench.pipeline._detector, failures=99)
    outcomes = [bench.take("1.JPG") for _ in range(MAX_ATTEMPTS)]
    assert outcomes == [Outcome.RETRY] * (MAX_ATTEMPTS - 1) + [Outcome.FAILED]
    (result,) = bench.journal.ledger.results()
    assert result.failure is FailureKind.INFERENCE and "out of memory" in result.problem


def test_a_vanished_card_records_nothing(bench: Bench) -> None:
    bench.shoot("CAM/1.JPG", ANIMAL)
    stamp = bench.stamp("CAM/1.JPG")
    shutil.rmtree(bench.card)
    with pytest.raises(CardGoneError):
        bench.take_stamp(stamp, settled=False)
    assert list(bench.journal.ledger.results()) == []


def test_nothing_of_a_photo_is_kept_when_its_transaction_fails_at_the_last_step(bench: Bench) -> None:
    bench.shoot("CAM/1.JPG", ANIMAL, seconds=0)
    bench.shoot("CAM/2.JPG", ANIMAL, seconds=600)
    bench.take("CAM/1.JPG")
    database = bench.journal._connection
    # By then the first event has been closed and put into the outbox, and the photo and its boxes are written.
    database.execute("CREATE TRIGGER full BEFORE INSERT ON file BEGIN SELECT RAISE(ABORT, 'disk is full'); END")
    with pytest.raises(sqlite3.Error, match="disk is full"):
        bench.take("CAM/2.JPG")
    assert [result.path.name for result in bench.journal.ledger.results()] == ["1.JPG"]
    assert bench.journal.ledger.totals().photos == 1
    assert bench.events() == [] and len(bench.journal.events.open()) == 1
    database.execute("DROP TRIGGER full")
    assert bench.take("CAM/2.JPG") is Outcome.FOUND
    assert len(bench.events()) == 1


def test_originals_and_their_times_stay_as_they_are(bench: Bench) -> None:
    files = [bench.shoot(f"CAM/{number}.JPG", ANIMAL, seconds=number) for number in range(3)]
    before = [(file.read_bytes(), file.stat().st_mtime_ns) for file in files]
    for file in files:
        file.chmod(0o444)
    (bench.card / "CAM").chmod(0o555)
    bench.take_all()
    assert [(file.read_bytes(), file.stat().st_mtime_ns) for file in files] == before
    assert {file.name for file in (bench.card / "CAM").iterdir()} == {"0.JPG", "1.JPG", "2.JPG"}


def test_photos_without_a_credible_time_are_not_thrown_together(bench: Bench) -> None:
    for number in range(2):
        file = bench.card / f"{number}.JPG"
        file.write_bytes(photo(ANIMAL, taken=None, seed=100 + number))
        os.utime(file, (0, 0))
    bench.take_all()
    bench.pipeline.close_events()
    events = bench.sent()
    assert len(events) == 2 and all(event.start_s is None for event in events)


def test_a_species_that_only_a_person_names_travels_by_its_name(bench: Bench) -> None:
    bench.shoot("1.JPG", ANIMAL)
    bench.take("1.JPG")
    with sqlite3.connect(bench.journal.file) as connection:
        connection.execute("INSERT INTO answer SELECT sha256, 'aardwolf', 0, 'test' FROM photo")
    bench.pipeline.close_events()
    names = bench.journal.codes.names
    codebook = Codebook("bench", bench.journal.epoch, names("camera"), names("label"))
    payload, _ = pack(bench.journal.outbox.after(0, limit=9), codebook, limit=100)
    (record,) = codec.decode(payload, received_s=0).records
    assert isinstance(record, EventRecord)
    assert [codebook.label_name(entry.code) for entry in record.species] == ["aardwolf"]
