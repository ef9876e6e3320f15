"""The whole set of real camera-trap photos through `edge-runtime process`."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from edge_runtime import cli

SUFFIXES = {".jpg", ".jpeg", ".png"}


@pytest.fixture(scope="module")
def results(assets: Path, tmp_path_factory: pytest.TempPathFactory) -> dict:
    output = tmp_path_factory.mktemp("real") / "results.json"
    before = fingerprints(assets / "photos")
    code = cli.main(["process", str(assets / "photos"), "-o", str(output), "--json"])
    assert code == 0
    assert fingerprints(assets / "photos") == before, "an original was touched"
    assert [file.name for file in output.parent.iterdir()] == ["results.json"]
    return json.loads(output.read_text())


def fingerprints(folder: Path) -> dict[str, tuple[str, int]]:
    return {
        str(file): (hashlib.sha256(file.read_bytes()).hexdigest(), file.stat().st_mtime_ns)
        for file in sorted(folder.rglob("*"))
        if file.is_file()
    }


def test_no_photo_is_missing(results: dict, assets: Path) -> None:
    photos = assets / "photos"
    there = sorted(file.relative_to(photos).as_posix() for file in photos.rglob("*") if file.suffix.lower() in SUFFIXES)
    assert sorted(image["file"] for image in results["images"]) == there
    assert len(there) > 70


def test_the_one_broken_photo_is_a_failure_and_the_others_are_none(results: dict) -> None:
    failures = [image for image in results["images"] if "failure" in image]
    assert [(image["file"], image["failure"], image["detections"]) for image in failures] == [
        ("animl_southwest/error_img.JPG", "image access failure", None)
    ]


def test_sizes_and_times_are_those_of_the_truth(results: dict, assets: Path) -> None:
    truth = {record["path"]: record for record in json.loads((assets / "truth" / "manifest.json").read_text())}
    compared = 0
    for image in results["images"]:
        record = truth.get("photos/" + image["file"])
        if record is None or "failure" in image:
            continue
        assert (image["width"], image["height"]) == (record["width"], record["height"])
        if record["exif_datetime"]:
            assert image["datetime"] == record["exif_datetime"]
            compared += 1
    assert compared > 30


def test_animals_are_found_and_some_are_named(results: dict) -> None:
    sure = [
        detection for image in results["images"] for detection in image["detections"] or () if detection["conf"] >= 0.3
    ]
    assert sum(detection["category"] == "1" for detection in sure) >= 20
    assert any(detection.get("classifications") for detection in sure)


def test_a_run_that_was_killed_goes_on_where_it_stopped(results: dict, assets: Path, tmp_path: Path) -> None:
    output = tmp_path / "results.json"
    command = [sys.executable, "-m", "edge_runtime.cli", "process", str(assets / "photos"), "-o", str(output)]
    command += ["--json"]
    journal = tmp_path / "results.json.journal-wal"
    first = subprocess.Popen(command, stdout=subprocess.PIPE)
    deadline = time.monotonic() + 60
    while not (journal.exists() and journal.stat().st_size > 400_000):
        assert first.poll() is None and time.monotonic() < deadline
        time.sleep(0.01)
    os.kill(first.pid, signal.SIGKILL)
    first.wait()
    assert not output.exists()
    second = subprocess.run(command, stdout=subprocess.PIPE, check=True, timeout=300)
    summary = json.loads(second.stdout)
    assert 0 < summary["resumed"] < summary["files"] == len(results["images"])
    assert json.loads(output.read_text())["images"] == results["images"]
