"""`python -m export_tools.default_models.evaluate`, against photos whose truth is known exactly."""

from __future__ import annotations

import dataclasses
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, NoReturn

import pytest

from edge_runtime.models.loading import DEFAULT_CLASSIFIER
from export_tools.accuracy.intervals import Estimate
from export_tools.accuracy.latency import Timing
from export_tools.default_models import known_crops
from export_tools.default_models.evaluate import bars, cli, table
from export_tools.default_models.evaluate.figures import (
    AGAINST,
    DEFAULT,
    FLOAT,
    Counts,
    OperatingFigures,
    Report,
    StratumFigures,
)
from export_tools.default_models.evaluate.scoring import BEST, BY_BUNDLE
from export_tools.import_graph import PRESETS, import_graph
from tests.conftest import ROOT
from tests.export_tools.accuracy import assets_folder

STRATA = ("all", "animals only", "small boxes (< 2 %)", "infrared", "squirrel sequence")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return assets_folder.write(tmp_path_factory.mktemp("evaluate") / "assets")


@pytest.fixture(scope="module")
def person_blind(colour_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The colour detector with a label table that takes green for something else."""
    work = tmp_path_factory.mktemp("blind")
    (work / "labels.csv").write_text("index,label,kind\n0,animal,animal\n1,grass,other\n2,vehicle,vehicle\n")
    made = import_graph(
        next(colour_bundle.rglob("*.onnx")),
        work / "person-blind",
        preset=PRESETS["yolox"],
        name="person-blind",
        version="1",
        labels=work / "labels.csv",
        licence="Apache-2.0",
        source="tests",
    )
    return made.folder


def evaluated(capsys: pytest.CaptureFixture[str], *arguments: object, code: int = 0) -> str:
    capsys.readouterr()
    assert cli.main(["--classifier", "none", *(str(argument) for argument in arguments)]) == code
    return capsys.readouterr().out


def no_constant(name: str) -> NoReturn:
    raise AssertionError(f"{name} is no JSON")


@pytest.fixture
def document(
    capsys: pytest.CaptureFixture[str], folder: Path, colour_bundle: Path, person_blind: Path
) -> dict[str, Any]:
    graph = next(colour_bundle.rglob("*.onnx"))
    pair = ["--detector", colour_bundle, "--against", person_blind, "--float", graph]
    text = evaluated(capsys, "--assets", folder, *pair, "--rounds", 3, "--json")
    parsed: dict[str, Any] = json.loads(text, parse_constant=no_constant)
    return parsed


def test_precision_is_what_the_truth_says_for_each_detector(document: dict[str, Any]) -> None:
    strata = {one["stratum"]: one for one in document["strata"]}
    assert {role: strata["all"]["ap50"][role]["value"] for role in (DEFAULT, FLOAT, AGAINST)} == {
        DEFAULT: pytest.approx(1.0),
        FLOAT: pytest.approx(1.0),
        AGAINST: pytest.approx(4 / 5),  # it misses the one person of five boxes
    }
    assert (strata["all"]["photos"], strata["all"]["boxes"]) == (5, 5)
    assert strata["all"]["difference"]["value"] == pytest.approx(1 / 5)
    assert strata["persons"]["ap50"][AGAINST]["value"] == 0.0
    assert strata["infrared"]["photos"] == 1
    assert strata["small boxes (< 2 %)"]["ap50"][DEFAULT]["value"] is None


def test_thresholds_empties_and_people_held_back_are_counted(document: dict[str, Any]) -> None:
    at = {(one["detector"], one["chosen"]): one for one in document["operating"]}
    default, against = at[DEFAULT, BY_BUNDLE], at[AGAINST, BEST]
    assert (default["right"], default["truths"], default["false"]) == (5, 5, 0)
    assert (against["right"], against["truths"], against["false"]) == (4, 5, 0)
    assert (default["empty_false"], default["empty_photos"]) == (0, 2)
    assert (default["persons_right"], default["persons"]) == (1, 1)
    assert (default["people_right"], default["people"], default["people_false"]) == (1, 1, 0)
    assert (against["people_right"], against["people"]) == (0, 1)


def test_what_the_figures_stand_on_is_said(document: dict[str, Any]) -> None:
    counts = document["counts"]
    assert counts["by_class"] == {"animal": 3, "person": 1, "vehicle": 1}
    assert counts["by_source"] == {"by hand": 4, "species on record: empty": 1}
    assert (counts["empty"], counts["unlabelled"], counts["unreadable"]) == (2, 1, 1)
    assert (counts["held_back"], counts["held_back_persons"]) == (1, 1)
    assert {one["runs"] for one in document["timings"]} == {3}


def test_the_table_names_every_stratum_with_boxes_and_every_bar(
    capsys: pytest.CaptureFixture[str], folder: Path, colour_bundle: Path, person_blind: Path
) -> None:
    pair = ["--detector", colour_bundle, "--against", person_blind]
    text = evaluated(capsys, "--assets", folder, *pair, "--rounds", 0)
    rows = [" ".join(line.split()) for line in text.splitlines()]

    def row(start: str) -> str:
        return next(line for line in rows if line.startswith(start))

    assert row("all 5").startswith("all 5 5 1.000 [1.000, 1.000] 0.800 [")
    assert row("folder camp").startswith("folder camp 2 3 1.000")
    assert row("against 0.300 by the bundle").endswith("4/5 0 1.000 0 on 2 0/1 0/1 0")
    assert "PASS 1 AP50 all, at least 1.25 x 1.000 (1.25 x) 0.800" in rows
    assert row("NOT MEASURED 3 AP50 lost by INT8")
    assert row("NOT MEASURED 3 latency")
    assert sum(line.startswith(("PASS", "FAIL", "NOT MEASURED")) for line in rows) == 11


def test_the_classifier_is_reported_with_the_number_of_crops_and_its_wrong_answers(
    capsys: pytest.CaptureFixture[str], folder: Path, colour_bundle: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "assets"
    shutil.copytree(folder, copy)
    manifest = copy / "training" / "manifest.jsonl"
    lion = json.loads(manifest.read_text().splitlines()[-1])
    with manifest.open("a") as stream:
        for number in range(known_crops.CALIBRATION + 4):  # as many as calibration takes, and some to hold back
            stream.write(json.dumps({**lion, "group": f"lion:{number}"}) + "\n")
    arguments = ["--assets", copy, "--detector", colour_bundle, "--against", colour_bundle, "--rounds", 0]
    arguments += ["--classifier", DEFAULT_CLASSIFIER]  # the last one given counts
    first, second, *_ = json.loads(evaluated(capsys, *arguments, "--json"), parse_constant=no_constant)["classifier"][
        "lists"
    ]
    assert first["found"]["crops"] == 2  # of a deer and of a squirrel
    assert second["found"]["crops"] > 0
    shown = evaluated(capsys, *arguments)
    assert "2 crops of known animals" in shown
    assert f"sure and wrong: {len(first['wrong'])}" in shown
    assert shown.index("sure and wrong") < shown.index("Bars")


def test_only_strict_ends_with_a_failure_when_a_bar_does_not_hold(
    capsys: pytest.CaptureFixture[str], folder: Path, colour_bundle: Path, person_blind: Path
) -> None:
    worse = ["--assets", folder, "--detector", person_blind, "--against", colour_bundle, "--rounds", 0]
    assert "FAIL          1 AP50 all" in evaluated(capsys, *worse)
    evaluated(capsys, *worse, "--strict", code=1)


def test_what_is_missing_is_named(
    capsys: pytest.CaptureFixture[str], folder: Path, colour_bundle: Path, tmp_path: Path
) -> None:
    pair = ["--detector", str(colour_bundle), "--against", str(colour_bundle)]
    assert cli.main(["--assets", str(tmp_path), *pair]) == 2
    assert "truth/manifest.json: cannot be read" in capsys.readouterr().err
    assert cli.main(["--assets", str(folder), "--detector", str(colour_bundle), "--against", str(tmp_path)]) == 2
    assert f"{tmp_path}: no bundle" in capsys.readouterr().err
    assert cli.main(["--assets", str(folder), *pair, "--float", str(tmp_path / "no.onnx")]) == 1
    assert "no.onnx: no such graph" in capsys.readouterr().err


def test_a_photo_that_cannot_be_read_is_named(
    capsys: pytest.CaptureFixture[str], folder: Path, colour_bundle: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "assets"
    shutil.copytree(folder, copy)
    (copy / "photos" / "track" / "vehicle.jpg").write_bytes(b"")
    pair = ["--detector", str(colour_bundle), "--against", str(colour_bundle), "--rounds", "0", "--classifier", "none"]
    assert cli.main(["--assets", str(copy), *pair]) == 1
    assert "vehicle.jpg" in capsys.readouterr().err


def good() -> Report:
    """A report with which every bar just holds."""

    def same(value: float) -> Estimate:
        return Estimate(value, value, value)

    ap50 = {DEFAULT: same(0.5), FLOAT: same(0.5099), AGAINST: same(0.4)}
    figures = [StratumFigures(name, 10, 20, ap50, ap50, same(0.1)) for name in STRATA]
    default = OperatingFigures(
        DEFAULT, 0.3, BY_BUNDLE, 20, 10, 5, same(0.5), 0.66, 5, 1, persons=2, persons_right=1,
        people=15, people_right=12, people_false=1,
    )  # fmt: skip
    against = dataclasses.replace(default, detector=AGAINST, chosen=BEST)
    timings = (
        Timing(DEFAULT, "onnxruntime", "model", 14.0, 12.0, 9),
        Timing(AGAINST, "onnxruntime", "model", 10.0, 9.0, 9),
        Timing(DEFAULT, "openvino", "model", 12.0, 11.0, 9),
        Timing(AGAINST, "openvino", "model", 10.0, 9.0, 9),
    )
    counts = Counts(10, 20, {"animal": 20}, {"hand": 10}, 5, 5, 0, 0, (), 15, 15)
    titles = {DEFAULT: "default 1", FLOAT: "default 1", AGAINST: "other 1"}
    return Report(titles, dict.fromkeys(titles, 1.0), counts, tuple(figures), (default, against), timings)


def failed(report: Report) -> list[str]:
    return [bar.name for bar in bars.judge(report) if not bar.holds]


def with_default(**changed: int) -> Report:
    report = good()
    return dataclasses.replace(
        report, operating=(dataclasses.replace(report.operating[0], **changed), report.operating[1])
    )


def with_precision(stratum: str, role: str, value: float) -> Report:
    report = good()
    figures = [
        dataclasses.replace(one, ap50={**one.ap50, role: Estimate(value, value, value)})
        if one.stratum == stratum
        else one
        for one in report.strata
    ]
    return dataclasses.replace(report, strata=tuple(figures))


def test_every_bar_just_holds() -> None:
    assert failed(good()) == []
    assert len(bars.judge(good())) == 11


@pytest.mark.parametrize(
    ("changed", "start"),
    [
        ({"right": 9}, "2 recall"),
        ({"false": 6}, "2 recall"),
        ({"empty_false": 2}, "2 false boxes on empty"),
        ({"persons_right": 0}, "4 persons found on these"),
        ({"people_right": 11}, "4 persons found on photos held back"),
    ],
)
def test_one_box_less_or_one_false_box_more_fails_its_bar_and_no_other(changed: dict[str, int], start: str) -> None:
    (name,) = failed(with_default(**changed))
    assert name.startswith(start)


@pytest.mark.parametrize("stratum", STRATA)
def test_a_lower_average_precision_fails_its_bar(stratum: str) -> None:
    value = 0.499 if stratum == "all" else 0.399
    names = failed(with_precision(stratum, DEFAULT, value))
    assert names[0].startswith(f"1 AP50 {stratum}")


def test_int8_may_lose_a_hundredth_and_no_more() -> None:
    (name,) = failed(with_precision("all", FLOAT, 0.5101))
    assert name.startswith("3 AP50 lost by INT8")


def test_one_engine_on_which_it_is_fast_enough_is_enough() -> None:
    report = good()
    (name,) = failed(dataclasses.replace(report, timings=report.timings[:2]))
    assert name.startswith("3 latency")
    assert failed(dataclasses.replace(report, timings=report.timings[2:])) == []


def test_what_was_not_measured_does_not_hold_and_says_so() -> None:
    report = dataclasses.replace(good(), timings=())
    (bar,) = [bar for bar in bars.judge(report) if not bar.holds]
    assert bar.holds is None
    assert "NOT MEASURED  3 latency" in table.render(
        dataclasses.replace(report, bars=bars.judge(report)), classifier=""
    )


def test_make_says_what_is_missing(tmp_path: Path) -> None:
    run = subprocess.run(
        ["make", "-o", "setup", "eval-default", f"ASSETS={tmp_path}"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 2
    assert "truth/manifest.json is missing: set ASSETS" in run.stderr


def test_it_runs_as_a_module() -> None:
    run = subprocess.run(
        [sys.executable, "-m", "export_tools.default_models.evaluate", "--help"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "--against" in run.stdout


def test_yolox_nano_on_the_real_photos_is_as_good_as_it_was(
    capsys: pytest.CaptureFixture[str], assets: Path, yolox_bundle: Path
) -> None:
    text = evaluated(
        capsys, "--assets", assets, "--detector", yolox_bundle, "--against", yolox_bundle, "--rounds", 0, "--json"
    )
    document = json.loads(text)
    strata = {one["stratum"]: one["ap50"][AGAINST]["value"] for one in document["strata"]}
    assert strata["all"] == pytest.approx(0.483, abs=0.01)
    assert strata["animals only"] == pytest.approx(0.597, abs=0.01)
    assert strata["squirrel sequence"] == pytest.approx(0.398, abs=0.01)
