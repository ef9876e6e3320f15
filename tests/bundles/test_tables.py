"""Label tables with a taxonomy, and the groups that a classifier may answer with."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge_runtime.bundles.tables import Label, Taxon, read_labels, read_taxa
from edge_runtime.errors import BundleError

HEADER = "index,label,kind,class,order,family,genus,species\n"
CATS = (
    HEADER
    + "0,lynx,animal,Mammalia,Carnivora,Felidae,Lynx,\n"
    + "1,lion,animal,Mammalia,Carnivora,Felidae,Panthera,Panthera leo\n"
    + "2,,other,,,,,\n"
    + "3,owl,animal,Aves,Strigiformes,,,\n"
)


def labels_of(folder: Path, table: str) -> tuple[Label, ...]:
    file = folder / "labels.csv"
    file.write_text(table, encoding="utf-8")
    return read_labels(file)


def taxa_of(folder: Path, table: str, labels: tuple[Label, ...]) -> tuple[Taxon, ...]:
    file = folder / "taxa.csv"
    file.write_text("rank,taxon,name\n" + table, encoding="utf-8")
    return read_taxa(file, labels)


def test_a_lineage_ends_where_the_label_does(tmp_path: Path) -> None:
    assert labels_of(tmp_path, CATS) == (
        Label("lynx", "animal", ("Mammalia", "Carnivora", "Felidae", "Lynx")),
        Label("lion", "animal", ("Mammalia", "Carnivora", "Felidae", "Panthera", "Panthera leo")),
        Label("", "other"),
        Label("owl", "animal", ("Aves", "Strigiformes")),
    )


def test_a_table_without_the_columns_has_no_lineages(tmp_path: Path) -> None:
    assert labels_of(tmp_path, "index,label,kind\n0,lynx,animal\n") == (Label("lynx", "animal"),)


@pytest.mark.parametrize(
    ("table", "says"),
    [
        ("index,label,kind,class\n0,cat,animal,Mammalia\n", "family, genus, order, species"),
        (HEADER + "0,cat,animal,Mammalia,,Felidae,,\n", "line 2: the order is missing above 'Felidae'"),
        (CATS + "4,lynx,animal,Mammalia,Carnivora,Felidae,,\n", "rows of 'lynx' differ"),
        (CATS + "4,cat,animal,Mammalia,Rodentia,Felidae,,\n", r"family 'Felidae' stands in two places \('cat'\)"),
        (CATS + "4,cat,animal,Mammalia,Carnivora,Canidae,Lynx,\n", "genus 'Lynx' stands in two places"),
    ],
)
def test_a_taxonomy_that_is_no_tree_is_refused(tmp_path: Path, table: str, says: str) -> None:
    with pytest.raises(BundleError, match=says):
        labels_of(tmp_path, table)


def test_a_taxon_holds_what_lies_below_it_and_itself(tmp_path: Path) -> None:
    labels = labels_of(tmp_path, CATS)
    (cats,) = taxa_of(tmp_path, "family,Felidae,cat family\n", labels)
    assert [cats.holds(label.lineage) for label in labels] == [True, True, False, False]
    assert cats.holds(("Mammalia", "Carnivora", "Felidae"))
    assert not cats.holds(("Mammalia", "Carnivora"))


@pytest.mark.parametrize(
    ("table", "says"),
    [
        ("tribe,Felidae,cat family\n", "rank 'tribe'"),
        ("family,Felidae,\n", "a name is missing"),
        ("family,Canidae,dog family\n", "no animal of the label table has the family 'Canidae'"),
        ("order,Felidae,cat family\n", "no animal of the label table has the order 'Felidae'"),
        ("family,Felidae,cat\norder,Carnivora,cat\n", "line 3: .* stands twice"),
        ("family,Felidae,lynx\n", "'lynx' is the name of another label"),
    ],
)
def test_a_taxon_that_says_nothing_clear_is_refused(tmp_path: Path, table: str, says: str) -> None:
    labels = labels_of(tmp_path, CATS)
    with pytest.raises(BundleError, match=says):
        taxa_of(tmp_path, table, labels)


def test_a_label_that_means_the_whole_taxon_may_share_its_name(tmp_path: Path) -> None:
    (owls,) = taxa_of(tmp_path, "order,Strigiformes,owl\n", labels_of(tmp_path, CATS))
    assert owls.name == "owl"
