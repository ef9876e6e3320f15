from __future__ import annotations

import pytest

from edge_runtime.events import grouping
from edge_runtime.values import Box, Category, Detection, Species

BOX = Box(0, 0, 1, 1)


def seen(category: Category, confidence: float = 0.9, species: str | None = None) -> Detection:
    return Detection(category, confidence, BOX, Species(species, 0.8) if species else None)


@pytest.mark.parametrize(
    ("time_s", "belongs"), [(100, True), (160, True), (161, False), (40, True), (39, False), (None, False)]
)
def test_a_photo_joins_within_the_gap_on_either_side(time_s: int | None, belongs: bool) -> None:
    assert grouping.joins(100, 100, time_s, gap_s=60) is belongs


def test_an_event_grows_from_photo_to_photo() -> None:
    assert grouping.joins(100, 155, 215, gap_s=60)


def test_an_event_without_a_time_takes_no_other_photo() -> None:
    assert not grouping.joins(None, None, 100, gap_s=60)
    assert grouping.is_over(None, 100, gap_s=60)


def test_an_event_is_over_once_its_camera_went_on() -> None:
    assert grouping.is_over(100, 161, gap_s=60) and not grouping.is_over(100, 160, gap_s=60)
    assert not grouping.is_over(100, None, gap_s=60)


def test_the_count_is_the_largest_number_seen_at_once() -> None:
    photos = [[seen("animal")], [seen("animal"), seen("animal"), seen("animal")], [seen("animal")] * 2]
    (count,) = grouping.count(photos, confident=0.5)
    assert (count.label, count.count) == ("animal", 3)


def test_each_label_counts_by_itself() -> None:
    photos = [[seen("person", 0.6)], [seen("vehicle", 0.7), seen("person", 0.95)]]
    assert [(c.label, c.count, c.confidence) for c in grouping.count(photos, confident=0.5)] == [
        ("person", 1, 0.95),
        ("vehicle", 1, 0.7),
    ]


def test_weak_detections_do_not_count() -> None:
    assert grouping.count([[seen("animal", 0.4)]], confident=0.5) == ()


def test_an_animal_that_one_frame_could_not_name_is_not_a_second_animal() -> None:
    photos = [[seen("animal", species="leopard")], [seen("animal")], [seen("animal", species="leopard")]]
    assert [(c.label, c.count) for c in grouping.count(photos, confident=0.5)] == [("leopard", 1)]


def test_a_second_unnamed_animal_at_the_same_time_still_counts() -> None:
    photos = [[seen("animal", species="leopard"), seen("animal")]]
    assert sorted((c.label, c.count) for c in grouping.count(photos, confident=0.5)) == [("animal", 1), ("leopard", 1)]


def test_a_species_is_as_sure_as_its_classifier() -> None:
    (count,) = grouping.count([[seen("animal", 0.99, "leopard")]], confident=0.5)
    assert count.confidence == 0.8


COARSER = {
    "lynx": ("cat family", "carnivore"),
    "cougar": ("cat family", "carnivore"),
    "red fox": ("carnivore",),
    "cat family": ("carnivore",),
    "carnivore": (),
}


def counted(*photos: list[str]) -> dict[str, int]:
    """Label to count of an event whose photos show these animals; an empty name is an animal without one."""
    seen_photos = [[seen("animal", species=name or None) for name in photo] for photo in photos]
    return {c.label: c.count for c in grouping.count(seen_photos, confident=0.5, coarser=COARSER)}


@pytest.mark.parametrize(
    ("photos", "counts"),
    [
        ([["lynx"], ["cat family"], ["carnivore"], [""]], {"lynx": 1}),
        ([["cat family"], ["carnivore"], [""]], {"cat family": 1}),
        ([["cat family"], ["lynx"], ["cougar"]], {"lynx": 1, "cougar": 1}),
        ([["lynx"], ["red fox"], ["carnivore"]], {"lynx": 1, "red fox": 1}),
        ([["lynx", "cat family"]], {"lynx": 1, "cat family": 1}),
        ([["lynx"], ["cat family", "cat family"]], {"lynx": 1, "cat family": 1}),
        ([["lynx", "lynx"], ["cat family"], ["carnivore", "carnivore", ""]], {"lynx": 2, "animal": 1}),
        ([["red fox"], ["cat family"]], {"red fox": 1, "cat family": 1}),
    ],
)
def test_a_coarser_name_counts_only_what_finer_ones_do_not_account_for(
    photos: list[list[str]], counts: dict[str, int]
) -> None:
    assert counted(*photos) == counts


def test_a_name_that_no_taxonomy_knows_counts_as_a_species() -> None:
    assert counted(["unicorn"], [""]) == {"unicorn": 1}


def test_a_classifier_may_call_an_animal_an_animal() -> None:
    assert counted(["animal"], ["animal", "animal"]) == {"animal": 2}
