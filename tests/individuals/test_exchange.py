from __future__ import annotations

import csv
import pickle
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from edge_runtime.errors import GalleryError
from edge_runtime.individuals import exchange
from edge_runtime.individuals.gallery import Gallery
from edge_runtime.individuals.records import MadeBy
from tests.individuals.animals import MADE_BY, fill, open_gallery, population, shown


def contents(gallery: Gallery) -> list[tuple[object, ...]]:
    """Everything but the numbers that a gallery gives by itself."""
    return [
        (one.species, one.name, one.viewpoint, one.sha256, one.file, one.box, one.added_s, vector)
        for one, vector in gallery.rows()
    ]


@pytest.fixture
def exported(gallery: Gallery, tmp_path: Path) -> Path:
    kind = population(5)
    fill(gallery, *kind.photos(kind.animals(12), 1, 4))
    fill(gallery, *kind.photos(kind.animals(3), 2, 2), species="jaguar", side="left")
    gallery.enrol([shown('a "queen", ü', [1], "odd, name\n.jpg")], MADE_BY)
    folder = tmp_path / "out" / "export"
    assert exchange.write(gallery, folder) == len(contents(gallery))
    return folder


def test_an_export_brings_everything_into_another_gallery(gallery: Gallery, exported: Path, tmp_path: Path) -> None:
    with closing(open_gallery(tmp_path / "other")) as other:
        done = exchange.read(other, exported)
        assert done.added == len(contents(gallery)) and done.known == 0
        assert contents(other) == contents(gallery) and other.made_by == gallery.made_by
        exchange.write(other, again := tmp_path / "again")
    for file in exported.iterdir():
        assert (again / file.name).read_bytes() == file.read_bytes(), file.name


def test_importing_twice_or_into_its_own_gallery_changes_nothing(gallery: Gallery, exported: Path) -> None:
    before = contents(gallery)
    for _ in range(2):
        done = exchange.read(gallery, exported)
        assert (done.added, done.known, done.conflicts) == (0, len(before), ())
    assert contents(gallery) == before


def test_two_galleries_come_together(gallery: Gallery, exported: Path, tmp_path: Path) -> None:
    with closing(open_gallery(tmp_path / "other")) as other:
        other.enrol([shown("N1", [1], "new.jpg"), shown("L3", [1], "new too.jpg")], MADE_BY)
        exchange.read(other, exported)
        assert len(contents(other)) == len(contents(gallery)) + 2
        assert {one.name for one in other.individuals()} == {one.name for one in gallery.individuals()} | {"N1"}


def test_conflicts_are_named_and_nothing_is_imported_unless_ours_are_to_be_kept(
    gallery: Gallery, exported: Path
) -> None:
    gallery.corrections.rename("leopard", "L0", "Nala")
    gallery.corrections.remove("leopard", "L1")
    before = contents(gallery)
    with pytest.raises(GalleryError, match="is leopard 'Nala' here, not leopard 'L0'"):
        exchange.read(gallery, exported)
    assert contents(gallery) == before
    done = exchange.read(gallery, exported, keep_ours=True)
    assert done.added > 0 and all("'Nala' here" in one for one in done.conflicts) and done.conflicts
    assert {"Nala", "L1"} <= {one.name for one in gallery.individuals()}


def test_an_export_of_another_embedder_is_refused(exported: Path, tmp_path: Path) -> None:
    with closing(open_gallery(tmp_path / "other")) as other:
        other.enrol([shown("F1", [1], "a.jpg")], MadeBy("another 1 (ffff)", 24))
        with pytest.raises(GalleryError, match="they cannot be compared"):
            exchange.read(other, exported)
        assert len(contents(other)) == 1


def test_an_export_is_never_written_over(gallery: Gallery, exported: Path, tmp_path: Path) -> None:
    with pytest.raises(GalleryError, match="exists already"):
        exchange.write(gallery, exported)
    with (
        closing(open_gallery(tmp_path / "empty")) as empty,
        pytest.raises(GalleryError, match="nothing to export"),
    ):
        exchange.write(empty, tmp_path / "nothing")
    assert not (tmp_path / "nothing").exists()


def test_any_program_can_read_an_export(gallery: Gallery, exported: Path) -> None:
    vectors = np.load(exported / "vectors.npy", allow_pickle=False)
    with (exported / "annotations.csv").open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) == len(vectors) and vectors.dtype == np.float16
    group = gallery.group("jaguar", "left")
    assert group is not None
    np.testing.assert_array_equal(vectors[[row["species"] == "jaguar" for row in rows]], group.matrix)


def test_a_pickle_is_not_opened(exported: Path, tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return (Path.touch, (tmp_path / "sprung",))

    with (exported / "vectors.npy").open("wb") as stream:
        np.save(stream, np.array([Trap()], dtype=object), allow_pickle=True)
    with closing(open_gallery(tmp_path / "other")) as other, pytest.raises(GalleryError, match="is damaged"):
        exchange.read(other, exported)
    (exported / "vectors.npy").write_bytes(pickle.dumps(Trap()))
    with closing(open_gallery(tmp_path / "other")) as other, pytest.raises(GalleryError, match="is damaged"):
        exchange.read(other, exported)
    assert not (tmp_path / "sprung").exists()


def spoil(file: str, old: str, new: str) -> object:
    def change(folder: Path) -> None:
        text = (folder / file).read_text(encoding="utf-8")
        assert old in text
        (folder / file).write_text(text.replace(old, new, 1), encoding="utf-8")

    return change


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (lambda folder: (folder / "gallery.json").unlink(), "no export of a gallery"),
        (lambda folder: (folder / "vectors.npy").unlink(), "no export of a gallery"),
        (lambda folder: (folder / "annotations.csv").unlink(), "cannot be read"),
        (spoil("gallery.json", '"gallery": 1', '"gallery": 2'), "is damaged"),
        (spoil("gallery.json", '"dimensions": 24', '"dimensions": 25'), "vectors.npy holds float16"),
        (spoil("annotations.csv", "species,name", "species,nom"), "has not the columns"),
        (spoil("annotations.csv", "0.1,0.2,0.6,0.9", "0.1,0.2,0.6,9"), "line 2: .* is no box"),
        (spoil("annotations.csv", "0.1,0.2,0.6,0.9", "0.1,?,0.6,0.9"), "line 2: .*y1"),
        (spoil("annotations.csv", "leopard,L0", ",L0"), "is no species"),
        (spoil("annotations.csv", "leopard,L0", "leopard"), "line 2"),
    ],
)
def test_a_damaged_export_is_named_and_nothing_of_it_is_taken(
    exported: Path, tmp_path: Path, damage: object, says: str
) -> None:
    damage(exported)
    with closing(open_gallery(tmp_path / "other")) as other:
        with pytest.raises(GalleryError, match=says):
            exchange.read(other, exported)
        assert contents(other) == []


def test_rows_without_vectors_and_vectors_without_rows_are_errors(exported: Path, tmp_path: Path) -> None:
    table = exported / "annotations.csv"
    text = table.read_text(encoding="utf-8")
    for wrong in (text + text.splitlines()[1] + "\r\n", "\n".join(text.splitlines()[:5]) + "\n"):
        table.write_text(wrong, encoding="utf-8")
        with closing(open_gallery(tmp_path / "other")) as other:
            with pytest.raises(GalleryError, match="rows"):
                exchange.read(other, exported)
            assert contents(other) == []
