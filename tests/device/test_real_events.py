"""Real bursts, a real sequence and a real video: the events are the real ones, and their evidence adds up."""

from __future__ import annotations

import json
import os
import shutil
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from edge_runtime.intake import scan
from edge_runtime.journal.journal import Journal
from edge_runtime.models.classifier import Classifier
from edge_runtime.models.detector import Detector
from edge_runtime.models.loading import load_classifier, load_detector
from edge_runtime.pipeline import Pipeline
from edge_runtime.settings import EvidenceRule
from edge_runtime.values import Event
from tests.device.conftest import RULES

Photos = set[str]


@pytest.fixture(scope="module")
def models() -> tuple[Detector, Classifier]:
    """The package's own."""
    classifier = load_classifier("default", threads=2)
    assert classifier is not None
    return load_detector("default", threads=2), classifier


class Trap:
    """A camera's card on its way through the device."""

    def __init__(self, folder: Path, models: tuple[Detector, Classifier]) -> None:
        self.card = folder / "card"
        self.journal = Journal(folder / "journal.sqlite", device="trap")
        self._models = models

    def insert(self, photos: Path, seconds: dict[str, float] | None = None) -> None:
        """Copy photos onto the card; `seconds` are the times that a camera without EXIF left at the files."""
        home = self.card / "DCIM"
        home.mkdir(parents=True)
        for photo in sorted(photos.iterdir()):
            shutil.copyfile(photo, home / photo.name)
            taken = 1_700_000_000 + (seconds[photo.name] if seconds else 0)
            os.utime(home / photo.name, (taken, taken))

    def read(self, *, rule: EvidenceRule = "mean-log") -> None:
        detector, classifier = self._models
        confident = detector.bundle.manifest.thresholds.confident
        pipeline = Pipeline(
            self.journal, detector, classifier, replace(RULES, confident=confident, rule=rule), workers=2
        )
        found = scan.scan(self.card)
        for _ in pipeline.take_all([(stamp, True) for stamp in (*found.photos, *found.videos)]):
            pass
        pipeline.close_events()

    def events(self) -> list[Photos]:
        """Which files belong together, in the order of time."""
        together: dict[int, Photos] = {}
        for result in sorted(self.journal.ledger.results(), key=lambda result: result.captured_s or 0):
            assert result.event_id is not None, result.problem
            together.setdefault(result.event_id, set()).add(result.path.name)
        return list(together.values())

    def sent(self) -> list[Event]:
        summaries = [waiting.summary for waiting in self.journal.outbox.after(0, limit=100)]
        return sorted((event for event in summaries if isinstance(event, Event)), key=lambda event: event.start_s or 0)

    def tracks(self) -> list[dict[str, object]]:
        return [dict(row) for row in self.journal._connection.execute("SELECT * FROM track ORDER BY event_id, track")]


@pytest.fixture
def trap(tmp_path: Path, models: tuple[Detector, Classifier]) -> Iterator[Trap]:
    made = Trap(tmp_path, models)
    yield made
    made.journal.close()


def test_the_serengeti_bursts_are_three_events_and_the_single_photo_a_fourth(assets: Path, trap: Trap) -> None:
    trap.insert(assets / "photos" / "serengeti_burst")
    trap.read()
    bursts = [(20, 21, 22), (128, 129, 130), (221, 222, 223), (275,)]
    assert trap.events() == [{f"S1_D04_R6_PICT{number:04}.JPG" for number in burst} for burst in bursts]
    # An elephant fills the first three photos. What goes through the third burst is far away.
    elephant, *others = trap.sent()
    assert [(count.label, count.count) for count in elephant.counts] == [("elephant", 1)] and elephant.photos == 3
    (track, *_) = trap.tracks()
    assert (track["species"], track["support"], track["frames"]) == ("elephant", 1.0, 3)
    assert all((event.end_s or 0) - (event.start_s or 0) <= 1 for event in (elephant, *others))


def passages(photos: Path, frames_per_second: float) -> dict[str, float]:
    """When the frames of the squirrel sequence were taken, by the numbers in their names."""
    return {file.name: int(file.stem.rpartition("frame")[2]) / frames_per_second for file in photos.iterdir()}


def truth_boxes(assets: Path, name: str) -> int:
    return len((assets / "truth" / "squirrels_yolo" / name).with_suffix(".txt").read_text().splitlines())


def test_the_squirrel_sequence_is_its_three_passages(assets: Path, trap: Trap) -> None:
    photos = assets / "photos" / "squirrels_seq"
    seconds = passages(photos, 25)
    trap.insert(photos, seconds)
    trap.read()
    numbers = [{int(name.rpartition("frame")[2][:-4]) for name in event} for event in trap.events()]
    assert numbers == [
        {95610},
        {102542, 102567, 102592, 102617, 102642},
        {105469, 105482, 105495, 105508, 105521, 105534, 105547, 105560},
    ]
    assert {truth_boxes(assets, name) for name in seconds} == {1}
    sent = trap.sent()
    assert sent and all(sum(count.count for count in event.counts) == 1 for event in sent)
    # The classifier knows the animal as a squirrel, or as a mammal where it is not sure; never as another species.
    assert {count.label for event in sent for count in event.counts} <= {
        "squirrel",
        "squirrel family",
        "rodent",
        "mammal",
    }


def test_photos_whose_files_all_have_one_time_are_one_event(assets: Path, trap: Trap) -> None:
    trap.insert(assets / "photos" / "squirrels_seq")  # as they lie there: no EXIF, and one time for all
    trap.read()
    (event,) = trap.events()
    assert len(event) == 14
    (sent,) = trap.sent()
    assert sent.time_source == "file" and sum(count.count for count in sent.counts) == 1


@pytest.mark.parametrize("rule", ["mean-log", "majority"])
def test_the_chimpanzees_of_a_video_are_named_by_all_their_frames_and_counted_once(
    assets: Path, trap: Trap, rule: EvidenceRule
) -> None:
    pytest.importorskip("av")
    home = trap.card / "DCIM"
    home.mkdir(parents=True)
    shutil.copyfile(assets / "videos" / "zamba" / "densepose_tests__chimp.mp4", home / "chimp.mp4")
    trap.read(rule=rule)
    (result,) = trap.journal.ledger.results()
    assert result.footage is not None and len(result.footage.frames) == 15 and not result.problem
    rows = trap.journal._connection.execute("SELECT * FROM detection").fetchall()
    confident = result.run.confident if result.run else 1.0
    counting = [row for row in rows if row["confidence"] >= confident and row["category"] == "animal"]
    assert len(counting) >= 15 and all(row["track"] is not None for row in counting)
    tracks = trap.tracks()
    for track in tracks:
        own = [row for row in counting if row["track"] == track["track"]]
        assert len({row["frame"] for row in own}) == len(own) == track["frames"]
        # Nothing but the classifier's own answers, counted by hand.
        votes = Counter(row["species"] for row in own if row["species"])
        chimp = {"mammal", "primate", "great ape", "chimpanzee", "siamang", "gibbon"}
        lies_in = sum(row["species"] in chimp for row in own)
        assert track["species"] == "mammal" and track["rule"] == rule
        assert track["support"] == pytest.approx(lies_in / len(own))
        if rule == "majority":
            assert votes.most_common(1)[0][0] == "mammal"
            said = [row["species_confidence"] for row in own if row["species"] == "mammal"]
            assert track["confidence"] == pytest.approx(sum(said) / len(said))
    at_once = Counter(row["frame"] for row in counting).most_common(1)[0][1]
    (event,) = trap.sent()
    assert [(count.label, count.count) for count in event.counts] == [("mammal", at_once)]
    assert event.photos == 1 and event.review and result.review == "only as far as mammal"
    assert at_once <= 5 and json.loads(counting[0]["scores"])
