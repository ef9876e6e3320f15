"""Matches, average precision and thresholds: cases worked out by hand, and what must always hold."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from export_tools.accuracy.average_precision import (
    ALL,
    Found,
    Truth,
    area_under,
    at_threshold,
    average_precision,
    best_threshold,
    match_all,
    matched,
    ranking,
)

LEFT, RIGHT, BELOW = (0.0, 0.0, 0.4, 0.4), (0.5, 0.0, 0.9, 0.4), (0.0, 0.5, 0.4, 0.9)
NOWHERE = (0.6, 0.6, 0.9, 0.9)
TINY = (0.95, 0.95, 1.0, 1.0)
Box = tuple[float, float, float, float]


def truth(
    *boxes: Box, classes: Sequence[int] = (), ignored: Sequence[Box] = (), judged: tuple[int, ...] = ALL
) -> Truth:
    return Truth(
        np.array(boxes, np.float32).reshape(-1, 4),
        np.array(classes or [0] * len(boxes), np.intp),
        np.array(ignored, np.float32).reshape(-1, 4),
        judged,
    )


def found(*scored: tuple[Box, float], classes: Sequence[int] = ()) -> Found:
    return Found(
        np.array([box for box, _ in scored], np.float32).reshape(-1, 4),
        np.array(classes or [0] * len(scored), np.intp),
        np.array([score for _, score in scored], np.float32),
    )


def test_a_false_box_between_two_right_ones_costs_what_the_curve_says() -> None:
    # recall 1/2 at precision 1, then recall 1 at precision 2/3: 1/2 + 1/2 * 2/3
    value = average_precision([found((LEFT, 0.9), (NOWHERE, 0.8), (RIGHT, 0.7))], [truth(LEFT, RIGHT)])
    assert value == pytest.approx(1 / 2 + 1 / 3)


def test_precision_is_interpolated_from_the_right() -> None:
    # false, right, right of 3: precision 1/2 at recall 1/3, 2/3 at recall 2/3; the envelope makes both 2/3
    value = average_precision([found((NOWHERE, 0.9), (LEFT, 0.8), (RIGHT, 0.7))], [truth(LEFT, RIGHT, BELOW)])
    assert value == pytest.approx(2 / 3 * 2 / 3)


def test_photos_share_one_ranking() -> None:
    photos = [found((NOWHERE, 0.95)), found((LEFT, 0.9))]
    assert average_precision(photos, [truth(), truth(LEFT)]) == pytest.approx(1 / 2)
    assert average_precision(photos[1:], [truth(LEFT)]) == 1.0


def test_equal_scores_are_one_point_whatever_their_order() -> None:
    # one right and one false at the same score: recall 1 at precision 1/2
    tied = [(LEFT, 0.5), (NOWHERE, 0.5)]
    assert average_precision([found(*tied)], [truth(LEFT)]) == pytest.approx(1 / 2)
    assert average_precision([found(*tied[::-1])], [truth(LEFT)]) == pytest.approx(1 / 2)


def test_one_box_is_found_once() -> None:
    match = matched(found((LEFT, 0.6), (LEFT, 0.9)), truth(LEFT))
    assert match.truth_of.tolist() == [-1, 0]
    assert match.counted.all()


def test_the_surest_detection_takes_the_box_that_it_overlaps_most() -> None:
    near, nearer = (0.0, 0.0, 0.4, 0.38), (0.0, 0.0, 0.4, 0.42)
    match = matched(found((LEFT, 0.9), (LEFT, 0.8)), truth((0.0, 0.0, 0.4, 0.3), nearer))
    assert match.truth_of.tolist() == [1, 0]
    assert matched(found((near, 0.5)), truth(LEFT)).truth_of.tolist() == [0]


@pytest.mark.parametrize(("height", "expected"), [(0.5, 0), (0.4375, -1)])
def test_an_overlap_of_exactly_a_half_is_enough(height: float, expected: int) -> None:
    match = matched(found(((0.0, 0.0, 0.5, height / 2), 0.9)), truth((0.0, 0.0, 0.5, 0.5)))
    assert match.truth_of.tolist() == [expected]


def test_a_person_is_no_animal() -> None:
    photos, true = [found((LEFT, 0.9), classes=[1])], [truth(LEFT)]
    assert average_precision(photos, true) == 0.0
    assert math.isnan(average_precision(photos, true, classes=(1,)))
    assert average_precision([found((LEFT, 0.9), (RIGHT, 0.8), classes=[0, 1])], true, classes=(0,)) == 1.0


def test_what_lies_in_an_ignored_area_is_neither_right_nor_false() -> None:
    half_in = (0.6, 0.6, 1.0, 0.9)
    photo = found((NOWHERE, 0.9), (half_in, 0.85), (LEFT, 0.8))
    assert matched(photo, truth(LEFT, ignored=[NOWHERE])).counted.tolist() == [False, False, True]
    assert matched(photo, truth(LEFT, ignored=[(0.6, 0.6, 0.79, 0.9)])).counted.tolist() == [False, True, True]
    assert average_precision([photo], [truth(LEFT, ignored=[NOWHERE])]) == 1.0


def test_a_truth_inside_an_ignored_area_is_still_found() -> None:
    match = matched(found((LEFT, 0.9)), truth(LEFT, ignored=[(0.0, 0.0, 1.0, 1.0)]))
    assert match.truth_of.tolist() == [0]
    assert match.counted.all()


def test_a_class_that_nobody_looked_for_is_not_false_but_its_truth_counts() -> None:
    photo = found((LEFT, 0.9), (RIGHT, 0.8), (BELOW, 0.7), classes=[0, 1, 1])
    match = matched(photo, truth(RIGHT, classes=[1], judged=(0,)))
    assert match.truth_of.tolist() == [-1, 0, -1]
    assert match.counted.tolist() == [True, True, False]


def test_small_boxes_are_judged_by_small_truth_and_small_false_ones() -> None:
    photo = found((LEFT, 0.9), (NOWHERE, 0.8), (TINY, 0.7), ((0.5, 0.95, 0.55, 1.0), 0.6))
    ranked = ranking(match_all([photo], [truth(LEFT, TINY, RIGHT)]), area=(0.0, 0.02))
    assert ranked.truths.tolist() == [1]
    assert ranked.scores.tolist() == pytest.approx([0.7, 0.6])
    assert ranked.right.tolist() == [True, False]


def test_a_threshold_keeps_its_own_score_and_above() -> None:
    photo = found((LEFT, 0.75), (NOWHERE, 0.5), (RIGHT, 0.25))
    ranked = ranking(match_all([photo], [truth(LEFT, RIGHT, BELOW)]))
    at = at_threshold(ranked, 0.5)
    assert (at.truths, at.right, at.false) == (3, 1, 1)
    assert (at.recall, at.precision) == (pytest.approx(1 / 3), 0.5)
    assert at.f1 == pytest.approx(2 / 5)


def test_the_best_threshold_is_that_of_the_best_f1() -> None:
    photo = found((LEFT, 0.75), (NOWHERE, 0.5), (RIGHT, 0.25), (NOWHERE, 0.125))
    best = best_threshold(ranking(match_all([photo], [truth(LEFT, RIGHT)])))
    assert (best.threshold, best.right, best.false) == (0.25, 2, 1)  # F1 2/3, 1/2, 4/5, 2/3


@pytest.mark.parametrize("photo", [found(), found((NOWHERE, 0.9))])
def test_nothing_right_is_worth_nothing(photo: Found) -> None:
    ranked = ranking(match_all([photo], [truth(LEFT)]))
    assert area_under(ranked) == 0.0
    assert best_threshold(ranked).right == 0
    assert best_threshold(ranked).false == 0


def test_nothing_to_find_has_no_average_precision() -> None:
    assert math.isnan(average_precision([found((LEFT, 0.9))], [truth()]))
    assert math.isnan(average_precision([], []))


def test_photos_that_do_not_pair_are_refused() -> None:
    with pytest.raises(ValueError, match="zip"):
        average_precision([found()], [])


@st.composite
def boxes(draw: st.DrawFn, most: int = 6) -> list[Box]:
    corner = st.tuples(st.integers(0, 7), st.integers(0, 7), st.integers(1, 4), st.integers(1, 4))
    cells = draw(st.lists(corner, max_size=most))
    return [(x / 12, y / 12, (x + w) / 12, (y + h) / 12) for x, y, w, h in cells]


@st.composite
def photos(draw: st.DrawFn) -> tuple[Found, Truth]:
    true, guessed = draw(boxes()), draw(boxes())
    scores = draw(st.lists(st.integers(1, 20), min_size=len(guessed), max_size=len(guessed)))
    kinds = st.integers(0, 2)
    truth_classes = draw(st.lists(kinds, min_size=len(true), max_size=len(true)))
    found_classes = draw(st.lists(kinds, min_size=len(guessed), max_size=len(guessed)))
    scored = [(box, score / 20) for box, score in zip(guessed, scores, strict=True)]
    return found(*scored, classes=found_classes), truth(*true, classes=truth_classes, ignored=draw(boxes(most=1)))


pairs = st.lists(photos(), min_size=1, max_size=4)


@given(pairs)
def test_average_precision_is_a_fraction_and_no_more_than_recall(photos: list[tuple[Found, Truth]]) -> None:
    matches = [matched(one, true) for one, true in photos]
    value = area_under(ranking(matches))
    everything = at_threshold(ranking(matches), 0.0)
    if everything.truths:
        assert 0.0 <= value <= everything.recall + 1e-9
    else:
        assert math.isnan(value)


@given(pairs)
def test_no_truth_is_matched_twice_or_across_classes(photos: list[tuple[Found, Truth]]) -> None:
    for one, true in photos:
        match = matched(one, true)
        hits = match.truth_of[match.truth_of >= 0]
        assert len(set(hits.tolist())) == len(hits)
        assert (true.classes[hits] == one.classes[match.truth_of >= 0]).all()


@given(pairs)
def test_only_the_order_of_scores_matters(photos: list[tuple[Found, Truth]]) -> None:
    bent = [(Found(one.boxes, one.classes, (one.scores / 2) ** 2), true) for one, true in photos]
    assert average_precision(*zip(*photos, strict=True)) == pytest.approx(
        average_precision(*zip(*bent, strict=True)), nan_ok=True
    )


@given(pairs, st.randoms())
def test_the_order_of_photos_does_not_matter(photos: list[tuple[Found, Truth]], random: object) -> None:
    shuffled = list(photos)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert average_precision(*zip(*photos, strict=True)) == pytest.approx(
        average_precision(*zip(*shuffled, strict=True)), nan_ok=True
    )


@given(pairs)
def test_a_surer_false_box_never_helps(photos: list[tuple[Found, Truth]]) -> None:
    before = average_precision(*zip(*photos, strict=True))
    worse = [*photos, (found((NOWHERE, 1.0)), truth())]
    after = average_precision(*zip(*worse, strict=True))
    assert math.isnan(before) or after <= before + 1e-9


@given(pairs)
def test_telling_the_truth_is_perfect(photos: list[tuple[Found, Truth]]) -> None:
    told = [Found(true.boxes, true.classes, np.ones(len(true.boxes), np.float32)) for _, true in photos]
    value = average_precision(told, [true for _, true in photos])
    assert math.isnan(value) or value == pytest.approx(1.0)


@given(pairs)
def test_no_threshold_has_a_better_f1_than_the_best(photos: list[tuple[Found, Truth]]) -> None:
    ranked = ranking([matched(one, true) for one, true in photos])
    best = best_threshold(ranked)
    assert all(at_threshold(ranked, step / 20).f1 <= best.f1 + 1e-9 for step in range(21))


@given(pairs, st.lists(st.integers(0, 3), min_size=4, max_size=4))
def test_a_weight_of_two_is_the_same_as_the_photo_twice(photos: list[tuple[Found, Truth]], counts: list[int]) -> None:
    matches = [matched(one, true) for one, true in photos]
    weights = np.array(counts[: len(matches)], np.float64)
    repeated = [match for match, count in zip(matches, counts, strict=False) for _ in range(count)]
    assert area_under(ranking(matches), weights=weights) == pytest.approx(area_under(ranking(repeated)), nan_ok=True)
