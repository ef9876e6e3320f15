"""`make run` as a person types it."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from tests import card_plan


def tryout(data: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "edge_runtime.tryout", "--once", "--data", str(data), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=300)


def test_the_sample_card_reaches_the_station_event_by_event(tmp_path: Path) -> None:
    done = tryout(tmp_path)
    assert done.returncode == 0, done.stderr
    rows = re.findall(
        r"^2026-05-0\d \d\d:\d\d:\d\d  (waterhole|forest track) +(\d+) (\S.*?)  ", done.stdout, re.MULTILINE
    )
    assert len(rows) == 13
    assert {what for _, _, what in rows} == {"domestic cat", "person", "vehicle"}
    assert ("forest track", "2", "domestic cat") in rows
    assert re.search(r"photos +44, of these 9 empty", done.stdout)
    assert re.search(r"not read +3 unreadable, 0 videos; 1 duplicates", done.stdout)
    assert re.search(r"acknowledged +14 of 14 summaries", done.stdout)
    assert re.search(r"the ranger's page: http://127\.0\.0\.1:\d+/", done.stdout)


def test_a_folder_of_ones_own_is_read_and_left_as_it_is(tmp_path: Path, colour_bundle: Path) -> None:
    plan = card_plan.build(tmp_path / "mine", bursts=3)
    before = plan.fingerprints()
    models = ["--detector", str(colour_bundle), "--classifier", "none"]
    done = tryout(tmp_path / "work", *models, "--card", str(plan.folder))
    assert done.returncode == 0, done.stderr
    assert re.search(rf"photos +{plan.photos}, of these {plan.empty} empty", done.stdout)
    assert re.search(rf"events +{len(plan.events)}$", done.stdout, re.MULTILINE)
    assert plan.fingerprints() == before


def test_without_a_detector_it_says_what_to_do_and_starts_nothing(tmp_path: Path) -> None:
    done = tryout(tmp_path, "--detector", str(tmp_path / "nowhere"))
    assert done.returncode == 2
    assert "no bundle" in done.stderr and "edge-export" in done.stderr and "Traceback" not in done.stderr
    assert not (tmp_path / "card").exists()


def test_a_folder_that_does_not_exist_is_said_in_one_line(tmp_path: Path, colour_bundle: Path) -> None:
    models = ["--detector", str(colour_bundle), "--classifier", "none"]
    done = tryout(tmp_path, *models, "--card", str(tmp_path / "nowhere"))
    assert done.returncode != 0 and "nowhere" in done.stderr and "Traceback" not in done.stderr
