from __future__ import annotations

from dataclasses import replace

import pytest

from edge_runtime.events import closing
from edge_runtime.events.closing import Account, Medium
from edge_runtime.settings import EvidenceRule
from edge_runtime.values import Detection, Individual, Scores
from tests.events.seen import animal
from tests.events.test_evidence import naming

ZEBRA: Scores = (("zebra", 0.9), ("horse", 0.1))
HORSE: Scores = (("horse", 0.7), ("zebra", 0.3))
SURE: Scores = (("zebra", 0.999),)


def told(
    *photos: list[Detection],
    answered: dict[int, str] | None = None,
    rule: EvidenceRule = "mean-log",
    who: Individual | None = None,
) -> Account:
    said = answered or {}
    media = [Medium(place, tuple(photo), 100 + place, None, said.get(place)) for place, photo in enumerate(photos)]
    animals = [replace(one, individual=who) for one in closing.follow(media, naming(), rule, confident=0.5)]
    return closing.account(media, animals, naming(), confident=0.5)


def counts(account: Account) -> dict[str, int]:
    return {count.label: count.count for count in account.counts}


@pytest.mark.parametrize("rule", ["mean-log", "majority"])
def test_an_animal_that_was_called_zebra_twice_and_horse_once_is_one_zebra(rule: EvidenceRule) -> None:
    account = told([animal(scores=ZEBRA)], [animal(scores=ZEBRA)], [animal(scores=HORSE)], rule=rule)
    assert counts(account) == {"zebra": 1}


def test_a_zebra_and_a_horse_at_once_are_both_counted() -> None:
    photo = [animal(0.2, scores=ZEBRA), animal(0.8, scores=HORSE)]
    assert counts(told(photo, photo)) == {"zebra": 1, "horse": 1}


def test_people_and_vehicles_are_counted_beside_the_animals_and_never_reviewed() -> None:
    photo = [animal(0.2, scores=SURE), animal(0.8, category="person"), animal(0.5, category="vehicle")]
    account = told(photo)
    assert counts(account) == {"zebra": 1, "person": 1, "vehicle": 1} and not account.review


def test_the_frames_of_a_video_show_one_animal_and_not_one_each() -> None:
    frames = tuple(animal(0.5, scores=SURE, frame=25 * number) for number in range(10))
    media = [Medium(1, frames, 100, 25.0, None)]
    account = closing.account(
        media, closing.follow(media, naming(), "majority", confident=0.5), naming(), confident=0.5
    )
    assert counts(account) == {"zebra": 1}


def test_each_photo_has_the_reasons_of_the_animals_that_it_shows() -> None:
    sure, doubtful = animal(0.2, scores=SURE), animal(0.8, scores=ZEBRA)
    account = told([sure, doubtful], [sure], [])
    assert account.reasons == ("zebra at 0.90, below 0.98", "", "") and account.review


def test_an_event_of_which_all_is_sure_is_not_reviewed() -> None:
    assert not told([animal(scores=SURE)], [animal(scores=SURE)]).review


def test_a_new_individual_is_a_reason_too() -> None:
    account = told([animal(scores=SURE)], who=Individual(None, 0.5))
    assert account.reasons == ("new individual",)


def test_a_persons_word_wins_and_holds_for_the_animal_wherever_else_it_is_seen() -> None:
    zebra = animal(scores=ZEBRA)
    account = told([zebra], [zebra], [zebra], answered={1: "donkey"})
    assert counts(account) == {"donkey": 1}
    assert account.reasons[1] == "" and account.reasons[0], "only the photo that a person has seen is off the list"
    (count,) = account.counts
    assert count.confidence == 1.0


def test_a_word_on_one_animal_does_not_name_another() -> None:
    left, right = animal(0.1, scores=ZEBRA), animal(0.9, scores=HORSE)
    account = told([left, right], [left], answered={1: "donkey"})
    assert counts(account) == {"donkey": 1, "horse": 1}


def test_empty_is_said_of_one_photo_alone() -> None:
    zebra = animal(scores=ZEBRA)
    assert counts(told([zebra], [zebra], answered={0: "empty"})) == {"zebra": 1}
    assert counts(told([zebra], [zebra], answered={0: "empty", 1: "empty"})) == {}


def test_what_is_held_is_neither_counted_nor_reviewed() -> None:
    branch = replace(animal(scores=ZEBRA), held="repeat")
    account = told([branch], [branch])
    assert account.counts == () and not account.review


def test_without_a_classifier_animals_are_animals_and_nobody_is_asked() -> None:
    media = [Medium(place, (animal(),), 100 + place) for place in range(3)]
    animals = closing.follow(media, None, "mean-log", confident=0.5)
    account = closing.account(media, animals, None, confident=0.5)
    assert counts(account) == {"animal": 1} and not account.review
    assert [len(one.track) for one in animals] == [3]
