from __future__ import annotations

import sqlite3
import threading
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from edge_runtime.errors import GalleryError
from edge_runtime.individuals import identify
from edge_runtime.individuals.gallery import Gallery
from edge_runtime.individuals.records import MadeBy
from edge_runtime.values import Box
from tests.individuals.animals import BOX, MADE_BY, fill, open_gallery, population, shown


def named(gallery: Gallery) -> dict[str, list[str]]:
    """Name to photos."""
    found: dict[str, list[str]] = {}
    for one in gallery.annotations():
        found.setdefault(one.name, []).append(one.file)
    return found


def everything(gallery: Gallery) -> list[tuple[object, bytes]]:
    return list(gallery.rows())


def ids(gallery: Gallery, name: str) -> list[int]:
    return [one.id for one in gallery.annotations() if one.name == name]


def some(gallery: Gallery) -> None:
    """F1 in three photos, F2 in two."""
    entries = [shown("F1", [1, n / 10], f"1{n}.jpg") for n in range(3)]
    gallery.enrol(entries + [shown("F2", [0, 1, n / 10], f"2{n}.jpg") for n in range(2)], MADE_BY)


def test_what_was_enrolled_is_there_after_opening_anew(gallery: Gallery, tmp_path: Path) -> None:
    some(gallery)
    before = everything(gallery)
    gallery.close()
    with closing(open_gallery(tmp_path)) as again:
        assert everything(again) == before
        assert named(again) == {"F1": ["10.jpg", "11.jpg", "12.jpg"], "F2": ["20.jpg", "21.jpg"]}
        assert again.made_by == MADE_BY and again.species() == ("leopard",)
        (first, *_), (known, _) = list(again.annotations()), again.individuals()
        assert (first.box, first.added_s, known.annotations, known.viewpoints) == (BOX, 1000, 3, ("",))


def test_vectors_are_kept_as_float16_of_length_1(gallery: Gallery) -> None:
    gallery.enrol([shown("F1", [3.0, 4.0], "a.jpg")], MADE_BY)
    group = gallery.group("leopard")
    assert group is not None and group.matrix.dtype == np.float16
    np.testing.assert_allclose(group.matrix[0, :2], [0.6, 0.8], atol=3e-4)
    (_, stored), *_ = gallery.rows()
    assert len(stored) == 2 * MADE_BY.dimensions


def test_enrolling_twice_is_as_good_as_once(gallery: Gallery) -> None:
    some(gallery)
    before, revision = everything(gallery), gallery.revision
    done = gallery.enrol([shown("F1", [1, 0], "10.jpg"), shown("F1", [0, 1], "11.jpg", box=Box(0, 0, 1, 1))], MADE_BY)
    assert (done.added, done.known) == (0, 2)
    assert everything(gallery) == before and gallery.revision == revision


def test_one_photo_may_show_two_animals_but_one_box_only_one(gallery: Gallery) -> None:
    gallery.enrol([shown("F1", [1], "a.jpg"), shown("F2", [1], "a.jpg", box=Box(0.7, 0.1, 0.9, 0.5))], MADE_BY)
    with pytest.raises(GalleryError, match=r"a\.jpg: is leopard 'F1' here, not leopard 'F3'"):
        gallery.enrol([shown("F4", [1], "new.jpg"), shown("F3", [1], "a.jpg")], MADE_BY)
    assert set(named(gallery)) == {"F1", "F2"}, "nothing of a refused enrolment stays"
    done = gallery.enrol([shown("F4", [1], "new.jpg"), shown("F3", [1], "a.jpg")], MADE_BY, keep_ours=True)
    assert done.added == 1 and len(done.conflicts) == 1
    assert set(named(gallery)) == {"F1", "F2", "F4"}


@pytest.mark.parametrize("other", [MadeBy("another 1 (ffff)", 24), MadeBy(MADE_BY.title, 25)])
def test_embeddings_of_another_embedder_are_refused(gallery: Gallery, other: MadeBy) -> None:
    some(gallery)
    with pytest.raises(GalleryError, match="they cannot be compared"):
        gallery.enrol([shown("F3", [1], "c.jpg")], other)
    with pytest.raises(GalleryError, match="they cannot be compared"):
        identify.Identifier(gallery, other, threads=1)
    assert gallery.made_by == MADE_BY and len(named(gallery)) == 2


def test_an_empty_gallery_takes_any_embedder(gallery: Gallery) -> None:
    some(gallery)
    assert gallery.corrections.remove("leopard", "F1") == 3 and gallery.corrections.remove("leopard", "F2") == 2
    assert gallery.made_by is None and gallery.individuals() == ()
    gallery.enrol([shown("F1", [1], "a.jpg")], other := MadeBy("another 1 (ffff)", 24))
    assert gallery.made_by == other


def test_a_vector_of_the_wrong_length_or_without_a_direction_names_its_photo(gallery: Gallery) -> None:
    with pytest.raises(GalleryError, match=r"a\.jpg: an embedding of shape \(24,\), not \(30,\)"):
        gallery.enrol([shown("F1", [1], "a.jpg")], MadeBy("x", 30))
    with pytest.raises(GalleryError, match=r"b\.jpg: .*only zeros"):
        gallery.enrol([shown("F1", [0], "b.jpg")], MADE_BY)
    assert gallery.made_by is None


@pytest.mark.parametrize("name", ["", " F1", "F1 ", "a\nb", "x" * 41])
def test_a_name_that_is_none_is_refused(gallery: Gallery, name: str) -> None:
    some(gallery)
    with pytest.raises(GalleryError, match="is no name"):
        gallery.enrol([shown(name, [1], "z.jpg")], MADE_BY)
    with pytest.raises(GalleryError, match="is no name"):
        gallery.corrections.rename("leopard", "F1", name)
    assert set(named(gallery)) == {"F1", "F2"}


def test_names_are_unique_within_a_species_only(gallery: Gallery) -> None:
    gallery.enrol([shown("F1", [1], "a.jpg"), shown("F1", [1], "b.jpg", species="jaguar")], MADE_BY)
    assert [(one.species, one.name) for one in gallery.individuals()] == [("jaguar", "F1"), ("leopard", "F1")]
    with pytest.raises(GalleryError, match="knows no lion 'F1'"):
        gallery.corrections.rename("lion", "F1", "F2")


def test_renaming_there_and_back_changes_nothing(gallery: Gallery) -> None:
    some(gallery)
    before = everything(gallery)
    gallery.corrections.rename("leopard", "F1", "Nala")
    assert set(named(gallery)) == {"Nala", "F2"}
    with pytest.raises(GalleryError, match=r"'F2' is known already .*merge"):
        gallery.corrections.rename("leopard", "Nala", "F2")
    gallery.corrections.rename("leopard", "Nala", "F1")
    assert everything(gallery) == before


def test_splitting_undoes_a_merge(gallery: Gallery) -> None:
    some(gallery)
    before, gone = everything(gallery), ids(gallery, "F2")
    gallery.corrections.merge("leopard", "F1", "F2")
    assert list(named(gallery)) == ["F1"] and len(ids(gallery, "F1")) == 5
    gallery.corrections.split("leopard", "F1", "F2", gone)
    assert everything(gallery) == before


def test_animals_that_one_photo_shows_side_by_side_are_not_merged(gallery: Gallery) -> None:
    gallery.enrol([shown("F1", [1], "a.jpg"), shown("F2", [1], "a.jpg", box=Box(0.7, 0.1, 0.9, 0.5))], MADE_BY)
    with pytest.raises(GalleryError, match=r"a\.jpg shows leopard 'F1' and 'F2' side by side"):
        gallery.corrections.merge("leopard", "F1", "F2")


def test_what_cannot_be_merged_split_or_removed_is_said_and_nothing_changes(gallery: Gallery) -> None:
    some(gallery)
    before, mine, others = everything(gallery), ids(gallery, "F1"), ids(gallery, "F2")
    for change, says in [
        (lambda: gallery.corrections.merge("leopard", "F1", "F1"), "with itself"),
        (lambda: gallery.corrections.merge("leopard", "F1", "F9"), "knows no leopard 'F9'"),
        (lambda: gallery.corrections.split("leopard", "F1", "F3", mine), "not none or all"),
        (lambda: gallery.corrections.split("leopard", "F1", "F3", []), "not none or all"),
        (lambda: gallery.corrections.split("leopard", "F1", "F2", mine[:1]), "known already"),
        (lambda: gallery.corrections.split("leopard", "F1", "F3", [mine[0], *others]), "has no annotation"),
        (lambda: gallery.corrections.remove("leopard", "F1", [999]), "has no annotation 999"),
        (lambda: gallery.corrections.remove("leopard", "F9"), "knows no leopard 'F9'"),
    ]:
        with pytest.raises(GalleryError, match=says):
            change()
    assert everything(gallery) == before


def test_an_animal_goes_with_its_last_annotation(gallery: Gallery) -> None:
    some(gallery)
    first, second = ids(gallery, "F2")
    assert gallery.corrections.remove("leopard", "F2", [first]) == 1 and ids(gallery, "F2") == [second]
    assert gallery.corrections.remove("leopard", "F2", [second]) == 1 and set(named(gallery)) == {"F1"}


def test_a_change_that_ends_half_way_leaves_nothing(gallery: Gallery) -> None:
    def entries():
        yield shown("F1", [1], "a.jpg")
        raise RuntimeError("the card is gone")

    with pytest.raises(RuntimeError):
        gallery.enrol(entries(), MADE_BY)
    assert everything(gallery) == [] and gallery.made_by is None and gallery.revision == 0


def test_sides_are_compared_by_themselves_or_together(gallery: Gallery) -> None:
    entries = [shown("F1", [1], "l.jpg", viewpoint="left"), shown("F1", [0, 1], "r.jpg", viewpoint="right")]
    gallery.enrol([*entries, shown("F2", [1, 1], "m.jpg", viewpoint="left")], MADE_BY)
    assert gallery.viewpoints("leopard") == ("left", "right")
    left, right, both = (gallery.group("leopard", side) for side in ("left", "right", None))
    assert left is not None and right is not None and both is not None
    assert [left.names[one] for one in left.individuals] == ["F1", "F2"]
    assert [right.names[one] for one in right.individuals] == ["F1"]
    assert [both.names[one] for one in both.individuals] == ["F1", "F1", "F2"]
    assert gallery.group("leopard", "front") is None and gallery.group("lion") is None
    with pytest.raises(GalleryError, match="is no viewpoint"):
        gallery.enrol([shown("F3", [1], "x.jpg", viewpoint="*")], MADE_BY)


def test_a_thousand_animals_are_enrolled_and_each_is_found_again(gallery: Gallery) -> None:
    kind = population(3, scatter=0.5)
    animals = kind.animals(1000)
    fill(gallery, *kind.photos(animals, 3, 3))
    assert len(gallery.individuals()) == 1000
    asked, who = kind.photos(animals, 1, 1)
    identifier = identify.Identifier(gallery, MADE_BY, threads=2)
    answers = [identifier.look("leopard", vector[None].astype(np.float32)) for vector in asked]
    right = [a is not None and a.candidates[0].name == f"L{one}" for a, one in zip(answers, who, strict=True)]
    assert np.mean(right) > 0.95
    assert answers[0] is not None and answers[0].calibration is not None


def test_two_programs_may_change_one_gallery(gallery: Gallery, tmp_path: Path) -> None:
    some(gallery)

    def enrol(number: int) -> None:
        with closing(open_gallery(tmp_path)) as mine:
            for turn in range(10):
                mine.enrol([shown(f"N{number}", [1], f"{number}-{turn}.jpg")], MADE_BY)

    threads = [threading.Thread(target=enrol, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {name: len(photos) for name, photos in named(gallery).items() if name[0] == "N"} == {
        f"N{number}": 10 for number in range(4)
    }


def test_a_file_that_is_no_gallery_is_a_clear_error(tmp_path: Path) -> None:
    file = tmp_path / "gallery.sqlite"
    file.write_bytes(b"this is a shopping list\n" * 100)
    with pytest.raises(GalleryError, match=r"gallery\.sqlite: cannot be opened: file is not a database"):
        Gallery(file)


def test_a_journal_or_another_database_is_not_taken_for_a_gallery(tmp_path: Path) -> None:
    file = tmp_path / "other.sqlite"
    with closing(sqlite3.connect(file)) as other:
        other.execute("CREATE TABLE photo (id INTEGER)")
        other.execute("PRAGMA user_version=1")
    with pytest.raises(GalleryError, match="no such table"):
        Gallery(file)


def test_a_damaged_page_is_a_clear_error(gallery: Gallery, tmp_path: Path) -> None:
    kind = population(1)
    fill(gallery, *kind.photos(kind.animals(300), 3, 3))
    gallery.close()
    file = tmp_path / "gallery.sqlite"
    data = bytearray(file.read_bytes())
    data[len(data) // 2 :] = b"\xff" * (len(data) - len(data) // 2)
    file.write_bytes(data)
    with pytest.raises(GalleryError, match=r"gallery\.sqlite: (cannot be read|annotation \d+ is damaged)"):
        damaged = Gallery(file)
        damaged.group("leopard")


def test_a_vector_that_was_cut_names_its_annotation(gallery: Gallery, tmp_path: Path) -> None:
    some(gallery)
    with closing(sqlite3.connect(tmp_path / "gallery.sqlite")) as other, other:
        other.execute("UPDATE annotation SET vector = substr(vector, 1, 7) WHERE id = 2")
    with pytest.raises(GalleryError, match="annotation 2 is damaged"):
        gallery.group("leopard")
