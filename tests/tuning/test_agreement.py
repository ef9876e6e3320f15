"""When two detectors decide alike."""

from __future__ import annotations

import pytest

from edge_runtime.tuning.agreement import compare, iou, wilson_high
from edge_runtime.values import Box, Category, Detection


def box(x: float, confidence: float, category: Category = "animal", *, width: float = 0.1) -> Detection:
    return Detection(category, confidence, Box(x, 0.1, x + width, 0.3))


def photos(*confidences: float) -> list[tuple[Detection, ...]]:
    return [(box(0.2, confidence),) for confidence in confidences]


def test_equal_answers_agree() -> None:
    found = [(box(0.1, 0.9), box(0.5, 0.6, "person")), ()]
    same = compare(found, found, threshold=0.5)
    assert (same.boxes, same.missed, same.extra, same.by_a_hair, same.problem) == (2, 0, 0, 0, "")


@pytest.mark.parametrize(
    "other",
    [(), (box(0.3, 0.9),), (box(0.1, 0.9, "person"),), (box(0.1, 0.2),)],
    ids=["nothing", "another place", "another category", "far below the threshold"],
)
def test_a_box_that_is_gone_is_missed(other: tuple[Detection, ...]) -> None:
    assert compare([(box(0.1, 0.9),)], [other], threshold=0.5).missed == 1


def test_a_box_that_only_the_candidate_has_is_extra() -> None:
    for old in ((), (box(0.1, 0.2),)):
        got = compare([old], [(box(0.1, 0.9),)], threshold=0.5)
        assert (got.boxes, got.missed, got.extra) == (0, 0, 1)


def test_what_only_the_threshold_parts_counts_for_neither() -> None:
    got = compare(photos(0.52, 0.48), photos(0.48, 0.52), threshold=0.5)
    assert (got.boxes, got.missed, got.extra, got.by_a_hair) == (0, 0, 0, 2)


def test_two_boxes_in_one_place_are_not_matched_by_one() -> None:
    twice = (box(0.1, 0.9), box(0.11, 0.8))
    assert compare([twice], [(box(0.1, 0.9),)], threshold=0.5).missed == 1


def test_one_of_a_hundred_may_be_lost_and_two_may_not() -> None:
    right = photos(*[0.9] * 100)
    assert not compare(right, [(), *right[1:]], threshold=0.5).problem
    assert "98 of the reference's 100" in compare(right, [(), (), *right[2:]], threshold=0.5).problem


def test_on_few_boxes_only_a_loss_beyond_chance_counts() -> None:
    right = photos(*[0.9] * 20)
    assert not compare(right, [(), *right[1:]], threshold=0.5).problem
    assert compare(right, [(), (), (), *right[3:]], threshold=0.5).problem


def test_the_interval_is_wilsons() -> None:
    # 28 of 29: 0.8282 to 0.9939, from the formula's published tables.
    assert wilson_high(28, 29) == pytest.approx(0.9939, abs=2e-4)
    assert wilson_high(5, 5) == pytest.approx(1.0)


def test_overlap_is_common_over_joint_area() -> None:
    assert iou(Box(0, 0, 0.2, 0.2), Box(0.1, 0, 0.3, 0.2)) == pytest.approx(1 / 3)
    assert iou(Box(0, 0, 0.1, 0.1), Box(0.5, 0.5, 0.6, 0.6)) == 0
