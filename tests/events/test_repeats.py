from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_runtime.events import repeats
from edge_runtime.events.repeats import Place
from edge_runtime.settings import Repeats
from edge_runtime.values import Box

RULE = Repeats()


def place(number: int, box: Box) -> Place:
    return Place(number, "hut", box, events=1, last_event=1, state="suspect")


@st.composite
def boxes(draw: st.DrawFn) -> Box:
    x1, y1 = draw(st.floats(0, 0.99)), draw(st.floats(0, 0.99))
    return Box(x1, y1, x1 + draw(st.floats(0.001, 1 - x1)), y1 + draw(st.floats(0.001, 1 - y1)))


@given(boxes(), boxes(), st.sampled_from([0.5, 0.7, 0.9, 0.99]))
@settings(max_examples=500, deadline=None)
def test_boxes_that_agree_are_never_looked_for_in_the_wrong_cells(one: Box, other: Box, least: float) -> None:
    if repeats.iou(one, other) >= least:
        assert any(first <= repeats.cell(other) <= last for first, last in repeats.cells(one, least))


def test_boxes_that_just_agree_are_found_wherever_they_lie() -> None:
    dice = random.Random(5)
    agreed = 0
    for _ in range(20_000):
        least = dice.choice([0.5, 0.9])
        x1, y1 = dice.uniform(0, 0.7), dice.uniform(0, 0.7)
        one = Box(x1, y1, x1 + dice.uniform(0.01, 0.3), y1 + dice.uniform(0.01, 0.3))
        width, height = one.x2 - one.x1, one.y2 - one.y1
        dx, dy, wider = (dice.uniform(-1, 1) * (1 - least) for _ in range(3))
        other = Box(one.x1 + dx * width, one.y1 + dy * height, one.x2 + (dx + wider) * width, one.y2 + dy * height)
        if repeats.iou(one, other) >= least:
            agreed += 1
            assert any(first <= repeats.cell(other) <= last for first, last in repeats.cells(one, least))
    assert agreed > 2000


def test_the_cells_are_few_so_the_search_is_short() -> None:
    usual = Box(0.3, 0.4, 0.4, 0.55)
    strip = Box(0.0, 0.93, 1.0, 1.0)
    assert sum(last - first + 1 for first, last in repeats.cells(usual, 0.9)) <= 4
    assert sum(last - first + 1 for first, last in repeats.cells(strip, 0.9)) <= 4


def test_the_place_with_the_most_in_common_is_the_nearest_and_a_worse_one_is_none() -> None:
    box = Box(0.2, 0.2, 0.4, 0.4)
    near, nearer = place(1, Box(0.2, 0.2, 0.4, 0.415)), place(2, Box(0.2, 0.2, 0.4, 0.405))
    beside = place(3, Box(0.25, 0.2, 0.45, 0.4))
    assert repeats.nearest(box, [near, nearer, beside], 0.9) is nearer
    assert repeats.nearest(box, [beside], 0.9) is None
    assert repeats.nearest(box, [], 0.9) is None


@pytest.mark.parametrize(
    ("state", "events", "then"),
    [
        ("suspect", 19, "suspect"),
        ("suspect", 20, "repeat"),
        ("repeat", 3, "repeat"),  # a person said so early
        ("real", 1000, "real"),
    ],
)
def test_a_place_becomes_a_repeat_at_the_limit_unless_a_person_has_said_what_it_is(
    state: repeats.State, events: int, then: repeats.State
) -> None:
    assert repeats.state_after(state, events, RULE) == then


def test_what_fills_the_view_is_never_a_repeat() -> None:
    assert repeats.can_repeat(Box(0, 0.81, 1, 1), RULE)
    assert not repeats.can_repeat(Box(0, 0.79, 1, 1), RULE)
