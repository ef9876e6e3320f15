"""The units: what systemd says of them, and a real systemd that runs them."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
import yaml

from edge_runtime.journal.journal import Journal
from edge_runtime.values import Event
from tests.colour_detector import photo
from tests.conftest import ROOT
from tests.deploy import hanging_detector
from tests.deploy.board import UNITS, Board
from tests.deploy.filesystems import Loop, run
from tests.device.conftest import START

SERVICES = ("edge-runtime.service", "edge-runtime-once.service", "edge-station.service")
ALL = sorted(file.name for file in [*UNITS.glob("*.service"), *UNITS.glob("*.timer")])
# Written for systemd 254; older ones ignore them, and say so.
NEWER_KEYS = ("RestartSteps", "RestartMaxDelaySec")


def analyze(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    program = shutil.which("systemd-analyze")
    if program is None:
        pytest.skip("systemd-analyze is not installed (Debian: apt-get install systemd)")
    return subprocess.run([program, *arguments], capture_output=True, text=True)


def lines(unit: str, section: str = "Service") -> list[str]:
    """The settings of a section, in their order."""
    found, here = [], False
    for line in (UNITS / unit).read_text().splitlines():
        if line.startswith("["):
            here = line == f"[{section}]"
        elif here and line and not line.startswith("#"):
            found.append(line)
    return found


@pytest.mark.parametrize("unit", ALL)
def test_systemd_finds_nothing_wrong_with_a_unit_but_that_the_program_is_not_installed_here(unit: str) -> None:
    name = unit.replace("@.", "@1.")
    # A template is looked at as one of its instances.
    told = analyze("verify", "--man=no", "--generators=no", str(UNITS / name)).stderr.splitlines()
    wrong = [
        line
        for line in told
        if "camtrap" in line or "edge-" in line
        if not re.search(r"/opt/edge-\w+/venv/bin/edge-\w+ is not executable", line)
        if not any(f"Unknown key '{key}'" in line or f"Unknown key name '{key}'" in line for key in NEWER_KEYS)
    ]
    assert wrong == []


@pytest.mark.parametrize("unit", SERVICES)
def test_a_service_is_exposed_by_no_more_than_three_of_ten(unit: str) -> None:
    done = analyze("security", "--offline=yes", "--threshold=30", "--no-pager", str(UNITS / unit))
    if "unrecognized option" in done.stderr:
        pytest.skip(f"this systemd-analyze is too old: {done.stderr.strip()}")
    assert done.returncode == 0, done.stdout[-500:] + done.stderr


def test_the_threshold_would_notice_a_service_without_its_hardening(tmp_path: Path) -> None:
    bare = tmp_path / "edge-runtime.service"
    bare.write_text("[Service]\nUser=edge-runtime\nExecStart=/bin/true\n")
    done = analyze("security", "--offline=yes", "--threshold=30", "--no-pager", str(bare))
    if "unrecognized option" in done.stderr:
        pytest.skip(f"this systemd-analyze is too old: {done.stderr.strip()}")
    assert done.returncode != 0


def test_the_single_run_may_do_no_more_than_the_daemon() -> None:
    first = lines("edge-runtime.service").index("StateDirectory=edge-runtime")
    hardening = lines("edge-runtime.service")[first:]
    assert len(hardening) > 20
    assert lines("edge-runtime-once.service")[-len(hardening) :] == hardening


def test_an_image_without_a_machine_id_starts_the_daemon_and_not_what_powers_the_board_off(tmp_path: Path) -> None:
    """Such a system enables, at its first start, every unit of which no preset speaks (systemd.preset(5))."""
    if shutil.which("systemctl") is None:
        pytest.skip("systemctl is not installed (Debian: apt-get install systemd)")
    presets = tmp_path / "etc/systemd/system-preset"
    shutil.copytree(UNITS, tmp_path / "etc/systemd/system")
    presets.mkdir()
    shutil.copy(UNITS / "50-edge-runtime.preset", presets)
    subprocess.run(["systemctl", f"--root={tmp_path}", "preset-all"], check=True, capture_output=True)
    enabled = {file.name for file in (tmp_path / "etc/systemd/system").glob("*.wants/*")}
    assert "edge-runtime.service" in enabled and "edge-runtime-once.timer" not in enabled, enabled


@pytest.mark.parametrize(("role", "service"), [("device", "edge-runtime"), ("station", "edge-station")])
def test_the_units_folders_are_those_of_the_shipped_settings(role: str, service: str) -> None:
    settings = yaml.safe_load((ROOT / "deploy" / f"{role}.yaml").read_text())
    assert settings["data"] == f"/var/lib/{service}"
    assert f"StateDirectory={service}" in lines(f"{service}.service")


def camera(folder: Path, photos: int, *, hour: int, gap: int = 3) -> list[int]:
    """Photos of single animals, each an event of its own; returns the events' moments, seconds after the start."""
    folder.mkdir(parents=True)
    moments = [hour * 3600 + gap * number for number in range(photos)]
    for number, seconds in enumerate(moments):
        taken = START + timedelta(seconds=seconds)
        data = photo({(1, 1): "animal"}, taken=taken, seed=hour * 10_000 + number)
        (folder / f"IMG_{number:04d}.JPG").write_bytes(data)
    return moments


@pytest.fixture(scope="module")
def hanging_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return hanging_detector.build_bundle(tmp_path_factory.mktemp("bundles") / "hanging").folder


def add_hanging_photo(folder: Path) -> None:
    folder.mkdir(parents=True)
    (folder / "HANGS.JPG").write_bytes(photo(hanging_detector.HANGS, taken=START, seed=77_777))


@pytest.mark.slow
def test_on_a_real_systemd_nothing_is_lost_or_doubled_by_kills_and_hanging_photos(
    tmp_path: Path, hanging_bundle: Path, loop: Loop
) -> None:
    reader = loop(label="LATE")
    late = tmp_path / "late"
    late.mkdir()
    run("mount", reader, late)
    moments = camera(late / "DCIM", 7, hour=2)
    run("umount", late)
    driver = (Path(__file__).parent / "driver.py").read_text()
    board = Board(tmp_path, hanging_bundle, driver=driver, reader=reader)
    board.configure()
    board.etc("systemd/system/edge-runtime.service.d/test.conf", "[Service]\nWatchdogSec=3s\nRestartSec=200ms\n")
    stock, cards = board.root / "stock", board.root / "media/edge-cards"
    moments += camera(cards / "ONE" / "DCIM", 5, hour=1)
    moments += camera(stock / "TWO" / "DCIM", 900, hour=3)
    add_hanging_photo(stock / "HANGS" / "DCIM")
    board.boot(seconds=110)
    findings_file = board.root / "findings.json"
    assert findings_file.exists(), board.told()
    findings = json.loads(findings_file.read_text())
    assert findings["state_after_start"] == "active" and findings["seconds_to_ready"] < 30
    (options,) = findings["card_options"]
    assert {"ro", "nosuid", "nodev", "noexec"} <= set(options.split(","))
    assert findings["photos_on_late_card"] == 7 and findings["late_card_is_gone"]
    assert findings["restarts_by_watchdog"] == 3
    assert findings["result"] == "success" and findings["seconds_to_stop"] < 10

    # What it may do, as it really ran.
    assert int(findings["capabilities"], 16) == 0 and findings["no_new_privileges"] == "1"
    assert findings["nice"] == 5 + 3
    writable = {place for place, may in findings["writes"].items() if may}
    assert writable == {"/var/lib/edge-runtime", "/tmp"}

    log = board.log("edge-runtime.service")
    assert log.count("Watchdog timeout") == 3 and "onnxruntime_engine.py" in log, "where it hung is not told"
    with closing(Journal(board.root / "var/lib/edge-runtime/journal.sqlite", device="hut-1")) as journal:
        totals = journal.ledger.totals()
        assert (totals.photos, totals.failed, totals.duplicates) == (len(moments), 1, 0)
        sent = [entry.summary for entry in journal.outbox.after(0, limit=10_000)]
    zero = min(event.start_s or 0 for event in sent if isinstance(event, Event)) - min(moments)
    assert sorted((event.start_s or 0) - zero for event in sent if isinstance(event, Event)) == sorted(moments)


ONCE_SOON = "[Timer]\nOnBootSec=\nOnBootSec=1s\n"


def board_that_sleeps(tmp_path: Path, bundle: Path) -> Board:
    board = Board(tmp_path, bundle, driver=None)
    board.configure()
    board.wanted("edge-runtime-once.timer")
    board.etc("systemd/system/edge-runtime-once.timer.d/test.conf", ONCE_SOON)
    board.etc("systemd/system/edge-runtime-once.service.d/test.conf", "[Service]\nWatchdogSec=3s\n")
    # Ten minutes for a person are two seconds for the test.
    once = board.root / "etc/systemd/system/edge-runtime-once.service"
    text = once.read_text()
    assert text.count("edge-runtime-poweroff@600.service") == 1
    once.write_text(text.replace("edge-runtime-poweroff@600.service", "edge-runtime-poweroff@2.service"))
    return board


@pytest.mark.slow
def test_a_board_that_sleeps_reads_its_card_and_powers_itself_off_though_no_station_answers(
    tmp_path: Path, hanging_bundle: Path
) -> None:
    board = board_that_sleeps(tmp_path, hanging_bundle)
    moments = camera(board.root / "media/edge-cards/ONE/DCIM", 12, hour=1)
    board.boot(seconds=40)
    log = board.log("edge-runtime-once.service")
    assert "summaries not acknowledged" in log and "Deactivated successfully" in log, board.told()
    assert "power off in 0 s" in board.log("edge-runtime-poweroff@0.service")
    with closing(Journal(board.root / "var/lib/edge-runtime/journal.sqlite", device="hut-1")) as journal:
        assert journal.ledger.totals().photos == len(moments)
        assert journal.outbox.waiting() == len(moments) + 1  # and the report of the card


@pytest.mark.slow
@pytest.mark.parametrize(
    ("fault", "kept"),
    [
        ("settings", "did you mean 'events'"),
        ("hang", "Watchdog timeout"),
        ("too long", "Service reached runtime time limit"),
    ],
)
def test_a_board_that_sleeps_powers_itself_off_after_a_failure_and_keeps_what_it_was(
    tmp_path: Path, hanging_bundle: Path, fault: str, kept: str
) -> None:
    board = board_that_sleeps(tmp_path, hanging_bundle)
    if fault == "settings":
        board.configure(evnets={"gap_seconds": 5})
    elif fault == "too long":
        # It waits for a station that never comes.
        board.configure(uplink={"port": 1, "drain_seconds": 3600})
        camera(board.root / "media/edge-cards/ONE/DCIM", 3, hour=1)
        board.etc("systemd/system/edge-runtime-once.service.d/limit.conf", "[Service]\nRuntimeMaxSec=4s\n")
    else:
        add_hanging_photo(board.root / "media/edge-cards/ONE/DCIM")
    board.boot(seconds=40)
    assert kept in board.log("edge-runtime-once.service"), board.told()
    assert "power off in 2 s" in board.log("edge-runtime-poweroff@2.service")


PERSON_DRIVER = """
import json, subprocess, time
from pathlib import Path

def show(name, unit):
    command = ["systemctl", "show", f"--property={name}", "--value", unit]
    return subprocess.run(command, capture_output=True, text=True).stdout.strip()

once, off = "edge-runtime-once.service", "edge-runtime-poweroff@0.service"
findings = {}
subprocess.run(["systemctl", "start", once], check=True)
while "reading" not in show("StatusText", once):
    time.sleep(0.05)
subprocess.run(["systemctl", "stop", once], check=True)
time.sleep(2)
findings["stopped"] = [show("Result", once), show("ActiveState", off), show("ExecMainStartTimestamp", off)]
Path("/etc/edge-runtime/stay-awake").touch()
subprocess.run(["systemctl", "start", once], check=True)
while show("ActiveState", once) != "inactive":
    time.sleep(0.1)
time.sleep(2)
findings["kept awake"] = [show("Result", once), show("ActiveState", off), show("ExecMainStartTimestamp", off)]
Path("/findings.json").write_text(json.dumps(findings))
Path("/etc/edge-runtime/stay-awake").unlink()
# And without either it goes off by itself, though it was stopped before.
subprocess.run(["systemctl", "start", once], check=True)
time.sleep(60)
"""


@pytest.mark.slow
def test_a_person_who_stops_the_run_or_asks_for_it_keeps_the_board_awake(tmp_path: Path, hanging_bundle: Path) -> None:
    board = Board(tmp_path, hanging_bundle, driver=PERSON_DRIVER)
    board.configure()
    camera(board.root / "media/edge-cards/ONE/DCIM", 300, hour=1)
    board.boot(seconds=50)
    assert (board.root / "findings.json").exists(), board.told()
    findings = json.loads((board.root / "findings.json").read_text())
    assert findings == {"stopped": ["success", "inactive", ""], "kept awake": ["success", "inactive", ""]}
    assert "power off in 0 s" in board.log("edge-runtime-poweroff@0.service")


STATION_DRIVER = """
import subprocess, time, urllib.request
subprocess.run(["systemctl", "start", "edge-station"], check=True)
for _ in range(200):
    try:
        page = urllib.request.urlopen("http://127.0.0.1:8080/").read().decode()
        break
    except OSError:
        time.sleep(0.1)
open("/page.html", "w").write(page)
begun = time.monotonic()
subprocess.run(["systemctl", "stop", "edge-station"], check=True)
show = ["systemctl", "show", "--property=Result,NRestarts", "edge-station"]
open("/ended", "w").write(subprocess.run(show, capture_output=True, text=True).stdout)
subprocess.run(["systemctl", "--no-block", "poweroff"], check=True)
"""


@pytest.mark.slow
def test_the_station_shows_its_page_under_its_unit_and_stops_when_told(tmp_path: Path, hanging_bundle: Path) -> None:
    pytest.importorskip("flask", reason="the station's parts are not installed")
    board = Board(tmp_path, hanging_bundle, driver=STATION_DRIVER)
    board.etc("edge-station/station.yaml", yaml.safe_dump({"data": "/var/lib/edge-station", "broker": {"port": 1}}))
    board.boot(seconds=60)
    assert (board.root / "ended").exists(), board.told() + board.log("edge-station.service")
    assert "<html" in (board.root / "page.html").read_text()
    assert set((board.root / "ended").read_text().split()) == {"Result=success", "NRestarts=0"}
    assert (board.root / "var/lib/edge-station").stat().st_mode & 0o777 == 0o750


@pytest.mark.slow
def test_the_journals_limits_are_understood_by_journald(tmp_path: Path, hanging_bundle: Path) -> None:
    board = Board(tmp_path, hanging_bundle, driver="import subprocess\nsubprocess.run(['systemctl', 'poweroff'])\n")
    board.etc("systemd/journald.conf.d/edge.conf", (UNITS / "journald-edge.conf").read_text())
    board.boot(seconds=30)
    log = board.log("systemd-journald.service")
    assert "max 64.0M" in log and "Unknown key" not in log and "Failed to parse" not in log
