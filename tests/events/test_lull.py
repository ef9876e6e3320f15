from __future__ import annotations

from edge_runtime.events.lull import Lull


def test_an_event_is_over_a_gap_after_its_last_photo_arrived() -> None:
    lull = Lull(60)
    lull.note({1: 3}, 100.0)
    assert lull.over(159.9) == [] and lull.next_end() == 160.0
    lull.note({1: 3}, 120.0)  # nothing was added
    assert lull.over(160.0) == [1]


def test_a_photo_that_joins_starts_the_gap_anew() -> None:
    lull = Lull(60)
    lull.note({1: 3}, 100.0)
    lull.note({1: 4}, 150.0)
    assert lull.over(209.0) == [] and lull.over(210.0) == [1]


def test_one_camera_that_goes_on_holds_up_no_other() -> None:
    lull = Lull(60)
    lull.note({1: 1, 2: 1}, 100.0)
    for arrived in (130.0, 160.0):
        lull.note({1: 1, 2: int(arrived)}, arrived)
    assert lull.over(165.0) == [1]
    assert lull.next_end() == 160.0


def test_what_is_closed_is_forgotten() -> None:
    lull = Lull(60)
    lull.note({1: 1, 2: 1}, 100.0)
    lull.note({2: 1}, 170.0)
    assert lull.over(1e9) == [2]
    lull.note({}, 171.0)
    assert lull.over(1e9) == [] and lull.next_end() is None
