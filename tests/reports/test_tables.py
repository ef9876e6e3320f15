"""The plain tables and that of Wildlife Insights."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge_runtime.reports import wildlife_insights
from edge_runtime.reports.table import safe
from tests.reports.conftest import Rich, rows

UPLOAD = (
    "project_id,deployment_id,image_id,location,identified_by,wi_taxon_id,class,order,family,genus,species,common_name,"
    "uncertainty,timestamp,age,sex,animal_recognizable,individual_id,number_of_objects,individual_animal_notes,"
    "highlighted,markings"
)


def of(table: list[dict[str, str]], file: str) -> list[dict[str, str]]:
    return [row for row in table if row["file"] == file]


@pytest.fixture(scope="module")
def plain(rich: Rich, tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, str]]:
    return rows(rich.report("csv", tmp_path_factory.mktemp("csv") / "all.csv"))


@pytest.fixture(scope="module")
def upload(rich: Rich, tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, str]]:
    return rows(rich.report("wildlife-insights", tmp_path_factory.mktemp("wi") / "images.csv"))


def test_every_file_has_a_row_with_what_became_of_it(rich: Rich, plain: list[dict[str, str]]) -> None:
    files = {row["file"] for row in plain}
    assert len(files) == len(rich.paths)
    assert {"caf\\xe9.JPG", "two\nlines.JPG", 'say "cheese", please.JPG'} <= files
    outcomes = {row["file"]: row["outcome"] for row in plain}
    assert outcomes["failed/empty.JPG"] == "failed" and outcomes["mixed/3.JPG"] == "empty"
    assert {row["outcome"] for row in plain} == {"failed", "empty", "found"}


def test_every_detection_says_whether_it_counts_and_why_not(plain: list[dict[str, str]]) -> None:
    seen = of(plain, "burst/2.JPG")
    assert [(row["label"], row["counts"], row["held"]) for row in seen] == [
        ("leopard", "yes", ""),
        ("animal", "no", "repeat"),
        ("animal", "no", ""),
    ]
    assert (seen[0]["species"], seen[0]["individual"], seen[0]["review"]) == ("Panthera pardus", "F12", "alike")
    (refuted,) = of(plain, "answered/empty.JPG")
    assert (refuted["held"], refuted["outcome"], refuted["answer"]) == ("refuted", "empty", "empty")


def test_a_row_tells_who_said_it(plain: list[dict[str, str]]) -> None:
    assert [row["by"] for row in of(plain, "answered/zebra.JPG")] == ["human"]
    assert [row["by"] for row in of(plain, "mixed/1.JPG")] == ["machine"] * 3
    (unseen,) = of(plain, "answered/unseen.JPG")
    assert (unseen["label"], unseen["by"], unseen["x1"], unseen["detector_confidence"]) == ("zebra", "human", "", "")


def test_a_time_carries_its_offset_and_an_unknown_one_is_empty(plain: list[dict[str, str]]) -> None:
    assert of(plain, "burst/1.JPG")[0]["time"] == "2026-05-29T01:26:41+03:00"
    assert (of(plain, "untimed/1.JPG")[0]["time"], of(plain, "untimed/1.JPG")[0]["time_source"]) == ("", "unknown")


def test_copies_are_marked(plain: list[dict[str, str]]) -> None:
    assert [of(plain, f"copies/{number}.JPG")[0]["duplicate"] for number in (1, 2)] == ["no", "yes"]


@pytest.mark.parametrize("name", ["=1+1", "+1", "-1", "@SUM(A1)", "\tx", "\rx"])
def test_no_spreadsheet_runs_a_name(name: str) -> None:
    assert safe(name) == "'" + name


def test_names_that_are_no_formula_stay_and_so_do_numbers(plain: list[dict[str, str]]) -> None:
    assert safe("a=b") == "a=b" and safe(-1.5) == -1.5
    assert of(plain, "'=SUM(A1).JPG")


def test_per_event_a_row_counts_each_label(rich: Rich, tmp_path: Path) -> None:
    events = rows(rich.report("csv", tmp_path / "events.csv", "--per", "event"))
    (burst,) = [row for row in events if row["individual"] == "F12"]
    assert (burst["label"], burst["count"], burst["files"], burst["review"]) == ("leopard", "1", "3", "yes")
    by_label = {row["label"]: row for row in events if row["event"] == str(int(burst["event"]) + 1)}
    assert set(by_label) == {"cat family", "person", "vehicle"}
    two = [row for row in events if row["label"] == "animal" and row["count"] == "2"]
    assert len(two) == 1
    videos = [row for row in events if row["videos"] == "1" and row["label"] == "zebra"]
    assert [row["count"] for row in videos] == ["2"]
    assert "empty" in {row["label"] for row in events}


def test_the_upload_has_the_platforms_columns(upload: list[dict[str, str]]) -> None:
    assert ",".join(wildlife_insights.COLUMNS) == UPLOAD
    assert ",".join(upload[0]) == UPLOAD


def test_the_upload_names_species_by_rank_and_the_rest_by_their_common_names(upload: list[dict[str, str]]) -> None:
    by_file: dict[str, list[dict[str, str]]] = {}
    for row in upload:
        by_file.setdefault(row["location"], []).append(row)
    (leopard,) = by_file["burst/1.JPG"]
    assert (leopard["genus"], leopard["species"], leopard["individual_id"]) == ("Panthera", "pardus", "F12")
    assert {row["common_name"] for row in by_file["mixed/1.JPG"]} == {"cat family", "Human", "Vehicle"}
    assert [row["common_name"] for row in by_file["mixed/3.JPG"]] == ["Blank"]
    (unknown,) = by_file["answered/unknown.JPG"]
    assert (unknown["common_name"], unknown["identified_by"]) == ("aardwolf, maybe", "human review")
    assert (unknown["genus"], unknown["uncertainty"]) == ("", "")


def test_the_upload_invents_no_time_and_lists_what_it_leaves_out(rich: Rich, tmp_path: Path) -> None:
    file = rich.report("wildlife-insights", tmp_path / "images.csv")
    assert all(row["timestamp"] for row in rows(file))
    left_out = rows(tmp_path / "images.csv.left-out.csv")
    assert {row["file"] for row in left_out if row["reason"] == "no credible time"} == {
        "untimed/1.JPG",
        "untimed/2.JPG",
    }
    assert len({row["image_id"] for row in rows(file)}) + len(left_out) == len(rich.paths)
