from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest
import yaml

from edge_runtime import cli
from edge_runtime.database import open_read_only
from edge_runtime.errors import JournalError
from edge_runtime.intake.settling import Settling
from edge_runtime.values import FileStamp
from tests import card_plan


def config(folder: Path, detector: Path, **uplink: object) -> Path:
    file = folder / "device.yaml"
    document = {
        "device": "hut-1",
        "data": "data",
        "cards": {"root": "card", "settle_seconds": 0.2, "rescan_seconds": 0.2},
        "time_zone": "Africa/Nairobi",
        "models": {"detector": str(detector), "classifier": "none", "threads": 1},
        "uplink": {"port": 1, "drain_seconds": 0, **uplink},  # nobody listens on port 1
    }
    file.write_text(yaml.safe_dump(document))
    (folder / "card").mkdir(exist_ok=True)
    return file


def test_status_tells_what_was_read_and_what_waits(
    tmp_path: Path, colour_bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = config(tmp_path, colour_bundle)
    plan = card_plan.build(tmp_path / "card" / "SD", bursts=3)
    assert cli.main(["run", "-c", str(file), "--until-idle"]) == 3
    assert cli.main(["status", "-c", str(file), "--json"]) == 0
    told = json.loads(capsys.readouterr().out.strip().splitlines()[-1])
    assert (told["photos"], told["empty"], told["failed"]) == (plan.photos, plan.empty, plan.failed)
    assert told["events"] == len(plan.events) and told["waiting"] == len(plan.events) + 1
    assert cli.main(["status", "-c", str(file)]) == 0
    text = capsys.readouterr().out
    assert "hut-1" in text and "empty file" in text and "waiting for a station" in text


def test_status_before_the_first_run_says_so(
    tmp_path: Path, colour_bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["status", "-c", str(config(tmp_path, colour_bundle))]) == 1
    assert "has the program run" in capsys.readouterr().err


def test_an_error_in_the_configuration_is_one_line_with_its_place(
    tmp_path: Path, colour_bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = config(tmp_path, colour_bundle)
    file.write_text(file.read_text() + "evnets: {gap_seconds: 5}\n")
    assert cli.main(["run", "-c", str(file)]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and f"{file}:" in error and "did you mean 'events'" in error


def test_a_missing_card_ends_a_single_run_with_a_message(
    tmp_path: Path, colour_bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = config(tmp_path, colour_bundle)
    (tmp_path / "card").rmdir()
    assert cli.main(["run", "-c", str(file), "--until-idle"]) == 1
    assert "put it back" in capsys.readouterr().err


def test_a_tampered_bundle_starts_nothing(
    tmp_path: Path, colour_bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = tmp_path / "bundle"
    subprocess.run(["cp", "-r", str(colour_bundle), str(copy)], check=True)
    (copy / "graphs" / "fp32.onnx").write_bytes(b"x" * (copy / "graphs" / "fp32.onnx").stat().st_size)
    assert cli.main(["run", "-c", str(config(tmp_path, copy)), "--until-idle"]) == 2
    assert "do not use it" in capsys.readouterr().err and not (tmp_path / "data").exists()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["{tmp}/nowhere", "-o", "{tmp}/r.json"], "is no folder"),
        (["{tmp}", "-o", "{tmp}"], "name the results file"),
        (["{tmp}", "-o", "{tmp}/a/b/r.json"], "does not exist; make it first"),
        (["{tmp}", "-o", "{tmp}/r.json", "--time-zone", "Mars/Olympus"], "no such zone"),
    ],
)
def test_process_says_what_is_wrong_and_leaves_nothing(
    tmp_path: Path, colour_bundle: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], says: str
) -> None:
    filled = [word.format(tmp=tmp_path) for word in arguments]
    assert cli.main(["process", *filled, "--detector", str(colour_bundle), "--classifier", "none"]) == 1
    assert says in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def names_its_work(journal: Path) -> bool:
    """Whether a run has written into its journal what it works on."""
    try:
        with closing(open_read_only(journal)) as connection:
            return connection.execute("SELECT 1 FROM meta WHERE key = 'work'").fetchone() is not None
    except (JournalError, sqlite3.OperationalError):  # it is being made
        return False


def test_leftovers_of_other_work_are_not_mixed_in(
    tmp_path: Path, colour_bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    card_plan.build(tmp_path / "one", bursts=30)
    card_plan.build(tmp_path / "two", bursts=1, broken=0)
    output = tmp_path / "results.json"
    models = ["--detector", str(colour_bundle), "--classifier", "none"]
    command = [sys.executable, "-m", "edge_runtime.cli", "process", str(tmp_path / "one"), "-o", str(output), *models]
    first = subprocess.Popen(command)
    while not names_its_work(tmp_path / "results.json.journal"):
        assert first.poll() is None, "the first run ended before it could be interrupted"
        time.sleep(0.01)
    os.kill(first.pid, signal.SIGKILL)
    first.wait()
    assert cli.main(["process", str(tmp_path / "two"), "-o", str(output), *models]) == 1
    assert "--fresh" in capsys.readouterr().err
    assert cli.main(["process", str(tmp_path / "two"), "-o", str(output), "--fresh", *models]) == 0
    assert all(image["file"].startswith("CAM") for image in json.loads(output.read_text())["images"])


def test_a_file_is_settled_once_it_has_not_changed_for_a_while(tmp_path: Path) -> None:
    now = 100.0
    settling = Settling(10, now=lambda: now)
    (tmp_path / "a").write_bytes(b"x")
    stamp = FileStamp(tmp_path, Path("a"), 1, 5)
    grown = FileStamp(tmp_path, Path("a"), 2, 6)
    assert not settling.settled(stamp)
    now = 109.0
    assert not settling.settled(stamp) and not settling.settled(grown)
    now = 118.0
    assert not settling.settled(grown)
    now = 119.0
    assert settling.settled(grown)
