"""Rolling up: a label where one is sure enough, else the finest group that is."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from edge_runtime.bundles.tables import Label, Taxon
from edge_runtime.models.taxonomy import Taxonomy

CARNIVORE = ("Mammalia", "Carnivora")
LABELS = (
    Label("lynx", "animal", (*CARNIVORE, "Felidae", "Lynx")),
    Label("lion", "animal", (*CARNIVORE, "Felidae", "Panthera", "Panthera leo")),
    Label("leopard", "animal", (*CARNIVORE, "Felidae", "Panthera", "Panthera pardus")),
    Label("red fox", "animal", (*CARNIVORE, "Canidae", "Vulpes", "Vulpes vulpes")),
    Label("owl", "animal", ("Aves", "Strigiformes")),
    Label("", "other"),
    Label("owl", "animal", ("Aves", "Strigiformes")),
    Label("sheet", "other"),
)
TAXA = (
    Taxon("class", "Mammalia", "mammal"),
    Taxon("family", "Felidae", "cat family"),
    Taxon("genus", "Panthera", "big cat"),
    Taxon("order", "Carnivora", "carnivore"),
)
TREE = Taxonomy(LABELS, TAXA)


def said(*probabilities: float, taxonomy: Taxonomy = TREE, species: float = 0.6, rollup: float = 0.7) -> object:
    """The answer for lynx, lion, leopard, red fox, owl and no animal."""
    answer = taxonomy.answer(np.array(probabilities), species=species, rollup=rollup)
    return (answer.name, round(answer.confidence, 3)) if answer else None


@pytest.mark.parametrize(
    ("probabilities", "answer"),
    [
        ((0.9, 0.1, 0.0, 0.0, 0.0, 0.0), ("lynx", 0.9)),
        ((0.6, 0.4, 0.0, 0.0, 0.0, 0.0), ("lynx", 0.6)),
        ((0.1, 0.4, 0.4, 0.0, 0.1, 0.0), ("big cat", 0.8)),
        ((0.4, 0.3, 0.2, 0.1, 0.0, 0.0), ("cat family", 0.9)),
        ((0.3, 0.1, 0.1, 0.4, 0.0, 0.1), ("carnivore", 0.9)),
        ((0.0, 0.0, 0.0, 0.3, 0.4, 0.3), None),
        ((0.2, 0.2, 0.2, 0.0, 0.0, 0.4), None),
    ],
)
def test_the_finest_that_is_sure_enough_is_the_answer(probabilities: tuple[float, ...], answer: object) -> None:
    assert said(*probabilities) == answer


def test_nothing_that_is_no_animal_rather_is_called_one() -> None:
    assert said(0.2, 0.2, 0.05, 0.0, 0.0, 0.55, rollup=0.4) is None
    assert said(0.2, 0.2, 0.15, 0.0, 0.0, 0.45, rollup=0.4) == ("cat family", 0.55)
    assert said(0.42, 0.0, 0.0, 0.0, 0.0, 0.58, species=0.4) is None


def test_without_taxa_nothing_rolls_up() -> None:
    plain = Taxonomy(LABELS)
    assert said(0.1, 0.45, 0.45, 0.0, 0.0, 0.0, taxonomy=plain) is None
    assert plain.names == ("lynx", "lion", "leopard", "red fox", "owl")


def test_classes_of_one_label_are_summed_and_what_is_no_animal_shares_the_last_place() -> None:
    summed = TREE.summed(np.array([0.1, 0.0, 0.0, 0.0, 0.2, 0.1, 0.4, 0.2], np.float32))
    assert np.allclose(summed, [0.1, 0, 0, 0, 0.6, 0.3])


def test_names_are_the_labels_and_then_the_taxa_in_the_bundles_order() -> None:
    assert TREE.names == ("lynx", "lion", "leopard", "red fox", "owl", "mammal", "cat family", "big cat", "carnivore")


def test_every_name_knows_its_rank_and_the_taxa_above_it_finest_first() -> None:
    assert TREE.coarser["lion"] == ("big cat", "cat family", "carnivore", "mammal")
    assert TREE.coarser["big cat"] == ("cat family", "carnivore", "mammal")
    assert TREE.coarser["owl"] == TREE.coarser["mammal"] == ()
    assert (TREE.ranks["lion"], TREE.ranks["lynx"], TREE.ranks["owl"]) == ("species", "genus", "order")
    assert (TREE.ranks["big cat"], TREE.ranks["mammal"]) == ("genus", "class")
    assert TREE.lineages["cat family"] == (*CARNIVORE, "Felidae")


@given(arrays.arrays(np.float64, 6, elements=st.floats(0.001, 1)), st.floats(0.5, 1), st.floats(0.5, 1))
def test_a_label_that_is_sure_enough_is_answered_as_without_taxa_and_every_answer_reaches_its_threshold(
    weights: np.ndarray, species: float, rollup: float
) -> None:
    probabilities = weights / weights.sum()
    with_taxa = TREE.answer(probabilities, species=species, rollup=rollup)
    without = Taxonomy(LABELS).answer(probabilities, species=species, rollup=rollup)
    if without is not None:
        assert with_taxa == without
    elif with_taxa is not None:
        assert with_taxa.name in {taxon.name for taxon in TAXA} and with_taxa.confidence >= rollup
        members = [i for i, name in enumerate(TREE.labels) if with_taxa.name in TREE.coarser[name]]
        assert probabilities[members].sum() == pytest.approx(with_taxa.confidence)


FENCED = Taxonomy(LABELS, TAXA, {"lynx", "leopard", "owl"})


@pytest.mark.parametrize(
    ("probabilities", "answer"),
    [
        ((0.9, 0.1, 0.0, 0.0, 0.0, 0.0), ("lynx", 0.9)),
        # Not allowed: the lion counts as a big cat, for the leopard is one too.
        ((0.1, 0.9, 0.0, 0.0, 0.0, 0.0), ("big cat", 0.9)),
        ((0.1, 0.6, 0.2, 0.1, 0.0, 0.0), ("big cat", 0.8)),
        # No fox is allowed, but a carnivore is what a lynx is as well.
        ((0.0, 0.0, 0.0, 0.95, 0.05, 0.0), ("carnivore", 0.95)),
        # More probable than the leopard, so that it is not the leopard either.
        ((0.0, 0.5, 0.45, 0.0, 0.05, 0.0), ("big cat", 0.95)),
    ],
)
def test_what_is_not_allowed_is_never_the_answer_but_counts_in_its_groups(
    probabilities: tuple[float, ...], answer: object
) -> None:
    assert said(*probabilities, taxonomy=FENCED, species=0.4) == answer


def test_a_group_without_an_allowed_label_is_not_answered() -> None:
    owls = Taxonomy(LABELS, TAXA, {"owl"})
    assert said(0.2, 0.3, 0.3, 0.1, 0.1, 0.0, taxonomy=owls) is None
    assert said(0.0, 0.1, 0.0, 0.0, 0.9, 0.0, taxonomy=owls) == ("owl", 0.9)


def test_a_group_that_is_allowed_allows_its_labels() -> None:
    cats = Taxonomy(LABELS, TAXA, {"cat family"})
    assert said(0.0, 0.9, 0.1, 0.0, 0.0, 0.0, taxonomy=cats) == ("lion", 0.9)
    assert said(0.0, 0.0, 0.0, 0.9, 0.1, 0.0, taxonomy=cats) == ("carnivore", 0.9)
    assert cats.names == TREE.names, "codes stay what they are"


@given(arrays.arrays(np.float64, 6, elements=st.floats(0.001, 1)), st.sets(st.sampled_from(TREE.names), min_size=1))
def test_every_answer_holds_something_that_is_allowed(weights: np.ndarray, allowed: set[str]) -> None:
    fenced = Taxonomy(LABELS, TAXA, allowed)
    answer = fenced.answer(weights / weights.sum(), species=0.3, rollup=0.5)
    labels = {name for name in TREE.labels if allowed & {name, *TREE.coarser[name]}}
    if answer is not None:
        assert any(answer.name in (name, *TREE.coarser[name]) for name in labels)


def test_scores_go_there_and_back_by_name() -> None:
    summed = np.array([0.5, 0.25, 0.0, 0.0, 0.0005, 0.2])
    scores = TREE.scores(summed)
    assert scores == (("lynx", 0.5), ("lion", 0.25), ("", 0.2))
    assert np.allclose(TREE.unnamed(dict(scores)), [0.5, 0.25, 0, 0, 0, 0.2])
    assert not TREE.unnamed({"dodo": 1.0}).any()
