from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edge_runtime import cli
from edge_runtime.errors import CamtrapEdgeError
from edge_runtime.journal.results import Result
from edge_runtime.reports import megadetector
from edge_runtime.reports.source import Source
from edge_runtime.values import Box, Detection, FailureKind, Individual, Scores, Species
from tests import card_plan
from tests.reports.conftest import Rich, Validate
from tests.reports.rich_journal import RUN, START_S


def result(file: str, *detections: Detection, **more: Any) -> Result:
    plain = Result(
        path=PurePosixPath(file),
        failure=None,
        problem="",
        video=False,
        duplicate=False,
        sha256=os.fsencode(file),
        camera="cam",
        width=640,
        height=480,
        captured_s=START_S,
        time_source="exif",
        processed_s=START_S,
        passed_over=False,
        footage=None,
        event_id=1,
        event_start_s=START_S,
        event_end_s=START_S,
        run=RUN,
        detections=detections,
        review="",
        answer=None,
    )
    return replace(plain, **more)


def written(file: Path, *results: Result) -> dict[str, Any]:
    source = Source(lambda by_event: sorted(results, key=lambda each: each.path), device="test", runs=[RUN])
    megadetector.write(source, file)
    return json.loads(file.read_text())


def classified(file: Path, found: Detection) -> Sequence[tuple[str, float]]:
    made = written(file, result("1.jpg", found))
    ((one,),) = (image["detections"] for image in made["images"])
    return [(made["classification_categories"][index], score) for index, score in one.get("classifications", [])]


WHOLE = Detection("animal", 1.0, Box(0.0, 0.0, 1.0, 1.0), Species("zebra", 1.0))
CAT: Scores = (("leopard", 0.5), ("zebra", 0.3), ("cheetah", 0.2), ("", 0.1))
sides = st.tuples(st.floats(0, 1), st.floats(0, 1)).map(sorted).filter(lambda pair: pair[1] - pair[0] > 1e-4)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(sides, sides, st.floats(0, 1))
def test_every_box_stays_inside_the_picture_and_every_number_is_a_float(
    tmp_path: Path, across: list[float], down: list[float], confidence: float
) -> None:
    box = Box(across[0], down[0], across[1], down[1])
    (image,) = written(tmp_path / "r.json", result("a.jpg", Detection("person", confidence, box)))["images"]
    (found,) = image["detections"]
    x, y, width, height = found["bbox"]
    assert all(isinstance(number, float) for number in (*found["bbox"], found["conf"]))
    assert x >= 0 and y >= 0 and width > 0 and height > 0 and x + width <= 1 + 1e-12 and y + height <= 1 + 1e-12
    assert found["conf"] <= confidence and confidence - found["conf"] < 0.0011
    assert abs(x - box.x1) <= 1.01e-4 and abs(x + width - box.x2) <= 1.01e-4


def test_images_come_by_name_and_detections_by_confidence(tmp_path: Path) -> None:
    weak = Detection("vehicle", 0.2, Box(0, 0, 0.5, 0.5))
    made = written(tmp_path / "r.json", result("b/1.jpg"), result("a/9.jpg", weak, WHOLE))
    assert [image["file"] for image in made["images"]] == ["a/9.jpg", "b/1.jpg"]
    assert [found["conf"] for found in made["images"][0]["detections"]] == [1.0, 0.2]


def test_a_failure_has_no_detections_and_an_empty_photo_has_a_list_without_any(tmp_path: Path) -> None:
    broken = result("1.jpg", failure=FailureKind.ACCESS, problem="empty file", sha256=None, run=None)
    failed, empty = written(tmp_path / "r.json", broken, result("2.jpg"))["images"]
    assert (failed["failure"], failed["detections"]) == ("image access failure", None)
    assert failed["problem"] == "empty file"
    assert empty["detections"] == [] and "failure" not in empty


def test_what_was_passed_over_is_marked_and_counted(tmp_path: Path) -> None:
    made = written(tmp_path / "r.json", result("1.jpg"), result("2.jpg", passed_over=True), result("3.jpg", WHOLE))
    assert [image.get("passed_over", False) for image in made["images"]] == [False, True, False]
    assert made["info"]["passed_over"] == 1 and made["images"][1]["detections"] == []
    assert "passed_over" not in written(tmp_path / "r.json", result("1.jpg"))["info"]


def test_a_taxonomy_stands_in_the_descriptions_of_the_categories(tmp_path: Path) -> None:
    made = written(tmp_path / "r.json", result("1.jpg", WHOLE))
    descriptions = {
        made["classification_categories"][index]: text
        for index, text in made["classification_category_descriptions"].items()
    }
    assert descriptions["leopard"] == "mammalia;carnivora;felidae;panthera;pardus;leopard"
    assert descriptions["cat family"] == "mammalia;carnivora;felidae;;;cat family"
    assert descriptions["unnamed"] == ";;;;;unnamed"
    assert set(descriptions) == set(RUN.lineages)


def test_the_thresholds_are_those_of_the_run(tmp_path: Path) -> None:
    info = written(tmp_path / "r.json", result("1.jpg"))["info"]
    assert (info["detector"], info["classifier"]) == (RUN.detector, RUN.classifier)
    assert info["detector_metadata"] == {"typical_detection_threshold": 0.3, "conservative_detection_threshold": 0.05}


@pytest.mark.parametrize(
    ("species", "scores", "expected"),
    [
        (Species("leopard", 0.6), CAT, [("leopard", 0.6), ("zebra", 0.3), ("cheetah", 0.2)]),
        (Species("cat family", 0.7), CAT, [("cat family", 0.7), ("leopard", 0.5), ("cheetah", 0.2)]),
        (Species("zebra", 0.6), CAT, [("zebra", 0.6)]),
        (Species("leopard", 1.0, by="human"), CAT, [("leopard", 1.0)]),
        (Species("somebody's word", 1.0, by="human"), CAT, [("somebody's word", 1.0)]),
        (Species("leopard", 0.25), CAT, [("leopard", 0.25), ("cheetah", 0.2)]),
        (None, CAT, []),
    ],
    ids=["species", "group: its members", "the event disagrees", "human", "a new word", "never above it", "unsure"],
)
def test_classifications_begin_with_the_answer_and_never_contradict_it(
    tmp_path: Path, species: Species | None, scores: Scores, expected: list[tuple[str, float]]
) -> None:
    found = Detection("animal", 0.9, Box(0, 0, 1, 1), species, scores)
    assert classified(tmp_path / "r.json", found) == expected


def test_at_most_five_alternatives_are_listed(tmp_path: Path) -> None:
    names = ("leopard", *(f"other {number}" for number in range(9)))
    run = RUN.__class__(**{**{f: getattr(RUN, f) for f in RUN.__struct_fields__}, "lineages": dict.fromkeys(names, ())})
    scores = tuple((name, 0.5 - index / 20) for index, name in enumerate(names))
    found = Detection("animal", 0.9, Box(0, 0, 1, 1), Species("leopard", 0.5), scores)
    source = Source(lambda by_event: [result("1.jpg", found, run=run)], device="test", runs=[run])
    megadetector.write(source, tmp_path / "r.json")
    ((one,),) = (image["detections"] for image in json.loads((tmp_path / "r.json").read_text())["images"])
    assert len(one["classifications"]) == 6


def test_what_is_held_back_stands_beside_the_detections(tmp_path: Path) -> None:
    branch = replace(WHOLE, held="repeat")
    (image,) = written(tmp_path / "r.json", result("1.jpg", branch, replace(WHOLE, confidence=0.4)))["images"]
    assert [found["conf"] for found in image["detections"]] == [0.4]
    assert [(found["conf"], found["held"]) for found in image["held_detections"]] == [(1.0, "repeat")]


def test_an_individual_is_named_or_known_to_be_new(tmp_path: Path) -> None:
    known, new = replace(WHOLE, individual=Individual("F12", 0.91)), replace(WHOLE, individual=Individual(None, 0.4))
    (image,) = written(tmp_path / "r.json", result("1.jpg", known, new))["images"]
    assert [found["individual"]["name"] for found in image["detections"]] == ["F12", None]


def test_a_name_that_is_not_utf_8_comes_back_as_it_was(tmp_path: Path) -> None:
    assert written(tmp_path / "r.json", result("caf\udce9.jpg"))["images"][0]["file"] == "caf\udce9.jpg"


def test_a_file_that_cannot_be_written_leaves_the_old_one_and_no_remains(tmp_path: Path) -> None:
    file = tmp_path / "results.json"
    written(file)
    before = file.read_bytes()
    (tmp_path / "results.json.partial").mkdir()
    with pytest.raises(CamtrapEdgeError, match="cannot be written"):
        written(file, result("1.jpg"))
    assert file.read_bytes() == before


def test_no_input_vanishes_and_videos_tell_their_frames(rich: Rich, tmp_path: Path) -> None:
    made = rich.json("megadetector", tmp_path / "r.json")
    images = {image["file"]: image for image in made["images"]}
    assert list(images) == sorted(rich.paths)
    whole, part, broken = (images[f"video/{name}"] for name in ("whole.MP4", "part.AVI", "broken.MP4"))
    assert (whole["frame_rate"], whole["frames_processed"]) == (30.0, [0, 30])
    assert [found["frame_number"] for found in whole["detections"]] == [0, 0, 30]
    assert part["problem"] == "ends after 0.5 of 10 s" and len(part["detections"]) == 1
    assert (broken["frame_rate"], broken["detections"]) == (-1, None)


def test_peoples_words_win_in_the_file(rich: Rich, tmp_path: Path) -> None:
    made = rich.json("megadetector", tmp_path / "r.json")
    images = {image["file"].removeprefix("answered/"): image for image in made["images"]}
    names = made["classification_categories"]

    def said(name: str) -> list[tuple[str, float]]:
        (found,) = images[name]["detections"]
        return [(names[index], score) for index, score in found["classifications"]]

    assert said("zebra.JPG") == [("zebra", 1.0)] and said("unknown.JPG") == [("aardwolf, maybe", 1.0)]
    assert images["person.JPG"]["detections"][0]["category"] == "2"
    assert images["empty.JPG"]["detections"] == []
    assert images["empty.JPG"]["held_detections"][0]["held"] == "refuted"
    assert (images["unseen.JPG"]["answer"], images["unseen.JPG"]["detections"]) == ("zebra", [])


def test_the_megadetector_package_finds_no_error(validate: Validate, rich: Rich, tmp_path: Path) -> None:
    for name in ("megadetector", "timelapse"):
        file = rich.report(name, tmp_path / f"{name}.json")
        assert validate(file)["errors"] == []
        boxes = [
            found["bbox"] for image in json.loads(file.read_text())["images"] for found in image["detections"] or ()
        ]
        assert boxes
        assert all(
            x >= 0 and y >= 0 and w > 0 and h > 0 and x + w <= 1 + 1e-9 and y + h <= 1 + 1e-9 for x, y, w, h in boxes
        )


def test_the_megadetector_packages_check_can_fail(validate: Validate, tmp_path: Path) -> None:
    file = tmp_path / "results.json"
    made = written(file, result("1.jpg", WHOLE))
    made["images"][0]["detections"][0]["conf"] = 1
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
