from __future__ import annotations

import json
import shutil
from collections import Counter
from pathlib import Path

import pytest

from edge_runtime import cli
from tests.reports import camtrap_facts
from tests.reports.conftest import Rich, rows
from tests.reports.rich_journal import CAMERAS, ODD_NAMES

frictionless = pytest.importorskip("frictionless", reason="frictionless is not installed (the extra 'test')")
jsonschema = pytest.importorskip("jsonschema", reason="jsonschema is not installed (the extra 'test')")


@pytest.fixture(scope="module")
def package(rich: Rich, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return rich.report("camtrap-dp", tmp_path_factory.mktemp("dp") / "package")


def problems(package: Path) -> list[str]:
    """What frictionless finds in the tables, with the schemas at hand instead of those on the web."""
    descriptor = json.loads((package / "datapackage.json").read_text())
    del descriptor["profile"]
    for resource in descriptor["resources"]:
        if resource["name"] in camtrap_facts.FIELDS:
            resource["schema"] = camtrap_facts.schema(resource["name"])
    read = frictionless.Package.from_descriptor(descriptor, basepath=str(package))
    return [str(found) for found in read.validate().flatten(["title", "rowNumber", "fieldName", "message"])]


def test_frictionless_finds_no_error_in_the_tables(package: Path) -> None:
    assert problems(package) == []


@pytest.mark.parametrize(
    ("table", "old", "new"),
    [
        ("media", "waterhole", "nowhere"),
        ("media", "burst/1.JPG", "../burst/1.JPG"),
        ("observations", "+03:00", ""),
        ("observations", ",animal,", ",mineral,"),
        ("deployments", "-2.33", "-92.33"),
    ],
)
def test_frictionless_would_find_an_error(package: Path, tmp_path: Path, table: str, old: str, new: str) -> None:
    copy = Path(shutil.copytree(package, tmp_path / "copy"))
    file = copy / f"{table}.csv"
    file.write_text(file.read_text().replace(old, new, 1))
    assert problems(copy)


def test_the_descriptor_fits_the_profile(package: Path) -> None:
    descriptor = json.loads((package / "datapackage.json").read_text())
    jsonschema.Draft7Validator.check_schema(camtrap_facts.PROFILE)
    checker = jsonschema.Draft7Validator(camtrap_facts.PROFILE)
    assert [error.message for error in checker.iter_errors(descriptor)] == []
    assert frictionless.Package.validate_descriptor(descriptor | {"profile": "data-package"}).valid
    del descriptor["project"]["samplingDesign"]
    assert not checker.is_valid(descriptor)


def test_another_programs_own_model_of_the_format_reads_it(package: Path) -> None:
    trap_schema = pytest.importorskip("trap_schema", reason="trap-schema is not installed (Python 3.12 and later)")
    assert trap_schema.Dataset.load(package)


def test_the_columns_are_those_of_the_specification(package: Path) -> None:
    for table, fields in camtrap_facts.FIELDS.items():
        header = (package / f"{table}.csv").read_text().splitlines()[0]
        assert header.split(",") == [field["name"] for field in fields]


def test_every_file_is_a_medium_or_listed_with_its_reason(rich: Rich, package: Path) -> None:
    left_out = rows(package / "left-out.csv")
    assert Counter(row["reason"] for row in left_out) == {
        "failed": 3,
        "same picture as another file": 1,
        "no credible time": 2,
    }
    assert len(rows(package / "media.csv")) + len(left_out) == len(rich.paths)
    # Its first path came to mean a broken file; the copy is the medium.
    assert "copies/4.JPG" in {row["filePath"] for row in rows(package / "media.csv")}


def test_names_that_the_format_cannot_hold_are_encoded_and_marked(package: Path) -> None:
    media = {row["filePath"]: row["mediaComments"] for row in rows(package / "media.csv")}
    encoded = {path for path, comment in media.items() if "percent-encoded" in comment}
    assert encoded == {"caf%E9.JPG", "two%0Alines.JPG", "%2Ehidden/1.JPG", "a%2E%2Eb.JPG", "%7Ehome/1.JPG"}
    assert set(ODD_NAMES) - set(media) == {
        "caf\udce9.JPG",
        "two\nlines.JPG",
        ".hidden/1.JPG",
        "a..b.JPG",
        "~home/1.JPG",
    }


def of(package: Path, path: str) -> list[dict[str, str]]:
    (medium,) = [row for row in rows(package / "media.csv") if row["filePath"] == path]
    return [row for row in rows(package / "observations.csv") if row["mediaID"] == medium["mediaID"]]


def test_a_photo_has_an_observation_for_each_of_what_counts(package: Path) -> None:
    seen = of(package, "mixed/1.JPG")
    assert [(row["observationType"], row["scientificName"]) for row in seen] == [
        ("animal", "Felidae"),
        ("human", "Homo sapiens"),
        ("vehicle", ""),
    ]
    assert seen[0]["observationTags"] == "label:cat family"
    (leopard,) = of(package, "burst/2.JPG")  # neither the branch nor what is too weak
    assert (leopard["scientificName"], leopard["individualID"]) == ("Panthera pardus", "F12")
    assert [float(leopard[f"bbox{key}"]) for key in ("X", "Y", "Width", "Height")] == [0.1, 0.2, 0.25, 0.4]
    assert leopard["classificationMethod"] == "machine"
    assert leopard["classifiedBy"] == "boxes 1 (aaaaaaaaaaaa); names 2 (bbbbbbbbbbbb)"


def test_nothing_seen_is_blank_whoever_says_so(package: Path) -> None:
    empty, refuted, passed = (of(package, name) for name in ("mixed/3.JPG", "answered/empty.JPG", "burst/3.JPG"))
    assert [[row["observationType"] for row in each] for each in (empty, refuted, passed)] == [["blank"]] * 3
    assert (empty[0]["classificationMethod"], refuted[0]["classificationMethod"]) == ("machine", "human")
    assert "not inferred" in passed[0]["observationComments"]


def test_what_a_person_said_is_theirs_and_has_no_invented_moment(package: Path) -> None:
    for path, name, tags in (
        ("answered/zebra.JPG", "Equus quagga", "label:zebra"),
        ("answered/unknown.JPG", "", "label:aardwolf, maybe"),
        ("answered/unseen.JPG", "Equus quagga", "label:zebra"),
    ):
        (row,) = of(package, path)
        assert (row["classificationMethod"], row["scientificName"], row["observationTags"]) == ("human", name, tags)
        assert row["classificationTimestamp"] == "" and row["classificationProbability"] == ""
    (person,) = of(package, "answered/person.JPG")
    assert (person["observationType"], person["classificationMethod"]) == ("human", "human")
    assert of(package, "answered/unseen.JPG")[0]["bboxX"] == ""


def test_a_video_counts_what_was_seen_at_once(package: Path) -> None:
    (row,) = of(package, "video/whole.MP4")
    assert (row["scientificName"], row["count"], row["bboxX"]) == ("Equus quagga", "2", "")


def test_an_event_counts_each_animal_once(package: Path) -> None:
    (photo,) = of(package, "burst/1.JPG")
    events = [row for row in rows(package / "observations.csv") if row["observationLevel"] == "event"]
    (row,) = [row for row in events if row["eventID"] == photo["eventID"]]
    assert (row["scientificName"], row["count"], row["individualID"]) == ("Panthera pardus", "1", "F12")
    assert row["mediaID"] == "" and row["eventStart"] < row["eventEnd"] and row["eventEnd"].endswith("+03:00")
    media = {row["eventID"] for row in rows(package / "observations.csv") if row["observationLevel"] == "media"}
    assert {row["eventID"] for row in events} == media


def test_no_picture_is_public(package: Path) -> None:
    assert {row["filePublic"] for row in rows(package / "media.csv")} == {"false"}


def test_the_descriptor_says_what_the_tables_hold(package: Path) -> None:
    descriptor = json.loads((package / "datapackage.json").read_text())
    observed = {row["scientificName"] for row in rows(package / "observations.csv")} - {""}
    assert {taxon["scientificName"] for taxon in descriptor["taxonomic"]} == observed
    assert descriptor["project"]["individualAnimals"] is True
    assert len(descriptor["spatial"]["coordinates"]) == len(CAMERAS)
    assert descriptor["temporal"] == {"start": "2026-05-29", "end": "2026-05-30"}
    assert {licence["scope"]: licence["name"] for licence in descriptor["licenses"]} == {
        "data": "CC0-1.0",
        "media": "CC-BY-4.0",
    }


def test_a_camera_without_a_place_is_named_with_the_key_and_nothing_is_written(
    rich: Rich, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    project = tmp_path / "project.yaml"
    project.write_text("cameras:\n  - {name: waterhole, latitude: 1, longitude: 2}\n")
    given = ["--journal", str(rich.journal), "--project", str(project), "-o", str(tmp_path / "package")]
    assert cli.main(["report", "--format", "camtrap-dp", *given]) == 1
    said = capsys.readouterr().err
    assert "'NA'" in said and "latitude" in said and "--project" in said and "waterhole" not in said
    assert not (tmp_path / "package").exists()
