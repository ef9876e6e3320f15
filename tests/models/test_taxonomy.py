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
