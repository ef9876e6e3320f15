from __future__ import annotations

import pytest

from edge_runtime.events import review
from edge_runtime.events.evidence import Naming, Verdict
from edge_runtime.values import Individual, Species

NAMING = Naming(lambda scores: None, {}, frozenset({"cat family"}), exclusive=True, sure=0.98)


def verdict(name: str | None, confidence: float = 0.99, support: float = 1.0, frames: int = 3) -> Verdict:
    return Verdict(Species(name, confidence) if name else None, "mean-log", support, frames)


@pytest.mark.parametrize(
    ("said", "why"),
    [
        (verdict("zebra", 0.98), ()),
        (verdict("zebra", 0.979), ("zebra at 0.97, below 0.98",)),
        (verdict("zebra", 0.71), ("zebra at 0.71, below 0.98",)),
        (verdict("zebra", 0.99, support=0.5), ()),
        (verdict("zebra", 0.99, support=0.4), ("frames disagree (support 0.4)",)),
        (verdict("zebra", 0.6, support=1 / 3), ("zebra at 0.60, below 0.98", "frames disagree (support 0.33)")),
        (verdict("cat family", 1.0), ("only as far as cat family",)),
        (verdict(None), ("no species is sure",)),
        (verdict(None, support=0.2), ("no species is sure",)),
        (verdict(None, support=0.0, frames=0), ()),
    ],
)
def test_what_is_not_sure_is_looked_at_and_why(said: Verdict, why: tuple[str, ...]) -> None:
    assert review.reasons(said, None, NAMING) == why


def test_a_new_individual_is_looked_at_and_a_known_one_is_not() -> None:
    assert review.reasons(verdict("zebra"), Individual(None, 0.6), NAMING) == ("new individual",)
    assert review.reasons(verdict("zebra"), Individual("Z7", 0.9), NAMING) == ()


def test_without_a_classifier_no_species_is_asked_for() -> None:
    assert review.reasons(verdict("zebra", 0.5), None, None) == ()
