"""What the judges count, on graphs whose every decision is known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper
from PIL import Image

from edge_runtime.bundles import bundle as bundles
from edge_runtime.bundles.bundle import Bundle
from edge_runtime.bundles.manifest import Measure
from edge_runtime.models.detector import Detector
from edge_runtime.values import Box, Crop, Detection
from export_tools import samples
from export_tools.accuracy.average_precision import Truth
from export_tools.proof import gate, proving, trial
from export_tools.proof.classifiers import ClassifierJudge
from export_tools.proof.detectors import DetectorJudge
from export_tools.proof.embedders import neighbours
from export_tools.proof.evidence import Evidence, worst
from tests import colour_classifier
from tests.export_tools.proof import colours

ANIMAL, PERSON, BOTH, EMPTY = {(0, 0): "animal"}, {(1, 1): "person"}, {(0, 0): "animal", (2, 2): "person"}, {}
WHOLE = Detection("animal", 1.0, Box(0.0, 0.0, 1.0, 1.0))


@pytest.fixture
def detector(colour_bundle: Path) -> Bundle:
    return bundles.load(colour_bundle, task="detector")


def measures(evidence: Evidence) -> dict[str, Measure]:
    return {measure.name: measure for measure in evidence.measures}


def test_a_detector_beside_itself_keeps_everything(detector: Bundle, tmp_path: Path) -> None:
    judge = DetectorJudge(detector, colours.frames(tmp_path, [ANIMAL, PERSON, BOTH, EMPTY]))
    evidence = judge.evidence(detector)
    found = measures(evidence)
    assert found["share of the reference's recall"].value == 1.0
    assert found["share of the reference's recall"].n == 4
    assert found["IoU of matched boxes, median"].value == pytest.approx(1.0)
    assert found["missed boxes"].value == found["extra boxes"].value == evidence.loss == 0.0
    assert gate.judge(evidence).gate == "passed"


def test_a_detector_that_lost_a_class_fails_and_its_photos_are_named_worst(detector: Bundle, tmp_path: Path) -> None:
    judge = DetectorJudge(detector, colours.frames(tmp_path, [ANIMAL, PERSON, BOTH, EMPTY, *[PERSON] * 6]))
    evidence = judge.evidence(colours.changed(detector, tmp_path / "no-persons.onnx", (1, 0, 1)))
    found = measures(evidence)
    assert (found["missed boxes"].value, found["missed boxes"].n) == (0.8, 10)
    assert found["share of the reference's recall, objects of 2 to 10 %"].n == 10
    assert worst(evidence.each, 8) == [1, 2, 4, 5, 6, 7, 8, 9]
    verdict = gate.judge(evidence)
    assert verdict.gate == "failed" and "0.2000 of 10" in verdict.reasons[0]


def test_a_part_of_the_photos_is_judged_as_they_would_be_alone(detector: Bundle, tmp_path: Path) -> None:
    frames = colours.frames(tmp_path, [ANIMAL, PERSON, BOTH])
    lost = colours.changed(detector, tmp_path / "no-persons.onnx", (1, 0, 1))
    part = DetectorJudge(detector, frames).part([1, 2]).evidence(lost)
    assert part == DetectorJudge(detector, frames[1:]).evidence(lost)


def test_truth_counts_what_neither_finds_and_what_is_false(detector: Bundle, tmp_path: Path) -> None:
    corner = np.array([[0.0, 0.0, 0.25, 0.25]], np.float32)
    truth = [
        Truth(corner, np.array([0], np.intp), np.zeros((0, 4), np.float32)),
        Truth(corner, np.array([0], np.intp), np.zeros((0, 4), np.float32)),
    ]
    judge = DetectorJudge(detector, colours.frames(tmp_path, [ANIMAL, PERSON]), truth)
    found = measures(judge.evidence(detector))
    assert (found["recall"].value, found["recall"].n) == (0.5, 2)
    assert found["recall of the reference"].value == 0.5
    assert found["false boxes a photo"].value == 0.5


def test_scores_that_drift_below_the_threshold_by_a_hair_fail(detector: Bundle, tmp_path: Path) -> None:
    confident = detector.manifest.thresholds.confident
    frames = colours.frames(tmp_path, [ANIMAL] * 8)
    half = Detector(colours.changed(detector, tmp_path / "half.onnx", (0.5,) * 3), threads=1)
    score = half.detect(frames[0])[0].confidence
    near = colours.changed(detector, tmp_path / "near.onnx", (0.5 * (confident + 0.03) / score,) * 3)
    below = colours.changed(detector, tmp_path / "below.onnx", (0.5 * (confident - 0.03) / score,) * 3)
    judge = DetectorJudge(near, frames)
    drifted, same = judge.evidence(below), judge.evidence(near)
    assert measures(drifted)["share of the reference's recall"].n == 0
    assert measures(drifted)["share of the reference's recall, at the plain threshold"].value == 0.0
    assert gate.judge(drifted).gate == "failed"
    assert gate.judge(same).gate == "passed"


@pytest.fixture
def classifier(tmp_path: Path) -> Bundle:
    return colour_classifier.build_bundle(tmp_path / "classifier")


def crop(colour: tuple[int, int, int]) -> Crop:
    return Crop(WHOLE, np.full((64, 64, 3), colour, np.uint8))


LYNX, BETWEEN, COUGAR = (crop(colour_classifier.SHADES[name]) for name in ("lynx", "between", "cougar"))


def leaning(bundle: Bundle, graph: Path, shift: float) -> Bundle:
    """The classifier with the logit of cougars raised."""
    model = onnx.load(str(bundle.path(bundle.manifest.variants[0])))
    offsets = next(tensor for tensor in model.graph.initializer if tensor.name == "offsets")
    raised = numpy_helper.to_array(offsets) + np.array([0, shift, 0], np.float32)
    offsets.CopyFrom(numpy_helper.from_array(raised, "offsets"))
    onnx.save(model, str(graph))
    return trial.with_variant(bundle, graph, engine="onnxruntime", precision="int8")


def test_labels_are_compared_where_the_reference_is_sure_and_everywhere(classifier: Bundle, tmp_path: Path) -> None:
    judge = ClassifierJudge(classifier, [LYNX, BETWEEN, BETWEEN, COUGAR])
    changed = judge.evidence(leaning(classifier, tmp_path / "leaning.onnx", -1.0))
    found = measures(changed)
    sure, every = found["same label where the reference is sure"], found["same label, all crops"]
    assert (sure.value, sure.n, every.value, every.n) == (1.0, 2, 0.5, 4)
    assert 0.1 < found["shift of the reference's best probability, mean"].value < 0.2
    assert gate.judge(changed).gate == "passed"
    ruined = judge.evidence(leaning(classifier, tmp_path / "ruined.onnx", 100.0))
    assert measures(ruined)["same label where the reference is sure"].value == 0.5


def test_accuracy_is_counted_over_labels_that_the_classifier_knows(classifier: Bundle, tmp_path: Path) -> None:
    judge = ClassifierJudge(classifier, [LYNX, LYNX, COUGAR, COUGAR], ["lynx", "zebra", "lynx", None])
    found = measures(judge.evidence(leaning(classifier, tmp_path / "ruined.onnx", 100.0)))
    assert (found["accuracy of the reference"].value, found["accuracy of the reference"].n) == (0.5, 2)
    assert found["accuracy"].value == 0.0
    assert found["share of the reference's accuracy"].value == 0.0


def test_a_classifier_with_features_shows_their_figures_too(classifier: Bundle, tmp_path: Path) -> None:
    files = [Path(tmp_path / f"{name}.png") for name in colour_classifier.SHADES]
    for file, shade in zip(files, colour_classifier.SHADES.values(), strict=True):
        Image.fromarray(np.full((64, 64, 3), shade, np.uint8)).save(file)
    evidence = proving.judge_for(classifier, samples.choose(tmp_path, 9)).evidence(classifier)
    found = measures(evidence)
    assert found["features: cosine, mean"].value == pytest.approx(1.0, abs=1e-4)
    assert found["features: same most alike crop"].n == 3
    assert [check.what for check in evidence.checks] == ["same label where the reference is sure"]


def test_crops_of_one_photo_are_no_neighbours() -> None:
    vectors = np.array([[1.0, 0.0], [0.99, 0.14], [0.0, 1.0]])
    assert neighbours(vectors, ["a", "b", "c"]).tolist() == [1, 0, 1]
    assert neighbours(vectors, ["a", "a", "c"]).tolist() == [2, 2, 1]
