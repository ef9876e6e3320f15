"""`edge-runtime gallery`, as a person types it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from edge_runtime import cli
from edge_runtime.individuals.gallery import FILE_NAME
from tests import colour_classifier
from tests.colour_detector import Cells, photo
from tests.individuals.animals import fill, open_gallery, population

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def config(tmp_path: Path, colour_bundle: Path) -> Path:
    """A device whose detector and embedder know colours."""
    embedder = colour_classifier.build_bundle(tmp_path / "colours", task="embedder").folder
    file = tmp_path / "device.yaml"
    document = {
        "device": "hut-1",
        "data": "data",
        "cards": {"root": "card"},
        "time_zone": "UTC",
        "models": {"detector": str(colour_bundle), "embedder": embedder.name, "threads": 1},
    }
    file.write_text(yaml.safe_dump(document))
    return file


def run(*arguments: object, expect: int = 0) -> None:
    assert cli.main(["gallery", *map(str, arguments)]) == expect


def said(capsys: Capture, *arguments: object, expect: int = 0) -> dict[str, object]:
    capsys.readouterr()
    run(*arguments, "--json", expect=expect)
    told: dict[str, object] = json.loads(capsys.readouterr().out)
    return told


def shoot(file: Path, cells: Cells, seed: int = 0) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(photo(cells, seed=seed))
    return file


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """F1 in two photos, F2 in one."""
    folder = tmp_path / "photos"
    for number, name in enumerate(("F1/a.jpg", "F1/b.jpg", "F2/c.jpg")):
        shoot(folder / name, {(1, 2): "animal"}, seed=number)
    return folder


def names(capsys: Capture, config: Path) -> dict[str, int]:
    told = said(capsys, "list", "-c", config)
    return {one["name"]: one["annotations"] for one in told["individuals"]}


def test_a_folder_is_enrolled_into_the_gallery_beside_the_journal(config: Path, photos: Path, capsys: Capture) -> None:
    run("enrol", "-c", config, "--species", "leopard", photos)
    assert (config.parent / "data" / FILE_NAME).is_file()
    assert names(capsys, config) == {"F1": 2, "F2": 1}
    told = said(capsys, "enrol", "-c", config, "--species", "leopard", photos)
    assert (told["added"], told["known"], told["failed"]) == (0, 3, [])
    listed = said(capsys, "list", "-c", config, "--annotations")
    assert [Path(one["file"]).name for one in listed["annotations"]] == ["a.jpg", "b.jpg", "c.jpg"]
    assert listed["embedder"]["dimensions"] == 3
    run("list", "-c", config, "--annotations")
    text = capsys.readouterr().out
    assert "2 individuals, 3 annotations" in text and str(photos / "F1" / "b.jpg") in text


def test_a_photo_that_fails_is_named_and_the_others_are_kept(config: Path, photos: Path, capsys: Capture) -> None:
    shoot(photos / "F1" / "empty.jpg", {})
    shoot(photos / "F2" / "people.jpg", {(1, 1): "person"})
    (photos / "F2" / "cut.jpg").write_bytes((photos / "F2" / "c.jpg").read_bytes()[:3000])
    told = said(capsys, "enrol", "-c", config, "--species", "leopard", photos, expect=1)
    assert told["added"] == 3
    assert [Path(one.split(": ")[0]).name for one in told["failed"]] == ["empty.jpg", "cut.jpg", "people.jpg"]
    assert names(capsys, config) == {"F1": 2, "F2": 1}
    run("enrol", "-c", config, "--species", "leopard", photos, expect=1)
    assert "empty.jpg: no animal found" in capsys.readouterr().err


def test_a_table_and_single_photos_are_enrolled(config: Path, photos: Path, capsys: Capture) -> None:
    table = photos / "animals.csv"
    table.write_text("file,name,viewpoint,x,y,w,h\nF1/a.jpg,N1,left,100,200,200,200\nF2/c.jpg,N2,,,,,\n")
    run("enrol", "-c", config, "--species", "leopard", table)
    run("enrol", "-c", config, "--species", "jaguar", "--name", "J1", "--whole", photos / "F1" / "b.jpg")
    told = said(capsys, "list", "-c", config)
    assert [(one["species"], one["name"], one["viewpoints"]) for one in told["individuals"]] == [
        ("jaguar", "J1", [""]),
        ("leopard", "N1", ["left"]),
        ("leopard", "N2", [""]),
    ]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--species", "leopard", "F1/a.jpg"], "which animal is it? say it with --name"),
        (["--name", "F1", "F1/a.jpg"], "of which species? say it with --species"),
        (["--species", "leopard", "--name", "F1", "."], "its sub-folders are the names"),
        (["--species", "leopard", "missing.csv"], "missing.csv: cannot be read"),
    ],
)
def test_what_is_missing_is_asked_for(
    config: Path, photos: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch, arguments: list[str], says: str
) -> None:
    monkeypatch.chdir(photos)
    run("enrol", "-c", config, *arguments, expect=1)
    assert says in capsys.readouterr().err


def test_names_are_changed_merged_split_and_removed(config: Path, photos: Path, capsys: Capture) -> None:
    run("enrol", "-c", config, "--species", "leopard", photos)
    run("rename", "-c", config, "F1", "Nala")
    run("merge", "-c", config, "--species", "leopard", "Nala", "F2")
    assert names(capsys, config) == {"Nala": 3}
    run("split", "-c", config, "Nala", "F3", "--ids", "1,3")
    assert names(capsys, config) == {"F3": 2, "Nala": 1}
    run("remove", "-c", config, "F3", "--ids", "3")
    run("remove", "-c", config, "Nala")
    assert names(capsys, config) == {"F3": 1}
    run("rename", "-c", config, "Nala", "F4", expect=1)
    assert "knows no leopard 'Nala'" in capsys.readouterr().err


def test_two_species_must_be_told_apart(config: Path, photos: Path, capsys: Capture) -> None:
    run("enrol", "-c", config, "--species", "leopard", photos / "F1", expect=1)
    for species, file in (("leopard", "F1/a.jpg"), ("jaguar", "F2/c.jpg")):
        run("enrol", "-c", config, "--species", species, "--name", "X", photos / file)
    capsys.readouterr()
    run("rename", "-c", config, "X", "Y", expect=1)
    assert "say which with --species" in capsys.readouterr().err


def test_a_gallery_travels_as_a_folder(config: Path, photos: Path, tmp_path: Path, capsys: Capture) -> None:
    run("enrol", "-c", config, "--species", "leopard", photos)
    run("export", "-c", config, tmp_path / "out")
    run("import", "--gallery", tmp_path / "other.sqlite", tmp_path / "out")
    told = said(capsys, "import", "--gallery", tmp_path / "other.sqlite", tmp_path / "out")
    assert (told["added"], told["known"]) == (0, 3)
    run("rename", "-c", config, "F2", "Nala")
    run("import", "-c", config, tmp_path / "out", expect=1)
    assert "is leopard 'Nala' here, not leopard 'F2'" in capsys.readouterr().err
    assert len(said(capsys, "import", "-c", config, tmp_path / "out", "--keep-ours")["conflicts"]) == 1


def test_another_embedder_is_refused_before_a_photo_is_read(config: Path, photos: Path, capsys: Capture) -> None:
    run("enrol", "-c", config, "--species", "leopard", photos)
    run("enrol", "-c", config, "--species", "leopard", "--embedder", "default", photos, expect=1)
    assert "they cannot be compared" in capsys.readouterr().err


def test_evaluation_and_calibration_are_tables_for_people_and_json_for_programs(
    tmp_path: Path, capsys: Capture
) -> None:
    made, kind = open_gallery(tmp_path), population(2)
    fill(made, *kind.photos(kind.animals(40), 2, 4), side="left")
    fill(made, *kind.photos(kind.animals(3), 2, 2), species="jaguar")
    made.close()
    place = ("--gallery", tmp_path / FILE_NAME)
    told = said(capsys, "evaluate", *place)
    assert [row["species"] for row in told["retrieval"]] == ["jaguar", "leopard"]
    assert len(told["together"]["top"]) == 20 and told["held_out"][0]["species"] == "leopard"
    run("evaluate", *place)
    table = capsys.readouterr().out
    assert (
        "leopard left" in table and "top-20" in table and f"{told['together']['mean_average_precision']:.1%}" in table
    )
    loose = said(capsys, "calibrate", *place, "--false-accepts", "0.2", "--species", "leopard")["calibrations"]
    assert [row["viewpoint"] for row in loose] == [None] and loose[0]["calibration"]["wanted"] == 0.2
    run("calibrate", *place)
    text = capsys.readouterr().out
    assert "uncalibrated: fewer than 5 animals" in text and "wanted 20.0%" in text


def test_a_gallery_that_is_not_there_or_damaged_is_a_clear_error(tmp_path: Path, capsys: Capture) -> None:
    run("list", expect=1)
    run("list", "--gallery", tmp_path / "none.sqlite", expect=1)
    assert not (tmp_path / "none.sqlite").exists()
    (tmp_path / "bad.sqlite").write_text("not a database, but long enough to look like one" * 30)
    run("list", "--gallery", tmp_path / "bad.sqlite", expect=1)
    told = capsys.readouterr().err.splitlines()
    assert "name the gallery" in told[0] and "gallery enrol` makes it" in told[1] and "not a database" in told[2]
