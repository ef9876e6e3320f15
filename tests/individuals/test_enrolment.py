from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from edge_runtime.errors import GalleryError, PhotoError
from edge_runtime.individuals import enrolment
from edge_runtime.individuals.enrolment import Enroller, Wanted
from edge_runtime.individuals.privacy import shows_person
from edge_runtime.models import loading
from edge_runtime.values import Box, Detection
from tests import colour_classifier
from tests.colour_detector import Cells, photo


@pytest.fixture(scope="session")
def embedder_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An embedder whose vector is the mean red, green and blue."""
    return colour_classifier.build_bundle(tmp_path_factory.mktemp("embedder") / "colours", task="embedder").folder


@pytest.fixture
def models(colour_bundle: Path, embedder_bundle: Path) -> tuple[loading.Detector, loading.Embedder]:
    return (
        loading.load_detector(str(colour_bundle), threads=1),
        loading.load_embedder(str(embedder_bundle), threads=1),
    )


def shoot(folder: Path, cells: Cells, name: str = "a.jpg", size: tuple[int, int] = (512, 512)) -> Path:
    file = folder / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(photo(cells, size=size))
    return file


def test_the_likeliest_animals_box_is_embedded(
    models: tuple[loading.Detector, loading.Embedder], tmp_path: Path
) -> None:
    file = shoot(tmp_path, {(1, 2): "animal"})
    found = Enroller(*models).read(Wanted(file, "leopard", "F1", "left"))
    assert (found.species, found.name, found.viewpoint) == ("leopard", "F1", "left")
    assert 0.2 < found.box.x1 < 0.3 and 0.45 < found.box.x2 < 0.55 and 0.5 < found.box.y1 < 0.6
    red, green, blue = found.vector
    assert red > 0.95 and green < 0.2 and blue < 0.2
    assert found.sha256 == hashlib.sha256(file.read_bytes()).digest() and found.file == str(file)


def test_the_whole_picture_or_a_tables_box_is_embedded_where_asked(
    models: tuple[loading.Detector, loading.Embedder], tmp_path: Path
) -> None:
    file = shoot(tmp_path, {(1, 2): "animal"}, size=(640, 480))
    whole = Enroller(*models, pick="whole").read(Wanted(file, "leopard", "F1"))
    assert whole.box == Box(0, 0, 1, 1) and whole.vector[0] < 0.8
    boxed = Enroller(*models).read(Wanted(file, "leopard", "F1", box=(0, 0, 160, 120)))
    assert boxed.box == Box(0, 0, 0.25, 0.25)
    assert np.ptp(boxed.vector) < 0.05, "grey: only noise is there"


def test_a_tables_box_is_in_pixels_of_the_upright_photo(
    models: tuple[loading.Detector, loading.Embedder], tmp_path: Path
) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    file = tmp_path / "turned.jpg"
    Image.new("RGB", (400, 200), "gray").save(file, exif=exif)
    found = Enroller(*models).read(Wanted(file, "leopard", "F1", box=(50, 100, 100, 200)))
    assert found.box == Box(0.25, 0.25, 0.75, 0.75)
    with pytest.raises(PhotoError, match=r"turned\.jpg: its box .* outside its 200 x 400 pixels"):
        Enroller(*models).read(Wanted(file, "leopard", "F1", box=(300, 100, 50, 50)))


@pytest.mark.parametrize("pick", ["best-animal", "whole"])
def test_people_are_never_embedded(
    models: tuple[loading.Detector, loading.Embedder], tmp_path: Path, pick: enrolment.Pick
) -> None:
    only = shoot(tmp_path, {(1, 2): "person"})
    with pytest.raises(PhotoError, match=r"a\.jpg: (no animal found|a person is)"):
        Enroller(*models, pick=pick).read(Wanted(only, "leopard", "F1"))
    with pytest.raises(PhotoError, match="people are never embedded"):
        Enroller(*models, pick=pick).read(Wanted(only, "leopard", "F1", box=(100, 200, 200, 200)))


def test_an_animal_beside_a_person_is_embedded_and_one_that_a_person_covers_is_not(
    models: tuple[loading.Detector, loading.Embedder], tmp_path: Path
) -> None:
    apart = shoot(tmp_path, {(0, 0): "animal", (3, 3): "person"})
    assert Enroller(*models).read(Wanted(apart, "leopard", "F1")).vector[0] > 0.95
    with pytest.raises(PhotoError, match="people are never embedded"):
        Enroller(*models, pick="whole").read(Wanted(apart, "leopard", "F1"))


def test_a_person_counts_by_a_tenth_of_either_box() -> None:
    def person(x1: float, confidence: float = 0.9, category: str = "person") -> list[Detection]:
        return [Detection(category, confidence, Box(x1, 0.0, x1 + 0.4, 1.0))]

    animal = Box(0.0, 0.0, 0.4, 1.0)
    assert shows_person(animal, person(0.35)) and not shows_person(animal, person(0.37))
    assert shows_person(Box(0, 0, 1, 1), [Detection("person", 0.3, Box(0.5, 0.5, 0.52, 0.55))]), "small, but all in it"
    assert not shows_person(animal, person(0.1, confidence=0.1)) and not shows_person(
        animal, person(0.1, category="animal")
    )


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda file: file.unlink(), "No such file"),
        (lambda file: file.write_bytes(b"no photo"), "no JPEG"),
        (lambda file: file.write_bytes(file.read_bytes()[:2000]), "ends before its picture does"),
    ],
)
def test_a_photo_that_cannot_be_read_is_named(
    models: tuple[loading.Detector, loading.Embedder], tmp_path: Path, spoil: object, says: str
) -> None:
    file = shoot(tmp_path, {(1, 2): "animal"})
    spoil(file)
    with pytest.raises(PhotoError, match=rf"a\.jpg: .*{says}"):
        Enroller(*models).read(Wanted(file, "leopard", "F1"))


def test_an_originals_bytes_and_times_stay_as_they_are(
    models: tuple[loading.Detector, loading.Embedder], tmp_path: Path
) -> None:
    file = shoot(tmp_path, {(1, 2): "animal"})
    before = file.read_bytes(), file.stat().st_mtime_ns
    Enroller(*models).read(Wanted(file, "leopard", "F1"))
    assert (file.read_bytes(), file.stat().st_mtime_ns) == before


def test_sub_folders_are_names(tmp_path: Path) -> None:
    for name in ("F2/b.JPG", "F1/x/a.png", "F1/notes.txt", ".trash/c.jpg", "loose.jpg"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    found = list(enrolment.from_folder(tmp_path, "leopard", "left"))
    assert [(one.name, one.file.name, one.species, one.viewpoint) for one in found] == [
        ("F1", "a.png", "leopard", "left"),
        ("F2", "b.JPG", "leopard", "left"),
    ]
    with pytest.raises(GalleryError, match="no sub-folders with photos"):
        list(enrolment.from_folder(tmp_path / "F2", "leopard"))


def test_a_table_says_what_it_says_and_the_command_the_rest(tmp_path: Path) -> None:
    table = tmp_path / "animals.csv"
    table.write_text("file,name,species,viewpoint,x,y,w,h\na.jpg,F1,,,,,,\nsub/b.jpg,F2,jaguar,right,10,20.5,30,40\n")
    first, second = enrolment.from_table(table, "leopard", "left")
    assert first == Wanted(tmp_path / "a.jpg", "leopard", "F1", "left")
    assert second == Wanted(tmp_path / "sub" / "b.jpg", "jaguar", "F2", "right", (10, 20.5, 30, 40))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("name\nF1\n", "no column 'file'"),
        ("file,name,colour\n", "a column 'colour'"),
        ("file,name\na.jpg,F1\nb.jpg,\n", "line 3: needs a file and a name"),
        ("file,name\na.jpg,F1,more\n", "line 2"),
        ("file,name,x,y,w,h\na.jpg,F1,1,2,3,\n", "line 2: x, y, w and h"),
        ("file,name,species\na.jpg,F1,\n", "line 2: no species"),
    ],
)
def test_what_is_wrong_with_a_table_is_named_with_its_line(tmp_path: Path, text: str, says: str) -> None:
    (tmp_path / "animals.csv").write_text(text)
    with pytest.raises(GalleryError, match=rf"animals\.csv: .*{says}"):
        enrolment.from_table(tmp_path / "animals.csv", "" if "species" in says else "leopard")
