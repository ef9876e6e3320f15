"""Videos on a card: work like photos, one result each."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pytest

pytest.importorskip("av", reason="PyAV is not installed")

from edge_runtime import database, video_look
from edge_runtime.intake import scan, video
from edge_runtime.journal.results import Result
from edge_runtime.journal.schema import MIGRATIONS
from edge_runtime.models.loading import load_classifier, load_detector
from edge_runtime.pipeline import Outcome, Pipeline
from edge_runtime.rescan import Rescan
from edge_runtime.values import CardReport, FailureKind
from tests import colour_classifier, videos
from tests.colour_detector import COLOURS, Cells
from tests.device.conftest import RULES, START, Bench

ANIMAL = {(1, 1): "animal"}
TWO = {(0, 0): "animal", (3, 3): "animal", (2, 0): "person"}
EMPTY: Cells = {}


def film(bench: Bench, name: str, shots: Mapping[int, Cells], *, seconds: float = 0.0, kind: str = "mp4-h264") -> Path:
    """Put a video of 4 s on the card, 25 frames a second; `shots` says what is seen from which frame on."""

    def draw(number: int, width: int, height: int) -> np.ndarray:
        pixels = np.full((height, width, 3), 120, np.uint8)
        cells = shots[max(first for first in shots if first <= number)]
        across, down = width // 4, height // 4
        for (column, row), category in cells.items():
            pixels[row * down : (row + 1) * down, column * across : (column + 1) * across] = COLOURS[category]
        return pixels

    bench.seed += 1
    taken = (START + timedelta(seconds=seconds)).isoformat() + "Z"
    file = bench.card / name
    file.parent.mkdir(parents=True, exist_ok=True)
    metadata = {"creation_time": taken, "comment": str(bench.seed)}
    videos.write(file, kind, frames=100, size=(512, 512), draw=draw, metadata=metadata)
    began = (START + timedelta(seconds=seconds)).replace(tzinfo=ZoneInfo("UTC")).timestamp()
    os.utime(file, (began, began))
    return file


def take_all(bench: Bench, *, settled: bool = True) -> dict[str, Outcome]:
    work = [(stamp, settled) for stamp in scan.scan(bench.card).files]
    return {str(stamp.path): outcome for stamp, outcome in bench.pipeline.take_all(work)}


def result(bench: Bench, name: str) -> Result:
    return next(one for one in bench.journal.ledger.results() if str(one.path) == name)


def test_a_video_is_one_result_with_the_frame_of_each_detection(bench: Bench) -> None:
    film(bench, "CAM/1.MP4", {0: EMPTY, 40: ANIMAL, 70: TWO})
    assert take_all(bench) == {"CAM/1.MP4": Outcome.FOUND}
    seen = result(bench, "CAM/1.MP4")
    assert seen.video and seen.failure is None and seen.problem == ""
    assert seen.footage is not None and seen.footage.frames == (0, 25, 50, 75)
    assert (seen.footage.frame_rate, seen.footage.duration_s) == (25.0, pytest.approx(4.0))
    assert (seen.width, seen.height, seen.camera, seen.time_source) == (512, 512, "CAM", "exif")
    assert seen.captured_s == int(START.replace(tzinfo=ZoneInfo("UTC")).timestamp())
    counting = [found for found in seen.detections if found.confidence >= RULES.confident]
    assert sorted((found.frame, found.category) for found in counting) == [
        (50, "animal"),
        (75, "animal"),
        (75, "animal"),
        (75, "person"),
    ]
    (found,) = [found for found in counting if found.frame == 50]
    assert [found.box.x1, found.box.y1, found.box.x2, found.box.y2] == pytest.approx([0.25, 0.25, 0.5, 0.5], abs=0.03)


def test_an_empty_video_is_empty_and_a_copy_is_a_duplicate(bench: Bench) -> None:
    file = film(bench, "CAM/1.MP4", {0: EMPTY})
    shutil.copyfile(file, file.with_name("2.MP4"))
    assert take_all(bench) == {"CAM/1.MP4": Outcome.EMPTY, "CAM/2.MP4": Outcome.DUPLICATE}
    assert result(bench, "CAM/2.MP4").video and result(bench, "CAM/2.MP4").duplicate


@pytest.mark.parametrize("workers", [1, 4])
def test_videos_and_photos_come_in_one_natural_order_and_share_their_events(bench: Bench, workers: int) -> None:
    bench.rebuild(workers=workers)
    bench.shoot("CAM/IMG_1.JPG", ANIMAL, seconds=0)
    film(bench, "CAM/IMG_2.AVI", {0: TWO}, seconds=5, kind="avi-mjpeg")
    film(bench, "CAM/IMG_3.MP4", {0: TWO}, seconds=10)
    bench.shoot("CAM/IMG_10.JPG", ANIMAL, seconds=20)
    bench.shoot("CAM/IMG_11.JPG", EMPTY, seconds=500)
    order = list(take_all(bench))
    assert order == ["CAM/IMG_1.JPG", "CAM/IMG_2.AVI", "CAM/IMG_3.MP4", "CAM/IMG_10.JPG", "CAM/IMG_11.JPG"]
    events = {result(bench, f"CAM/IMG_{name}").event_id for name in ("1.JPG", "2.AVI", "3.MP4", "10.JPG")}
    assert len(events) == 1
    bench.pipeline.close_events()
    assert ("CAM", 0, 4, {"animal": 2, "person": 1}) in bench.events()


def test_each_animal_of_each_frame_is_classified(bench: Bench, tmp_path: Path) -> None:
    classifier = load_classifier(str(colour_classifier.build_bundle(tmp_path / "cats").folder), threads=1)
    bench.rebuild(classifier=classifier)
    film(bench, "CAM/1.MP4", {0: ANIMAL, 60: TWO})
    assert take_all(bench) == {"CAM/1.MP4": Outcome.FOUND}
    counting = [one for one in result(bench, "CAM/1.MP4").detections if one.confidence >= RULES.confident]
    animals = [one for one in counting if one.category == "animal"]
    assert len(animals) == 3 + 2 and all(one.scores for one in animals)
    assert all(one.species is None for one in counting if one.category == "person")


def test_a_video_that_is_proved_whole_is_not_waited_for_and_others_are(bench: Bench) -> None:
    film(bench, "CAM/1.MP4", {0: ANIMAL})
    film(bench, "CAM/2.MPG", {0: ANIMAL}, kind="mpg-mpeg2")
    cut = film(bench, "CAM/3.AVI", {0: ANIMAL}, kind="avi-mjpeg")
    cut.write_bytes(cut.read_bytes()[: cut.stat().st_size // 2])
    (bench.card / "CAM/4.MP4").write_bytes(b"")
    (bench.card / "CAM/5.MP4").write_bytes(b"a letter renamed" * 100)
    assert list(take_all(bench, settled=False).values()) == [Outcome.FOUND] + [Outcome.WAITING] * 4
    assert list(take_all(bench).values())[1:] == [Outcome.FOUND] * 2 + [Outcome.FAILED] * 2
    part = result(bench, "CAM/3.AVI")
    assert part.failure is None and part.problem and part.detections
    for name in ("4.MP4", "5.MP4"):
        failed = result(bench, f"CAM/{name}")
        assert failed.video and failed.failure is FailureKind.ACCESS and failed.problem
    report = bench.pipeline.report_card()
    assert isinstance(report, CardReport) and (report.photos, report.failed, report.videos) == (3, 0, 2)


def test_without_pyav_videos_fail_and_say_why_until_it_is_there(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    film(bench, "CAM/1.MP4", {0: ANIMAL})
    bench.shoot("CAM/2.JPG", ANIMAL)
    with monkeypatch.context() as without:
        without.setattr(video, "installed", lambda: False)
        assert list(take_all(bench).values()) == [Outcome.FAILED, Outcome.FOUND]
        bench.rebuild()
        assert "camtrap-edge[video]" in result(bench, "CAM/1.MP4").problem
        assert list(Rescan(bench.card, bench.journal).new([])) == []
    bench.rebuild()
    (again,) = Rescan(bench.card, bench.journal).new([])
    assert [str(stamp.path) for stamp in again] == ["CAM/1.MP4"]
    assert take_all(bench)["CAM/1.MP4"] is Outcome.FOUND
    assert bench.journal.ledger.totals().videos == 0


def test_videos_that_an_older_program_did_not_read_are_read(bench: Bench, tmp_path: Path) -> None:
    file = film(bench, "1.MP4", {0: ANIMAL})
    journal = tmp_path / "older" / "journal.sqlite"
    journal.parent.mkdir()
    old = database.open_database(journal, MIGRATIONS[:3])
    status = file.stat()
    old.execute(
        "INSERT INTO file (path, size, mtime_ns, video, failure, problem) VALUES (?, ?, ?, 1, ?, ?)",
        (b"1.MP4", status.st_size, status.st_mtime_ns, FailureKind.ACCESS.value, "videos are not read yet"),
    )
    old.close()
    bench.restart(journal.parent)
    (new,) = Rescan(bench.card, bench.journal).new([])
    assert [str(stamp.path) for stamp in new] == ["1.MP4"]
    assert take_all(bench) == {"1.MP4": Outcome.FOUND}
    assert bench.journal.ledger.totals().videos == 0


def test_another_card_with_a_video_of_the_same_name_size_and_time_is_read(bench: Bench) -> None:
    film(bench, "DCIM/1.MP4", {0: ANIMAL})
    take_all(bench)
    file = bench.card / "DCIM/1.MP4"
    status, content = file.stat(), bytearray(file.read_bytes())
    assert list(Rescan(bench.card, bench.journal).new([])) == []
    at = content.index(b"mdat") + 40
    content[at] ^= 0xFF
    file.write_bytes(content)
    os.utime(file, ns=(status.st_mtime_ns, status.st_mtime_ns))
    (new,) = Rescan(bench.card, bench.journal).new([])
    assert [str(stamp.path) for stamp in new] == ["DCIM/1.MP4"]


@pytest.mark.parametrize("how", ["told to", "left"])
def test_a_long_video_does_not_hold_up_the_end(bench: Bench, how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    film(bench, "CAM/1.MP4", {0: ANIMAL})
    bench.shoot("CAM/0.JPG", ANIMAL)
    bench.rebuild(workers=2)
    looking, seen = threading.Event(), []
    real = video_look.Video.samples

    def samples(one: video_look.Video):  # type: ignore[no-untyped-def]
        for sample in real(one):
            seen.append(sample.number)
            looking.set()
            yield sample
            assert stopping.wait(20)

    monkeypatch.setattr(video_look.Video, "samples", samples)
    stopping = bench.pipeline._stopping
    running = bench.pipeline.take_all((stamp, True) for stamp in scan.scan(bench.card).files)
    assert next(running)[1] is Outcome.FOUND
    assert looking.wait(20)
    if how == "told to":
        bench.pipeline.stop()
        assert [outcome for _, outcome in running] == [Outcome.WAITING]
    else:
        running.close()
    assert seen == [0]
    assert [str(one.path) for one in bench.journal.ledger.results()] == ["CAM/0.JPG"]
    monkeypatch.undo()
    assert take_all(bench)["CAM/1.MP4"] is Outcome.FOUND


def test_photos_are_compared_across_a_video_or_not_and_nobody_waits_for_ever(bench: Bench) -> None:
    rules = replace(RULES, prefilter="burst")
    bench.pipeline = Pipeline(bench.journal, bench.detector, None, rules, workers=3)
    bench.shoot("CAM/1.JPG", EMPTY, seconds=0)
    film(bench, "CAM/2.MP4", {0: ANIMAL}, seconds=1)
    bench.shoot("CAM/3.JPG", EMPTY, seconds=2)
    bench.shoot("CAM/4.JPG", ANIMAL, seconds=3)
    assert list(take_all(bench).values()) == [Outcome.EMPTY, Outcome.FOUND, Outcome.EMPTY, Outcome.FOUND]


RSS = """
import os, sys, resource
from pathlib import Path
from edge_runtime.intake.video import Video
from edge_runtime.settings import Videos
def now():
    return int(open('/proc/self/statm').read().split()[1]) * os.sysconf('SC_PAGE_SIZE')
file = Path(sys.argv[1])
highest = first = 0
with file.open('rb', buffering=0) as stream, Video(
    stream, file, file.stat().st_size, Videos(every_seconds=.1, max_frames=1000), enough=lambda w, h: (640, 360)
) as video:
    for count, sample in enumerate(video.samples()):
        del sample
        if count == 10:
            first = now()
        highest = max(highest, now())
print(count + 1, highest - first)
"""


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="memory is read from /proc")
@pytest.mark.parametrize("kind", ["mp4-h264", "avi-mjpeg"])
def test_memory_does_not_grow_with_the_length_of_a_video(kind: str, tmp_path: Path) -> None:
    file = videos.write(tmp_path / videos.KINDS[kind][2], kind, frames=80, rate=10, size=(1920, 1080))
    done = subprocess.run([sys.executable, "-c", RSS, str(file)], capture_output=True, text=True, check=True)
    frames, grown = map(int, done.stdout.split())
    assert frames == 80
    assert grown < 2 * 1920 * 1080 * 3, f"{grown / 1e6:.1f} MB"


def test_the_real_chimpanzees_are_found(assets: Path, bench: Bench) -> None:
    shutil.copyfile(assets / "videos" / "zamba" / "densepose_tests__chimp.mp4", bench.card / "chimp.mp4")
    detector = load_detector("default", threads=2)
    confident = detector.bundle.manifest.thresholds.confident
    bench.pipeline = Pipeline(bench.journal, detector, None, replace(RULES, confident=confident))
    assert take_all(bench) == {"chimp.mp4": Outcome.FOUND}
    seen = result(bench, "chimp.mp4")
    assert seen.footage is not None and seen.footage.frames == tuple(range(0, 450, 30))
    showing = {one.frame for one in seen.detections if one.category == "animal" and one.confidence >= confident}
    assert len(showing) >= 8
