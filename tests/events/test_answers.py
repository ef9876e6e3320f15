from __future__ import annotations

from dataclasses import replace

import pytest

from edge_runtime.events import answers
from edge_runtime.values import Detection, Species
from tests.events.seen import animal

LION, PERSON, CAR = animal(species="lion"), animal(category="person"), animal(category="vehicle")
WEAK = animal(confidence=0.2)


def applied(found: list[Detection], answer: str | None) -> list[Detection]:
    return list(answers.applied(found, answer, confident=0.5))


def test_without_an_answer_everything_stays() -> None:
    assert applied([LION, WEAK], None) == [LION, WEAK]


def test_a_species_goes_to_every_animal_that_counts_as_said_by_a_person() -> None:
    named = Species("leopard", 1.0, by="human")
    assert applied([LION, animal(), WEAK], "leopard") == [
        replace(LION, species=named),
        replace(animal(), species=named),
        WEAK,
    ]


def test_people_and_vehicles_beside_an_animal_stay_what_they_are() -> None:
    found = applied([LION, PERSON, CAR], "leopard")
    assert found[0].label == "leopard" and found[1:] == [PERSON, CAR]
    assert [one.held for one in applied([LION, PERSON], answers.EMPTY)] == ["refuted", ""]


def test_where_no_animal_counts_the_answer_is_about_what_does() -> None:
    assert applied([PERSON, WEAK], "baboon") == [
        replace(PERSON, category="animal", species=Species("baboon", 1.0, by="human")),
        WEAK,
    ]
    assert applied([PERSON], "vehicle") == [replace(PERSON, category="vehicle")]


def test_empty_refutes_and_keeps_what_was_found() -> None:
    (found,) = applied([LION], answers.EMPTY)
    assert found == replace(LION, held="refuted")


@pytest.mark.parametrize("category", ["animal", "person", "vehicle"])
def test_a_category_as_an_answer_takes_the_machines_species_away(category: str) -> None:
    (found,) = applied([LION], category)
    assert (found.category, found.species, found.label) == (category, None, category)


def test_what_is_held_already_is_not_touched() -> None:
    branch = replace(LION, held="repeat")
    assert applied([branch, animal()], "zebra")[0] == branch
    assert applied([branch], "zebra") == [branch]


def test_an_empty_photo_stays_empty_whatever_is_said_of_it() -> None:
    assert applied([], "lion") == [] and applied([WEAK], "lion") == [WEAK]
