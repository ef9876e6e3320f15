from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from benchmarks import cli
from benchmarks.battery import Trace, estimate
from benchmarks.document.schema import Document
from tests.benchmarks.made_documents import document

TRACE = Trace(
    battery_wh=100,
    usable=0.7,
    photos_a_day=360,
    photos_a_wake=10,
    wake_s=30,
    idle_w=3,
    sleep_w=0.05,
    joules_per_photo=2,
    seconds_per_photo=0.5,
)


def test_days_are_usable_energy_over_a_days_by_hand() -> None:
    """36 wakes of 30 s and 360 photos of 0.5 s: 1260 s awake at 3 W = 1.05 Wh; 720 J = 0.2 Wh; 85140 s x 0.05 W."""
    told = estimate(TRACE)
    assert told.awake_wh == pytest.approx(1.05) and told.photos_wh == pytest.approx(0.2)
    assert told.asleep_wh == pytest.approx(85_140 * 0.05 / 3600)
    assert told.days == pytest.approx(70 / (1.05 + 0.2 + told.asleep_wh))


def test_more_than_a_day_of_work_is_refused() -> None:
    with pytest.raises(ValueError, match="do not fit into a day"):
        estimate(replace(TRACE, photos_a_day=200_000))


def written(told: Document, folder: Path) -> str:
    file = folder / "result.json"
    file.write_bytes(msgspec.json.encode(told))
    return str(file)


def test_the_command_shows_every_input_and_takes_joules_and_seconds_from_the_document(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told = document()
    file, sensor = written(told, tmp_path), told.energy[0]
    assert cli.main(["battery", file, "--battery-wh", "100", "--sensor", sensor.where, "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    inputs = answer["inputs"]
    assert inputs["idle_w"] == sensor.idle_w and inputs["seconds_per_photo"] == 1 / told.throughput_measured_ips
    assert answer["estimate"]["days"] == pytest.approx(estimate(Trace(**inputs)).days)
    assert cli.main(["battery", file, "--battery-wh", "100", "--sensor", sensor.where]) == 0
    said = capsys.readouterr().out
    assert "100 Wh, of which 70% are usable" in said and "300 a day, 10 a wake" in said and "days, without sun" in said


def test_a_board_without_a_power_sensor_and_a_sensor_that_is_not_there_are_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    silent = written(msgspec.structs.replace(document(), energy=()), tmp_path)
    assert cli.main(["battery", silent, "--battery-wh", "100"]) == 2
    assert "tells no energy" in capsys.readouterr().err
    file = written(document(), tmp_path)
    assert cli.main(["battery", file, "--battery-wh", "100", "--sensor", "wall socket"]) == 2
    assert "has no sensor 'wall socket'" in capsys.readouterr().err
