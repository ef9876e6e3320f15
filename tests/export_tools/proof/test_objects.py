"""What counts as found, lost and changed by a hair, counted by hand."""

from __future__ import annotations

import numpy as np
import pytest

from export_tools.accuracy.average_precision import Found, Truth
from export_tools.proof import changes
from export_tools.proof.objects import as_truth, objects

LEFT, RIGHT, SMALL = (0.1, 0.1, 0.4, 0.4), (0.6, 0.1, 0.9, 0.4), (0.5, 0.5, 0.55, 0.55)


def found(*boxes: tuple[tuple[float, ...], int, float]) -> Found:
    return Found(
        np.array([box for box, _, _ in boxes], np.float32).reshape(-1, 4),
        np.array([category for _, category, _ in boxes], np.intp),
        np.array([score for _, _, score in boxes], np.float32),
    )


def truth(*boxes: tuple[float, ...]) -> Truth:
    return as_truth(found(*((box, 0, 1.0) for box in boxes)))


@pytest.mark.parametrize(
    ("before", "after", "gains", "expected"),
    [
        (0.9, 0.9, False, (1, 1)),
        (0.9, 0.1, False, (0, 1)),  # lost
        (0.32, 0.28, False, (0, 0)),  # by a hair: counts for neither
        (0.28, 0.32, True, (0, 0)),
        (0.5, 0.28, False, (0, 1)),  # not by a hair: the reference was sure
        (0.32, 0.1, False, (0, 1)),  # not by a hair: the variant hardly sees it
        (0.1, 0.9, True, (0, 0)),  # a gain alone makes no recall
    ],
)
def test_an_object_is_kept_lost_or_changed_by_a_hair(
    before: float, after: float, gains: bool, expected: tuple[int, int]
) -> None:
    seen = objects([truth(LEFT)], [found((LEFT, 0, before))], [found((LEFT, 0, after))])
    assert seen.kept(0.3, gains=gains) == expected


def test_at_the_plain_threshold_a_hair_is_a_loss() -> None:
    seen = objects([truth(LEFT)], [found((LEFT, 0, 0.32))], [found((LEFT, 0, 0.28))])
    assert seen.kept(0.3, gains=False, plain=True) == (0, 1)


def test_a_gain_makes_up_for_a_loss_only_where_truth_says_that_it_is_one() -> None:
    before = [found((LEFT, 0, 0.9), (RIGHT, 0, 0.1))]
    after = [found((LEFT, 0, 0.1), (RIGHT, 0, 0.9))]
    seen = objects([truth(LEFT, RIGHT)], before, after)
    assert seen.kept(0.3, gains=True) == (1, 1)
    assert seen.kept(0.3, gains=False) == (0, 1)


def test_an_object_found_in_another_class_is_not_found() -> None:
    seen = objects([truth(LEFT)], [found((LEFT, 0, 0.9))], [found((LEFT, 1, 0.9))])
    assert seen.kept(0.3, gains=False) == (0, 1)


def test_objects_are_told_apart_by_size() -> None:
    nothing = [found()]
    seen = objects([truth(LEFT, SMALL)], nothing, nothing)
    assert len(seen.within(0.0, 0.005).area) == 1
    assert len(seen.within(0.02, 0.1).area) == 1
    assert len(seen.within(0.1, float("inf")).area) == 0


def test_changes_are_counted_box_by_box() -> None:
    before = [found((LEFT, 0, 0.9), (RIGHT, 0, 0.9)), found((LEFT, 0, 0.5))]
    after = [found((LEFT, 0, 0.8), (RIGHT, 1, 0.9)), found((LEFT, 0, 0.2), (SMALL, 0, 0.6))]
    counted = changes.between(before, after, 0.3)
    assert (counted.before, counted.after, counted.missed, counted.extra, counted.flips) == (3, 3, 2, 2, 1)
    np.testing.assert_allclose(counted.overlaps, [1.0])


def test_the_overlap_of_a_shifted_box_is_its_iou() -> None:
    shifted = (0.1, 0.1, 0.4, 0.34)
    counted = changes.between([found((LEFT, 0, 0.9))], [found((shifted, 0, 0.9))], 0.3)
    np.testing.assert_allclose(counted.overlaps, [0.8], atol=1e-6)


def test_photos_without_any_box_have_nothing_to_count() -> None:
    counted = changes.between([found()], [found()], 0.3)
    assert all(measure.n == 0 for measure in counted.measures())
    assert objects([truth()], [found()], [found()]).kept(0.3, gains=True) == (0, 0)
