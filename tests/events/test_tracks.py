from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_runtime.events import tracks
from edge_runtime.events.tracks import Look, Sighting
from edge_runtime.values import Detection
from tests.events.seen import SIDE, animal


def followed(*photos: list[Detection], seconds: float = 1.0) -> list[list[int]]:
    """Of each animal, which detections show it, as 10 times the photo plus the rank."""
    looks = [
        look for place, photo in enumerate(photos) for look in tracks.looks(place, photo, time_s=100 + place * seconds)
    ]
    return [[10 * one.medium + one.rank for one in track] for track in tracks.follow(looks, confident=0.5)]


def test_an_animal_that_hardly_moves_is_one_through_the_burst() -> None:
    assert followed([animal(0.5)], [animal(0.52)], [animal(0.55)]) == [[0, 10, 20]]


def test_two_animals_side_by_side_stay_two_whatever_their_order_in_the_list() -> None:
    assert followed([animal(0.2), animal(0.8)], [animal(0.78), animal(0.22)]) == [[0, 11], [1, 10]]


def test_the_nearest_go_together() -> None:
    assert followed([animal(0.5)], [animal(0.6), animal(0.52)]) == [[0, 11], [10]]


def test_of_two_in_one_place_the_one_of_the_same_size_goes_on() -> None:
    assert followed([animal(side=0.3)], [animal(side=0.1), animal(side=0.28)]) == [[0, 11], [10]]


def test_the_only_animal_of_a_burst_is_the_same_however_far_it_moved() -> None:
    assert followed([animal(0.1)], [animal(0.9)]) == [[0, 10]]


def test_after_a_while_another_animal_elsewhere_is_another_one() -> None:
    assert followed([animal(0.1)], [animal(0.9)], seconds=tracks.BURST_S + 1) == [[0], [10]]
    assert followed([animal(0.1)], [animal(0.15)], seconds=50) == [[0, 10]]


def test_one_of_two_that_is_far_away_begins_anew() -> None:
    far = 0.2 + (tracks.NEAR + 0.5) * SIDE
    assert followed([animal(0.2), animal(0.9)], [animal(far)]) == [[0], [1], [10]]


def test_a_look_that_shows_nothing_or_only_others_is_bridged() -> None:
    assert followed([animal(0.5)], [], [animal(0.5)]) == [[0, 20]]
    assert followed([animal(0.2), animal(0.8)], [animal(0.2)], [animal(0.2), animal(0.8)]) == [[0, 10, 20], [1, 21]]


def test_what_was_missed_too_often_begins_anew() -> None:
    pair, one = [animal(0.2), animal(0.8)], [animal(0.2)]
    assert followed(pair, one, one, pair) == [[0, 10, 20, 30], [1], [31]]


def test_people_weak_and_held_detections_are_not_followed() -> None:
    others = [animal(category="person"), animal(confidence=0.4), replace(animal(), held="repeat")]
    assert followed([*others, animal(0.5)], others) == [[3]]


def test_the_frames_of_a_video_are_its_looks_in_their_order() -> None:
    found = [animal(0.5, frame=50), animal(0.3, frame=25), animal(0.31, frame=50), animal(0.3, frame=0)]
    looks = tracks.looks(2, found, time_s=100, frame_rate=25)
    assert [(look.time_s, [one.rank for one in look.sightings]) for look in looks] == [
        (100, [3]),
        (101, [1]),
        (102, [0, 2]),
    ]
    assert [[one.rank for one in track] for track in tracks.follow(looks, confident=0.5)] == [[3, 1, 2], [0]]


def test_a_video_without_a_time_is_followed_by_its_own_clock() -> None:
    found = [animal(0.1, frame=0), animal(0.9, frame=30)]
    (track,) = tracks.follow(tracks.looks(0, found, frame_rate=30), confident=0.5)
    assert len(track) == 2


places = st.lists(st.tuples(st.floats(0.1, 0.9), st.floats(0.1, 0.9), st.floats(0, 1)), max_size=5)


@given(st.lists(places, max_size=6), st.floats(0, 30))
def test_each_detection_that_counts_is_in_exactly_one_track_and_no_track_twice_in_a_look(
    photos: list[list[tuple[float, float, float]]], seconds: float
) -> None:
    looks = [
        Look(
            place * seconds,
            tuple(Sighting(place, rank, animal(x, y, confidence=c)) for rank, (x, y, c) in enumerate(photo)),
        )
        for place, photo in enumerate(photos)
    ]
    found = tracks.follow(looks, confident=0.5)
    counting = [(one.medium, one.rank) for look in looks for one in look.sightings if one.detection.confidence >= 0.5]
    assert sorted((one.medium, one.rank) for track in found for one in track) == sorted(counting)
    for track in found:
        assert [one.medium for one in track] == sorted({one.medium for one in track})


@pytest.mark.parametrize("moved", [0.05, 0.15])
def test_every_animal_of_a_herd_that_walks_on_keeps_its_track(moved: float) -> None:
    herd = [0.1, 0.35, 0.6]
    paths = followed(*[[animal(x + step * moved * 0.5) for x in herd] for step in range(4)])
    assert paths == [[rank + 10 * step for step in range(4)] for rank in range(3)]
