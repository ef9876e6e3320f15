from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_runtime import cli
from edge_runtime.errors import CamtrapEdgeError
from edge_runtime.reports import megadetector
from edge_runtime.reports.megadetector import Entry
from edge_runtime.values import Box, Detection, FailureKind, Species
from tests import card_plan
from tests.conftest import ROOT

Validate = Callable[[Path], dict[str, list[str]]]


@pytest.fixture(scope="session")
def validate() -> Validate:
    """The `megadetector` package's own check, in its own environment."""
    python = ROOT / ".venv-megadetector" / "bin" / "python"
    script = Path(__file__).with_name("validate_with_megadetector.py")
    if not (python.parent.parent / ".installed").exists():
        pytest.skip("the megadetector package is not installed (make megadetector-env)")

    def run(file: Path) -> dict[str, list[str]]:
        done = subprocess.run([str(python), str(script), str(file)], capture_output=True, text=True, check=True)
        return json.loads(done.stdout.splitlines()[-1])

    return run


LINEAGES = {"leopard": ("Mammalia", "Carnivora", "Felidae", "Panthera", "Panthera pardus"), "zebra": ("Mammalia",)}


def document(*entries: Entry, lineages: Mapping[str, Sequence[str]] = megadetector.NO_LINEAGES) -> dict:
    made = megadetector.document(
        entries,
        detector="test 1",
        classifier="names 1",
        labels=("leopard", "zebra"),
        completed="2026-05-01 06:00:00",
        typical_threshold=0.3,
        conservative_threshold=0.05,
        lineages=lineages,
    )
    return json.loads(json.dumps(made))


def entry(file: str, *detections: Detection, failure: FailureKind | None = None, video: bool = False) -> Entry:
    return Entry(file, failure, detections, 640, 480, "2026:05:01 06:00:00", video)


WHOLE = Detection("animal", 1.0, Box(0.0, 0.0, 1.0, 1.0), Species("zebra", 1.0))
sides = st.tuples(st.floats(0, 1), st.floats(0, 1)).map(sorted).filter(lambda pair: pair[1] - pair[0] > 1e-4)


@given(sides, sides, st.floats(0, 1))
def test_every_box_stays_inside_the_picture_and_every_number_is_a_float(
    across: list[float], down: list[float], confidence: float
) -> None:
    box = Box(across[0], down[0], across[1], down[1])
    (image,) = document(entry("a.jpg", Detection("person", confidence, box)))["images"]
    (found,) = image["detections"]
    x, y, width, height = found["bbox"]
    assert all(isinstance(number, float) for number in (*found["bbox"], found["conf"]))
    assert x >= 0 and y >= 0 and width > 0 and height > 0 and x + width <= 1 + 1e-12 and y + height <= 1 + 1e-12
    assert found["conf"] <= confidence and confidence - found["conf"] < 0.0011
    assert abs(x - box.x1) <= 1.01e-4 and abs(x + width - box.x2) <= 1.01e-4


def test_images_come_by_name_and_detections_by_confidence() -> None:
    weak = Detection("vehicle", 0.2, Box(0, 0, 0.5, 0.5))
    made = document(entry("b/1.jpg"), entry("a/9.jpg", weak, WHOLE))
    assert [image["file"] for image in made["images"]] == ["a/9.jpg", "b/1.jpg"]
    assert [found["conf"] for found in made["images"][0]["detections"]] == [1.0, 0.2]


def test_a_failure_has_no_detections_and_an_empty_photo_has_a_list_without_any() -> None:
    failed, empty = document(entry("1.jpg", WHOLE, failure=FailureKind.ACCESS), entry("2.jpg"))["images"]
    assert (failed["failure"], failed["detections"]) == ("image access failure", None)
    assert empty["detections"] == [] and "failure" not in empty


def test_what_was_passed_over_is_marked_and_counted() -> None:
    made = document(entry("1.jpg"), replace(entry("2.jpg"), passed_over=True), entry("3.jpg", WHOLE))
    assert [image.get("passed_over", False) for image in made["images"]] == [False, True, False]
    assert made["info"]["passed_over"] == 1 and made["images"][1]["detections"] == []
    assert "passed_over" not in document(entry("1.jpg"))["info"]


def test_a_species_is_named_by_its_id() -> None:
    made = document(entry("1.jpg", WHOLE))
    assert made["images"][0]["detections"][0]["classifications"] == [["1", 1.0]]
    assert made["classification_categories"]["1"] == "zebra"


def test_a_taxonomy_stands_in_the_descriptions_of_the_categories() -> None:
    made = document(entry("1.jpg", WHOLE), lineages=LINEAGES)
    assert made["classification_category_descriptions"] == {
        "0": "mammalia;carnivora;felidae;panthera;pardus;leopard",
        "1": "mammalia;;;;;zebra",
    }
    assert "classification_category_descriptions" not in document(entry("1.jpg", WHOLE))


def test_a_name_that_is_not_utf_8_is_written_all_the_same(tmp_path: Path) -> None:
    file = tmp_path / "results.json"
    megadetector.write(document(entry("caf\udce9.jpg")), file)
    assert json.loads(file.read_text())["images"][0]["file"] == "caf\udce9.jpg"


def test_a_file_that_cannot_be_written_leaves_the_old_one_and_no_remains(tmp_path: Path) -> None:
    file = tmp_path / "results.json"
    megadetector.write(document(), file)
    before = file.read_bytes()
    (tmp_path / "results.json.partial").mkdir()
    with pytest.raises(CamtrapEdgeError, match="cannot be written"):
        megadetector.write(document(entry("1.jpg")), file)
    assert file.read_bytes() == before


def test_the_megadetector_package_finds_no_error(validate: Validate, tmp_path: Path) -> None:
    file = tmp_path / "results.json"
    entries = [
        entry("a/1.jpg", WHOLE, Detection("vehicle", 0.05, Box(0.1, 0.1, 0.2, 0.2))),
        entry("a/2.jpg"),
        entry("a/3.jpg", failure=FailureKind.INFERENCE),
        entry("a/4.mp4", failure=FailureKind.ACCESS, video=True),
    ]
    megadetector.write(document(*entries, lineages=LINEAGES), file)
    assert validate(file)["errors"] == []


def test_the_megadetector_packages_check_can_fail(validate: Validate, tmp_path: Path) -> None:
    made = document(entry("1.jpg", WHOLE))
    made["images"][0]["detections"][0]["conf"] = 1
    file = tmp_path / "results.json"
    file.write_text(json.dumps(made))
    assert validate(file)["errors"]


def test_what_the_command_writes_for_a_card_with_broken_files_has_no_error(
    validate: Validate, colour_bundle: Path, tmp_path: Path
) -> None:
    plan = card_plan.build(tmp_path / "card", bursts=3)
    (plan.folder / "CAM01" / "clip.MP4").write_bytes(b"\0\0\0\x18ftypmp42")
    file = tmp_path / "results.json"
    models = ["--detector", str(colour_bundle), "--classifier", "none"]
    assert cli.main(["process", str(plan.folder), "-o", str(file), *models]) == 0
    assert validate(file)["errors"] == []
    images = json.loads(file.read_text())["images"]
    assert len(images) == plan.photos + plan.duplicates + plan.failed + 1
    assert sum("failure" in image for image in images) == plan.failed + 1


def test_real_photos_have_no_error(validate: Validate, assets: Path, tmp_path: Path) -> None:
    file = tmp_path / "results.json"
    photos = assets / "photos"
    assert cli.main(["process", str(photos), "-o", str(file)]) == 0
    assert validate(file)["errors"] == []
