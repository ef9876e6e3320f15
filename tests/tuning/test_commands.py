"""`edge-runtime tune` and `why-slow` as a person runs them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from edge_runtime import assembly, cli
from edge_runtime.laps import STAGES
from edge_runtime.settings import read_device
from edge_runtime.tuning import choice, stored


@pytest.fixture(autouse=True)
def own_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Nothing is written into the cache of whoever runs the tests."""
    monkeypatch.delenv("CACHE_DIRECTORY", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "camtrap-edge"


def config(folder: Path, card: Path, detector: Path, **models: object) -> Path:
    file = folder / "device.yaml"
    document = {
        "device": "hut-1",
        "data": "data",
        "cards": {"root": str(card)},
        "time_zone": "UTC",
        "models": {"detector": str(detector), "classifier": "none", "threads": 2, **models},
    }
    file.write_text(yaml.safe_dump(document))
    return file


def test_a_device_is_tuned_and_then_runs_as_tuned(
    tmp_path: Path, tuning_card: Path, colour_bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = config(tmp_path, tuning_card, colour_bundle)
    assert cli.main(["tune", "-c", str(file), "--photos", "10", "--seconds", "5", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    (kept,) = stored.read(tmp_path / "data" / "tuned.yaml").choices
    assert (told["threads"], told["streams"]) == (kept.threads, kept.streams)
    assert kept.photos == 10 and kept.cpus == 2 and len(kept.rows) == 3
    chosen = choice.detector(str(colour_bundle), "auto", cpus=2, file=tmp_path / "data" / "tuned.yaml")
    assert chosen.setup == kept.setup and chosen.tuned
    device = assembly.assemble(read_device(file))
    device.journal.close()


def test_a_folder_is_tuned_without_a_device(
    tuning_card: Path, colour_bundle: Path, own_cache: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--detector", str(colour_bundle), "--threads", "1", "--photos", "8", "--seconds", "5"]
    assert cli.main(["tune", str(tuning_card), *options]) == 0
    said = capsys.readouterr().out
    assert "<- chosen" in said and str(own_cache / "tuned.yaml") in said and "1 x 1" in said
    assert stored.read(own_cache / "tuned.yaml").choices[0].cpus == 1


@pytest.mark.parametrize("command", ["tune", "why-slow"])
def test_without_photos_or_a_place_it_says_what_to_name(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], command: str, own_cache: Path
) -> None:
    assert cli.main([command]) == 1
    assert "-c device.yaml" in capsys.readouterr().err
    (tmp_path / "empty").mkdir()
    assert cli.main([command, str(tmp_path / "empty")]) == 1
    assert "no photos in it" in capsys.readouterr().err
    assert not own_cache.exists()


def test_an_engine_that_is_not_there_lists_what_is(
    tmp_path: Path, tuning_card: Path, colour_bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = config(tmp_path, tuning_card, colour_bundle, engine="coral")
    assert cli.main(["run", "-c", str(file), "--until-idle"]) == 2
    said = capsys.readouterr().err
    assert "no variant or engine 'coral'" in said and "(onnxruntime)" in said
    output = tmp_path / "r.json"
    models = ["--detector", str(colour_bundle), "--classifier", "none", "--engine", "coral"]
    assert cli.main(["process", str(tuning_card), "-o", str(output), *models]) == 2
    assert "coral" in capsys.readouterr().err and not output.exists()


def test_why_slow_splits_the_time_and_leaves_nothing_behind(
    tmp_path: Path, tuning_card: Path, colour_bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = config(tmp_path, tuning_card, colour_bundle)
    assert cli.main(["why-slow", "-c", str(file), "--photos", "6", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    stages = {each["stage"]: each for each in told["stages"]}
    assert list(stages) == [stage for stage in STAGES if stage not in ("h2d", "d2h")]
    assert sum(each["share"] for each in stages.values()) == pytest.approx(1)
    for always in ("read", "hash", "decode", "prepare", "infer", "boxes", "journal"):
        assert stages[always]["median_ms"] > 0, always
    assert told["dominates"] == max(stages, key=lambda name: stages[name]["share"]) and told["advice"]
    assert told["reached_photos_per_s"] > 0 and told["floor_photos_per_s"] > 0
    assert list((tmp_path / "data").iterdir()) == []
    assert cli.main(["why-slow", "-c", str(file), "--photos", "2"]) == 0
    assert "of the floor" in capsys.readouterr().out
