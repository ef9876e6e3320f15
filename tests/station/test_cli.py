"""`edge-station` as a person runs it."""

from __future__ import annotations

import csv
import io
import json
import re
import signal
import socket
import subprocess
import sys
import urllib.request
from contextlib import closing
from pathlib import Path

import pytest

from edge_runtime.station.cli import main
from edge_runtime.station.explain import examples
from edge_runtime.station.store import FILE_NAME, Store
from tests.broker import Mosquitto, free_port
from tests.station.device import (
    NOW_S,
    Device,
    arrivals,
    book,
    event,
    eventually,
    introduction,
    message,
    seen,
    sighting,
)

BOOK = book()
COMMAND = [sys.executable, "-m", "edge_runtime.station.cli"]


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """Settings of a station that holds two events."""
    with closing(Store(tmp_path / "data" / FILE_NAME)) as store:
        store.commit(introduction(BOOK, 1, 3))
        store.commit(arrivals(("ct/1/ridge/e", message(BOOK, 1, [event(0, count=2), event(1, label=2)]))))
    file = tmp_path / "station.yaml"
    file.write_text("data: data\ntime_zone: Africa/Nairobi\n")
    return file


def test_serve_receives_shows_the_page_and_ends_cleanly_when_asked(tmp_path: Path, broker: Mosquitto) -> None:
    file = tmp_path / "station.yaml"
    file.write_text(f"data: data\nbroker: {{port: {broker.port}}}\nweb: {{port: 0}}\n")
    log = tmp_path / "log"
    with log.open("wb") as stream:
        process = subprocess.Popen([*COMMAND, "serve", "-c", str(file)], stderr=stream)
    eventually(lambda: "the page is at" in log.read_text(), "the page's address is told")
    url = re.search(r"http://\S+", log.read_text())
    assert url
    with closing(Device(broker.port, BOOK)) as device:
        device.introduce(1, 2)
        device.send(1, [event(0)])
        eventually(lambda: device.acknowledged == {1}, "the event is acknowledged")
    with urllib.request.urlopen(url[0], timeout=10) as answer:
        assert "Leopard" in answer.read().decode()
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=20) == 0
    assert "Traceback" not in log.read_text()


def test_serve_on_a_taken_port_says_so_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    port = free_port()
    file = tmp_path / "station.yaml"
    file.write_text(f"data: data\nbroker: {{port: {free_port()}}}\nweb: {{port: {port}}}\n")
    with socket.create_server(("127.0.0.1", port)):
        assert main(["serve", "-c", str(file)]) == 1
    said = capsys.readouterr().err
    assert f"127.0.0.1:{port}" in said
    assert "Traceback" not in said


def test_a_wrong_configuration_names_file_line_and_key(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "station.yaml"
    file.write_text("data: data\nweb:\n  prot: 80\n")
    assert main(["serve", "-c", str(file)]) == 2
    assert capsys.readouterr().err == f"edge-station: {file}:3: web.prot: unknown key (did you mean 'port'?)\n"


def test_events_are_told_newest_first_in_the_stations_zone(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["events", "-c", str(config)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line[:20].endswith(minute) for line, minute in zip(lines, ("17:14", "17:13"), strict=True)] == [True, True]
    assert [line[22:] for line in lines] == [
        "Person × 1 at cam7  (80%, ridge)",
        "Leopard × 2 at cam7  (80%, ridge)",
    ]


def test_events_as_json_can_be_limited(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["events", "-c", str(config), "--json", "--limit", "1"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [(each["device"], each["counts"][0]["label"]) for each in found] == [("ridge", "person")]


def test_events_as_csv_have_a_row_for_each_label(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["events", "-c", str(config), "--csv"]) == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert [(row["camera"], row["start"], row["label"], row["count"]) for row in rows] == [
        ("cam7", "2026-09-21T14:14:20Z", "person", "1"),
        ("cam7", "2026-09-21T14:13:20Z", "leopard", "2"),
    ]


@pytest.fixture
def known(config: Path) -> Path:
    """The same station, which has heard of a known animal beside another, for review."""
    both = book(epoch="00000000000000b2", individuals=("F12",))
    with closing(Store(config.parent / "data" / FILE_NAME)) as store:
        store.commit(introduction(both, 1, 2))
        told = [sighting(seen(1, 0), seen(1), at=NOW_S + 120, review=True)]
        store.commit(arrivals(("ct/1/ridge/e", message(both, 1, told))))
    return config


def test_known_animals_and_what_is_to_review_are_told(known: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["events", "-c", str(known), "--limit", "1"]) == 0
    told = capsys.readouterr().out.rstrip()
    assert told[22:] == "Leopard × 2 (one of them F12) at cam7  (80%, F12 alike 6 of 7, ridge, to review)"


def test_individuals_and_the_review_flag_are_columns_of_the_csv(
    known: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["events", "-c", str(known), "--csv"]) == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert [[row[name] for name in ("label", "individual", "individual_score", "review")] for row in rows] == [
        ["leopard", "F12", "0.86", "1"],
        ["leopard", "", "", "1"],
        ["person", "", "", "0"],
        ["leopard", "", "", "0"],
    ]


def test_individuals_and_the_review_flag_are_in_the_json(known: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["events", "-c", str(known), "--json"]) == 0
    latest, *others = json.loads(capsys.readouterr().out)
    assert [(count["individual"], count["individual_score"]) for count in latest["counts"]] == [
        ("F12", pytest.approx(6 / 7)),
        (None, None),
    ]
    assert [each["review"] for each in (latest, *others)] == [True, False, False]


def test_events_of_a_station_that_never_ran_is_an_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "station.yaml"
    file.write_text("data: nothing\n")
    assert main(["events", "-c", str(file)]) == 1
    assert "does not exist" in capsys.readouterr().err


def test_decode_explains_a_payload_with_names(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "ridge.m"
    file.write_bytes(BOOK.to_bytes())
    payload = message(BOOK, 1, [event(0)]).hex(" ")
    assert main(["decode", payload, "--codebook", str(file)]) == 0
    said = capsys.readouterr().out
    assert "leopard" in said
    assert "cam7" in said
    assert main(["decode", payload, "--codebook", str(file), "--json"]) == 0
    record = json.loads(capsys.readouterr().out)["records"][0]
    assert (record["camera_name"], record["species"][0]["label"]) == ("cam7", "leopard")


def test_decode_names_individuals(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "ridge.m"
    named = book(individuals=("F12",))
    for codebook, name in ((named, "F12"), (BOOK, None)):
        file.write_bytes(codebook.to_bytes())
        payload = message(codebook, 1, [sighting(seen(1, 0))]).hex()
        assert main(["decode", payload, "--codebook", str(file)]) == 0
        assert ("number 0: F12" in capsys.readouterr().out) == (name is not None)
        assert main(["decode", payload, "--codebook", str(file), "--json"]) == 0
        identity = json.loads(capsys.readouterr().out)["records"][0]["species"][0]["identity"]
        assert identity == {"individual": 0, "score": pytest.approx(6 / 7), "name": name}


def test_decode_prints_every_vector_of_the_specification(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["decode", "--examples"]) == 0
    said = capsys.readouterr().out
    assert all(f"({example.size} bytes)" in said and example.hex in said for example in examples())
    assert main(["decode", "--examples", "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)) == len(examples()) > 5


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["decode", "xyz"], 1, "no hexadecimal"),
        (["decode"], 1, "--examples"),
        (["decode", "00", "--json"], 1, "bit 0"),
        (["decode", "00", "--codebook", "/nowhere/book"], 2, "/nowhere/book"),
        (["events", "-c", "/nowhere/station.yaml"], 2, "/nowhere/station.yaml"),
    ],
)
def test_mistakes_end_in_one_line_that_says_what_is_wrong(
    arguments: list[str], code: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == code
    error = capsys.readouterr().err
    assert error.startswith("edge-station: ")
    assert said in error
    assert error.count("\n") == 1


def test_help_shows_examples_for_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--help"])
    assert ended.value.code == 0
    said = capsys.readouterr().out
    assert all(f"edge-station {command}" in said for command in ("serve", "events", "decode"))
