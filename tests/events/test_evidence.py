from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_runtime.bundles.tables import Label, Taxon
from edge_runtime.events import evidence
from edge_runtime.events.evidence import Naming
from edge_runtime.models.taxonomy import Taxonomy
from edge_runtime.values import LEAST_SCORE, Detection, Scores, Species
from tests.events.seen import animal

HORSES = ("Mammalia", "Perissodactyla", "Equidae", "Equus")
TREE = Taxonomy(
    [
        Label("zebra", "animal", (*HORSES, "Equus quagga")),
        Label("horse", "animal", (*HORSES, "Equus caballus")),
        Label("lion", "animal", ("Mammalia", "Carnivora", "Felidae", "Panthera", "Panthera leo")),
        Label("", "other"),
    ],
    [Taxon("genus", "Equus", "horses"), Taxon("class", "Mammalia", "mammal")],
)


def answer(scores: Mapping[str, float]) -> Species | None:
    return TREE.answer(TREE.unnamed(scores), species=0.5, rollup=0.65)


def naming(*, exclusive: bool = True) -> Naming:
    return Naming(answer, TREE.coarser, TREE.groups, exclusive, sure=0.98)


def frame(**scores: float) -> Detection:
    """A crop with these probabilities and the answer that they give; `nothing` is no animal."""
    named = tuple((name if name != "nothing" else "", score) for name, score in scores.items())
    ordered = tuple(sorted(named, key=lambda entry: -entry[1]))
    found = animal(scores=ordered)
    return Detection(found.category, found.confidence, found.box, answer(dict(ordered)), ordered)


def said(*frames: Detection, rule: str = "mean-log", exclusive: bool = True) -> tuple[str | None, float, float]:
    """Name, confidence and support."""
    verdict = evidence.weigh(frames, naming(exclusive=exclusive), rule)  # type: ignore[arg-type]
    assert verdict.frames == len(frames)
    name, confidence = (verdict.species.name, verdict.species.confidence) if verdict.species else (None, 0.0)
    return name, round(confidence, 3), round(verdict.support, 3)


def test_two_frames_outweigh_one_that_errs() -> None:
    zebra, horse = frame(zebra=0.9, horse=0.1), frame(zebra=0.3, horse=0.7)
    name, confidence, support = said(zebra, zebra, horse)
    # exp of the mean logarithms: (.9 .9 .3)^(1/3) against (.1 .1 .7)^(1/3).
    powers = (0.9 * 0.9 * 0.3) ** (1 / 3), (0.1 * 0.1 * 0.7) ** (1 / 3)
    assert (name, support) == ("zebra", 0.667)
    assert confidence == pytest.approx(powers[0] / sum(powers), abs=0.001)


def test_a_frame_that_does_not_name_a_label_cannot_veto_it() -> None:
    zebra = frame(zebra=0.98, horse=0.02)
    assert said(*[zebra] * 4, frame(lion=0.999)) == ("zebra", pytest.approx(0.95, abs=0.03), 0.8)


def test_unsure_frames_together_may_be_sure_of_a_species() -> None:
    frames = [frame(zebra=0.45, horse=0.1, lion=0.45), frame(zebra=0.45, horse=0.45, lion=0.1)]
    assert [found.species and found.species.name for found in frames] == ["mammal", "horses"]
    assert said(*frames)[0] == "zebra" and said(*frames)[2] == 0.0


def test_what_no_species_is_sure_of_rolls_up() -> None:
    name, confidence, support = said(frame(zebra=0.9, horse=0.1), frame(zebra=0.1, horse=0.9))
    assert (name, confidence, support) == ("horses", 1.0, 1.0), "both frames' answers lie in the genus"


def test_one_frame_alone_keeps_its_own_answer_to_the_last_digit() -> None:
    found = frame(zebra=0.51234, horse=0.2)
    assert evidence.weigh([found], naming(), "mean-log").species == found.species


def test_what_a_frame_was_not_classified_for_is_no_evidence() -> None:
    zebra = frame(zebra=0.9)
    verdict = evidence.weigh([animal(), zebra, animal()], naming(), "mean-log")
    assert (verdict.species, verdict.frames, verdict.support) == (zebra.species, 1, 1.0)
    nothing = evidence.weigh([animal()], naming(), "mean-log")
    assert (nothing.species, nothing.frames, nothing.support) == (None, 0, 0.0)


def test_what_is_no_animal_competes_with_the_animals() -> None:
    assert said(frame(zebra=0.6, nothing=0.4), frame(zebra=0.1, nothing=0.9))[0] is None


@pytest.mark.parametrize("rule", ["mean-log", "majority"])
def test_an_opossum_on_a_video_is_what_most_frames_say(rule: str) -> None:
    yes, no = frame(zebra=0.8, nothing=0.2), frame(zebra=0.3, nothing=0.7)
    assert said(yes, yes, no, rule=rule)[0] == "zebra"
    assert said(yes, no, no, no, rule=rule)[0] is None


def test_the_majoritys_answer_has_the_mean_confidence_of_those_who_gave_it() -> None:
    frames = [frame(zebra=0.9), frame(zebra=0.7), frame(horse=0.99)]
    assert said(*frames, rule="majority") == ("zebra", 0.8, 0.667)


def test_a_tie_goes_to_the_surer_whatever_the_order() -> None:
    zebra, horse = frame(zebra=0.8), frame(horse=0.9)
    assert said(zebra, horse, rule="majority")[0] == said(horse, zebra, rule="majority")[0] == "horse"


def test_a_frame_that_is_sure_of_nothing_does_not_vote_but_does_not_support_either() -> None:
    unsure = frame(zebra=0.3, nothing=0.28)
    assert unsure.species is None
    assert said(frame(zebra=0.9), unsure, unsure, rule="majority") == ("zebra", 0.9, 0.333)
    assert said(unsure, unsure, rule="majority") == (None, 0.0, 1.0)


def test_without_a_classifier_what_an_earlier_one_said_is_voted_on() -> None:
    verdict = evidence.weigh([frame(zebra=0.9), frame(zebra=0.8)], None, "mean-log")
    assert verdict.rule == "majority" and verdict.species is not None and verdict.species.name == "zebra"


def test_labels_that_hold_by_themselves_do_not_take_from_each_other() -> None:
    both = ((("zebra", 0.9), ("lion", 0.9)), (("lion", 0.9), ("zebra", 0.9)))
    assert evidence.mean_log_odds(both) == {"zebra": pytest.approx(0.9), "lion": pytest.approx(0.9)}
    assert evidence.mean_log(both)["zebra"] < 0.51
    name, confidence, _ = said(*[frame(zebra=0.9, lion=0.2)] * 2, exclusive=False)
    assert (name, confidence) == ("zebra", 0.9)


def test_the_only_class_of_a_sigmoid_is_weighed_against_its_own_absence() -> None:
    assert said(frame(zebra=0.9), frame(zebra=0.9), exclusive=False)[:2] == ("zebra", 0.9)
    # Softmax' rule would make the only label of all frames sure, however improbable it is.
    frames = [animal(scores=(("zebra", score),)) for score in (0.2, 0.3)]
    assert evidence.weigh(frames, naming(exclusive=False), "mean-log").species is None
    one, other = (math.log(p / (1 - p)) for p in (0.9, 0.3))
    together = evidence.mean_log_odds([(("zebra", 0.9),), (("zebra", 0.3),)])["zebra"]
    assert together == pytest.approx(1 / (1 + math.exp(-(one + other) / 2)))
    assert evidence.mean_log_odds([(("zebra", 1.0),), (("zebra", 0.0),)])["zebra"] == pytest.approx(0.5)


def test_the_best_score_is_kept_however_low_so_that_the_crop_counts_as_classified() -> None:
    scores = TREE.scores(np.array([0.0002, 0.0, 0.0001, 0.0]))
    assert scores == (("zebra", 0.0002),)
    assert evidence.weigh([animal(scores=scores)] * 2, naming(exclusive=False), "mean-log").frames == 2


probabilities = st.lists(st.floats(0.001, 1), min_size=4, max_size=4).map(lambda row: np.array(row) / sum(row))


@given(st.lists(probabilities, min_size=2, max_size=6))
def test_the_mean_is_that_of_the_logarithms_where_every_label_is_kept(rows: list[np.ndarray]) -> None:
    rows = [np.maximum(row, 2 * LEAST_SCORE) / np.maximum(row, 2 * LEAST_SCORE).sum() for row in rows]
    names = (*TREE.labels, "")
    frames: list[Scores] = [tuple(zip(names, row.tolist(), strict=True)) for row in rows]
    powers = np.exp(np.mean(np.log(rows), axis=0))
    found = evidence.mean_log(frames)
    # What is left of each frame, here nothing, counts as a ten-thousandth.
    assert [found[name] for name in names] == pytest.approx((powers / (powers.sum() + 1e-4)).tolist(), abs=1e-9)


@given(st.lists(st.lists(st.floats(0.01, 0.99), min_size=3, max_size=3), min_size=1, max_size=5), st.randoms())
def test_the_order_of_the_frames_does_not_matter(rows: list[list[float]], chance: object) -> None:
    frames = [
        frame(**dict(zip(("zebra", "horse", "lion"), (np.array(row) / sum(row)).tolist(), strict=True))) for row in rows
    ]
    shuffled = frames[:]
    chance.shuffle(shuffled)  # type: ignore[attr-defined]
    for rule in ("mean-log", "majority"):
        assert evidence.weigh(frames, naming(), rule) == evidence.weigh(shuffled, naming(), rule)
