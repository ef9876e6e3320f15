"""The classifier as the pipeline uses it, with either head."""

from __future__ import annotations

from dataclasses import replace

import msgspec
import numpy as np
import pytest

from edge_runtime.bundles import bundle as bundles
from edge_runtime.bundles.bundle import Bundle
from edge_runtime.bundles.manifest import Output, Thresholds
from edge_runtime.bundles.tables import Label
from edge_runtime.errors import BundleError
from edge_runtime.events import evidence
from edge_runtime.models.classifier import Classifier
from edge_runtime.values import Box, Crop, Detection
from tests import colour_classifier

LYNX, COUGAR, BETWEEN = (
    Crop(Detection("animal", 0.9, Box(0, 0, 1, 1)), np.full((40, 60, 3), colour_classifier.SHADES[name], np.uint8))
    for name in ("lynx", "cougar", "between")
)


@pytest.fixture(scope="module")
def cats(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    folder = tmp_path_factory.mktemp("bundles") / "cats"
    colour_classifier.build_bundle(folder)
    return bundles.load(folder, task="classifier")


def sigmoid(bundle: Bundle, *, species: float = 0.5) -> Bundle:
    """The same graph, each class by itself: a lynx or not, a cougar or not, nothing or something."""
    manifest = msgspec.structs.replace(
        bundle.manifest, output=Output(head="sigmoid", tensors=("logits",)), thresholds=Thresholds(species=species)
    )
    return replace(bundle, manifest=manifest, taxa=())


def logits(crop: Crop) -> np.ndarray:
    """What the graph computes, by hand."""
    red, green, _ = crop.pixels[0, 0] / 255
    return np.array([50 * (50 / 255 - green), 50 * (green - 50 / 255), -20 * red])


@pytest.mark.parametrize("crop", [LYNX, COUGAR, BETWEEN])
def test_softmax_probabilities_sum_to_one_and_sigmoids_do_not_have_to(cats: Bundle, crop: Crop) -> None:
    powers = np.exp(logits(crop))
    assert Classifier(cats, threads=1).probabilities(crop) == pytest.approx(powers / powers.sum(), abs=1e-4)
    alone = 1 / (1 + np.exp(-logits(crop)))
    assert Classifier(sigmoid(cats), threads=1).probabilities(crop) == pytest.approx(alone, abs=1e-4)


def test_scores_are_the_probabilities_by_name(cats: Bundle) -> None:
    species, scores = Classifier(cats, threads=1).answer(BETWEEN)
    assert species is not None and species.name == "cat family"
    assert dict(scores) == {"lynx": pytest.approx(0.5, abs=0.02), "cougar": pytest.approx(0.5, abs=0.02)}
    species, scores = Classifier(sigmoid(cats), threads=1).answer(LYNX)
    assert species is not None and species.name == "lynx" and scores[0] == ("lynx", pytest.approx(1.0, abs=1e-3))


def test_several_frames_are_named_as_one_frame_with_their_mean_is(cats: Bundle) -> None:
    classifier = Classifier(cats, threads=1)
    frames = []
    for crop in (LYNX, BETWEEN, LYNX):
        species, scores = classifier.answer(crop)
        frames.append(replace(crop.detection, species=species, scores=scores))
    verdict = evidence.weigh(frames, classifier.naming, "mean-log")
    assert verdict.species is not None and verdict.species.name == "lynx"
    assert (verdict.support, verdict.frames) == (pytest.approx(2 / 3), 3)


def test_a_single_sigmoid_class_that_is_improbable_in_every_frame_stays_unnamed(cats: Bundle) -> None:
    labels = (Label("lynx", "animal"), Label("", "other"), Label("", "other"))
    classifier = Classifier(replace(sigmoid(cats), labels=labels), threads=1)
    naming = classifier.naming
    assert not naming.exclusive
    species, scores = classifier.answer(COUGAR)
    assert species is None
    frame = replace(COUGAR.detection, scores=scores)
    verdict = evidence.weigh([frame, frame], naming, "mean-log")
    assert (verdict.species, verdict.support, verdict.frames) == (None, 1.0, 2)


def test_the_review_threshold_is_the_bundles_own_and_98_percent_where_it_says_nothing(cats: Bundle) -> None:
    assert Classifier(cats, threads=1).naming.sure == 0.98
    strict = msgspec.structs.replace(cats.manifest, thresholds=Thresholds(review=0.7))
    assert Classifier(replace(cats, manifest=strict), threads=1).naming.sure == 0.7


def test_groups_need_a_softmax(cats: Bundle) -> None:
    with pytest.raises(BundleError, match="sums of 'sigmoid' scores mean nothing"):
        Classifier(replace(sigmoid(cats), taxa=cats.taxa), threads=1)
