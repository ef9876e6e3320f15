"""What the scores are made to mean."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="needs the extra 'train'")

from edge_runtime.bundles import bundle as bundles
from export_tools.default_models.detector import calibration
from tests import colour_detector


def test_scores_that_are_the_share_of_right_boxes_have_no_error() -> None:
    scores = np.full(100, 0.25)
    right = np.arange(100) < 25
    assert calibration.expected_error(scores, right.astype(float)) == pytest.approx(0)


def test_scores_that_promise_too_much_are_off_by_what_they_promise() -> None:
    assert calibration.expected_error(np.full(10, 0.95), np.zeros(10)) == pytest.approx(0.95)


def test_the_threshold_lets_one_false_box_in_five_empty_pictures_through(colour_bundle: Path) -> None:
    bundle = bundles.load(colour_bundle, task="detector")
    grey = np.full((128, 128, 3), 120, np.uint8)
    red = grey.copy()
    red[:32, :32] = colour_detector.COLOURS["animal"]
    quiet = calibration.threshold(bundle, [red] + [grey] * 9)
    loud = calibration.threshold(bundle, [red] * 5 + [grey] * 5)
    assert quiet < loud, "half of the pictures bring a box: the threshold must lie above its score"
