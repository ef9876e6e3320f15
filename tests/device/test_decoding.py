"""How many pixels of a photo the models are shown."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from edge_runtime import assembly
from edge_runtime.laps import Lap, no_lap
from edge_runtime.models.classifier import Classifier
from edge_runtime.models.detector import Detector
from edge_runtime.models.loading import load_classifier, load_detector
from edge_runtime.pipeline import Outcome, Pipeline
from edge_runtime.settings import Cards, Decode, DeviceSettings, Models
from edge_runtime.values import Crop, Detection, Frame, Scores, Species
from tests import colour_classifier, colour_detector
from tests.device.conftest import RULES, START, Bench

LYNX = {(1, 1): "lynx", (3, 2): "person"}
PHOTO_SIDE, CROP_SIDE = 1024, 96
Shape = tuple[int, ...]


class WatchedDetector(Detector):
    """The real one, which writes down what it is shown."""

    shown: list[Shape]

    def detect(self, frame: Frame, lap: Lap = no_lap) -> tuple[Detection, ...]:
        self.shown.append(frame.pixels.shape[:2])
        return super().detect(frame, lap)


class WatchedClassifier(Classifier):
    """Likewise."""

    shown: list[Shape]

    def answer(self, crop: Crop) -> tuple[Species | None, Scores]:
        self.shown.append(crop.pixels.shape[:2])
        return super().answer(crop)


@pytest.fixture
def watched(
    colour_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> tuple[WatchedDetector, WatchedClassifier]:
    for name, shade in colour_classifier.SHADES.items():
        monkeypatch.setitem(colour_detector.COLOURS, name, shade)
    monkeypatch.setattr(colour_classifier, "SIDE", CROP_SIDE)
    colour_classifier.build_bundle(tmp_path / "cats")
    cats = load_classifier(str(tmp_path / "cats"), threads=1)
    assert cats is not None
    detector = WatchedDetector(load_detector(str(colour_bundle), threads=1).bundle, threads=1)
    classifier = WatchedClassifier(cats.bundle, threads=1)
    detector.shown, classifier.shown = [], []
    return detector, classifier


@pytest.mark.parametrize(
    ("decode", "frame_side", "crop_side"),
    [
        # The detector looks at 128 pixels, an eighth; of a half the crop has 115 pixels, of a quarter too few.
        pytest.param("reduced", 128, 115, id="reduced"),
        pytest.param("full", 1024, 230, id="full"),
    ],
)
def test_the_models_are_shown_the_pixels_that_the_setting_says_and_find_the_same(
    bench: Bench,
    watched: tuple[WatchedDetector, WatchedClassifier],
    decode: Decode,
    frame_side: int,
    crop_side: int,
) -> None:
    detector, classifier = watched
    file = bench.card / "1.JPG"
    file.write_bytes(colour_detector.photo(LYNX, taken=START, size=(PHOTO_SIDE, PHOTO_SIDE)))
    bench.pipeline = Pipeline(bench.journal, detector, classifier, replace(RULES, decode=decode))
    assert bench.take("1.JPG") is Outcome.FOUND
    assert detector.shown == [(frame_side, frame_side)]
    assert classifier.shown == [pytest.approx((crop_side, crop_side), abs=4)]
    bench.pipeline.close_events()
    assert [event[3] for event in bench.events()] == [{"lynx": 1, "person": 1}]
    (result,) = bench.journal.ledger.results()
    assert (result.width, result.height) == (PHOTO_SIDE, PHOTO_SIDE)
    places = {found.label: (found.box.x1, found.box.y1) for found in result.detections}
    assert places["lynx"] == pytest.approx((0.25, 0.25), abs=0.02)
    assert places["person"] == pytest.approx((0.75, 0.5), abs=0.02)


@pytest.mark.parametrize(("models", "decode"), [(Models(), "reduced"), (Models(decode="full"), "full")])
def test_the_device_decodes_as_its_settings_say(bench: Bench, models: Models, decode: Decode) -> None:
    settings = DeviceSettings(device="hut-1", data="data", cards=Cards(root="card"), time_zone="UTC", models=models)
    assert assembly.rules(settings, bench.detector).decode == decode
