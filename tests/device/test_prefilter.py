"""`prefilter: burst` from the card to the journal and the results file."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from edge_runtime import cli
from edge_runtime.errors import EngineError
from edge_runtime.intake import scan
from edge_runtime.laps import Lap, no_lap
from edge_runtime.models.detector import Detector
from edge_runtime.pipeline import Outcome, Pipeline
from edge_runtime.tryout import sample_card
from edge_runtime.values import Detection, Frame
from tests.colour_detector import photo
from tests.device.conftest import RULES, START, Bench

ANIMAL = {(1, 1): "animal"}
BURST = replace(RULES, prefilter="burst")


class Counting(Detector):
    """The real detector, which remembers how often it was asked."""

    asked = 0

    def detect(self, frame: Frame, lap: Lap = no_lap) -> tuple[Detection, ...]:
        self.asked += 1
        return super().detect(frame, lap)


def prefilter(bench: Bench, workers: int = 1) -> Counting:
    detector = Counting(bench.detector.bundle, threads=1, streams=2)
    bench.pipeline = Pipeline(bench.journal, detector, None, BURST, workers=workers)
    return detector


def shoot(bench: Bench, name: str, cells: dict[tuple[int, int], str], seconds: float, background: int = 7) -> Path:
    """Like `Bench.shoot`, but all photos have one background, as those of a fixed camera."""
    file = bench.card / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(photo(cells, taken=START + timedelta(seconds=seconds), seed=background))
    return file


def marks(bench: Bench) -> list[bool]:
    return [result.passed_over for result in bench.journal.ledger.results()]


def test_the_rest_of_an_empty_burst_is_recorded_as_empty_without_inference(bench: Bench) -> None:
    for number in range(4):
        shoot(bench, f"CAM/{number}.JPG", {}, number)
    detector = prefilter(bench)
    assert bench.take_all() == [Outcome.EMPTY] * 4
    assert detector.asked == 1 and marks(bench) == [False, True, True, True]
    totals = bench.journal.ledger.totals()
    assert (totals.photos, totals.empty, totals.passed_over) == (4, 4, 3)


def test_without_it_every_photo_is_inferred(bench: Bench) -> None:
    for number in range(3):
        shoot(bench, f"CAM/{number}.JPG", {}, number)
    bench.take_all()
    assert marks(bench) == [False] * 3 and bench.journal.ledger.totals().passed_over == 0


def test_an_animal_that_comes_and_stays_is_found_in_each_photo(bench: Bench) -> None:
    for number, cells in enumerate([{}, {}, ANIMAL, ANIMAL, {}, {}]):
        shoot(bench, f"CAM/{number}.JPG", cells, number)
    prefilter(bench)
    empty, found = Outcome.EMPTY, Outcome.FOUND
    assert bench.take_all() == [empty, empty, found, found, empty, empty]
    assert marks(bench) == [False, True, False, False, False, True]
    bench.pipeline.close_events()
    assert bench.events() == [("CAM", 0, 6, {"animal": 1})]


def test_a_photo_that_cannot_be_inferred_is_no_reference_and_is_not_passed_over(bench: Bench) -> None:
    shoot(bench, "CAM/0.JPG", {}, 0)
    shoot(bench, "CAM/1.JPG", {}, 1)
    detector = prefilter(bench)

    def fail(frame: Frame) -> tuple[Detection, ...]:
        raise EngineError("test", Path("graph.onnx"), "out of memory")

    detector.detect = fail  # type: ignore[method-assign]
    assert bench.take_all() == [Outcome.RETRY] * 2
    assert bench.journal.ledger.totals().photos == 0


def test_four_workers_pass_over_exactly_what_one_does(bench: Bench, tmp_path: Path) -> None:
    for event in range(8):
        for number in range(5):
            cells = ANIMAL if event % 3 == 1 and number in (2, 3) else {}
            shoot(bench, f"CAM/IMG_{event * 5 + number:04d}.JPG", cells, event * 120 + number, background=event % 2)
    (bench.card / "CAM/IMG_0007.JPG").write_bytes(b"this is no picture")
    shutil.copyfile(bench.card / "CAM/IMG_0001.JPG", bench.card / "CAM/IMG_0002_COPY.JPG")

    def results() -> list[object]:
        return [
            (result.path, result.failure, result.detections, result.passed_over)
            for result in bench.journal.ledger.results()
        ]

    prefilter(bench)
    one = bench.take_all()
    expected = results()
    assert bench.journal.ledger.totals().passed_over > 15
    for attempt in range(3):
        bench.journal.close()
        bench.restart(tmp_path / str(attempt))
        prefilter(bench, workers=4)
        assert bench.take_all() == one and results() == expected


def test_a_caller_who_stops_in_the_middle_finds_whole_photos_and_the_rest_next_time(bench: Bench) -> None:
    for number in range(30):
        shoot(bench, f"CAM/IMG_{number:04d}.JPG", {}, number)
    prefilter(bench, workers=3)
    running = bench.pipeline.take_all([(stamp, True) for stamp in scan.scan(bench.card).photos])
    for _ in range(4):
        next(running)
    running.close()
    done = bench.journal.ledger.totals().photos
    assert 4 <= done < 30
    assert bench.take_all().count(Outcome.DUPLICATE) == done
    assert bench.journal.ledger.totals().photos == 30


def test_the_results_file_and_the_summary_tell_what_was_passed_over(
    tmp_path: Path, colour_bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    card = sample_card.build(tmp_path / "card")
    for prefilter_is, at_least in (("off", 0), ("burst", 1)):
        output = tmp_path / f"{prefilter_is}.json"
        command = ["process", str(card.folder), "-o", str(output), "--detector", str(colour_bundle)]
        assert cli.main([*command, "--classifier", "none", "--prefilter", prefilter_is]) == 0
        made = json.loads(output.read_text())
        marked = [image["file"] for image in made["images"] if image.get("passed_over")]
        assert len(marked) >= at_least and made["info"].get("passed_over", 0) == len(marked)
        said = capsys.readouterr().out
        assert (f"({len(marked)} passed over by the prefilter)" in said) == bool(marked)
        assert all(image["detections"] == [] for image in made["images"] if image["file"] in marked)
