"""From one release to the next by deploy/*/install.sh: what is kept, what is started again, and the way back."""

from __future__ import annotations

from tests.deploy.installation import NOT_STARTING, Board, make_program


def test_an_upgrade_keeps_settings_and_data_and_lays_changed_defaults_beside(board: Board) -> None:
    assert board.install().returncode == 0
    mine = board.edit_settings()
    board.machine.write("/var/lib/edge-runtime/journal.sqlite", "what was seen")
    shipped = board.checkout / "deploy/device.yaml"
    shipped.write_text(shipped.read_text() + "# a new key\n")
    done = board.install(wheels=make_program(board.machine.shared / "newer", "2.0"))
    assert done.returncode == 0, done.stderr
    assert board.machine.run("/opt/edge-runtime/venv/bin/edge-runtime").stdout == "camtrap-edge 2.0\n"
    assert board.machine.written("/etc/edge-runtime/device.yaml").read_text() == mine
    assert board.machine.written("/etc/edge-runtime/device.yaml.new").read_text() == shipped.read_text()
    assert board.machine.written("/var/lib/edge-runtime/journal.sqlite").read_text() == "what was seen"
    assert "checked ['device', '--settings', '/etc/edge-runtime/device.yaml'] 2.0" in done.stdout
    assert "journal ['keep', 'device', '/etc/edge-runtime/device.yaml'" in done.stdout


def test_settings_that_nobody_edited_become_the_new_defaults(board: Board) -> None:
    assert board.install().returncode == 0
    shipped = board.checkout / "deploy/device.yaml"
    shipped.write_text(shipped.read_text() + "# a new key\n")
    assert board.install(wheels=make_program(board.machine.shared / "newer", "2.0")).returncode == 0
    assert board.machine.written("/etc/edge-runtime/device.yaml").read_text() == shipped.read_text()
    assert not board.machine.written("/etc/edge-runtime/device.yaml.new").exists()


def test_an_upgrade_stops_what_runs_and_starts_it_again_and_keeps_one_old_release(board: Board) -> None:
    board.with_systemd()
    assert board.install().returncode == 0
    board.edit_settings()
    board.start("edge-runtime-once.timer")
    board.start("edge-runtime.service")
    for version in ("2.0", "3.0"):
        done = board.install(wheels=make_program(board.machine.shared / version, version))
        assert done.returncode == 0, done.stderr
    calls = [call for call in board.systemctl if call.split()[0] in ("start", "stop")]
    assert sorted(calls[:2]) == ["stop edge-runtime-once.timer", "stop edge-runtime.service"]
    assert sorted(calls[2:4]) == ["start edge-runtime-once.timer", "start edge-runtime.service"]
    assert len(calls) == 8
    releases = board.machine.written("/opt/edge-runtime/releases")
    assert sorted(path.name for path in releases.iterdir() if not path.is_char_device()) == ["2", "3"]


def test_what_did_not_run_before_an_upgrade_is_not_started_by_it(board: Board) -> None:
    board.with_systemd()
    assert board.install().returncode == 0
    board.edit_settings()
    assert board.install(wheels=make_program(board.machine.shared / "newer", "2.0")).returncode == 0
    assert not [call for call in board.systemctl if call.startswith(("start", "stop"))]


def test_a_program_that_does_not_run_here_never_takes_the_old_ones_place(board: Board) -> None:
    board.with_systemd()
    assert board.install().returncode == 0
    board.edit_settings()
    board.start()
    failed = board.install(wheels=make_program(board.machine.shared / "bad", "2.0", check=1))
    assert failed.returncode == NOT_STARTING
    assert "the old one goes on" in failed.stderr
    assert board.release == "1"
    assert not [call for call in board.systemctl if call.startswith("stop")]
    assert not board.machine.written("/opt/edge-runtime/releases/2").is_dir()


def test_a_program_that_does_not_stay_up_is_taken_back_with_its_units_and_the_old_one_runs(board: Board) -> None:
    board.with_systemd()
    assert board.install().returncode == 0
    board.edit_settings()
    board.start()
    unit = board.checkout / "deploy/systemd/edge-runtime.service"
    old = unit.read_text()
    unit.write_text(old + "# newer\n")
    failed = board.install(wheels=make_program(board.machine.shared / "bad", "2.0", start=1))
    assert failed.returncode == NOT_STARTING
    assert "the old one runs again" in failed.stderr
    assert "journal ['put-back', 'device'" in failed.stdout
    assert board.release == "1"
    assert board.machine.run("/opt/edge-runtime/venv/bin/edge-runtime").stdout == "camtrap-edge 1.0\n"
    assert board.machine.written("/etc/systemd/system/edge-runtime.service").read_text() == old
    assert board.machine.written("/run/units/edge-runtime.service").exists()
    assert not board.machine.written("/opt/edge-runtime/releases/2").is_dir()


def test_data_that_went_on_with_the_new_program_is_never_given_to_the_old_one(board: Board) -> None:
    board.with_systemd()
    assert board.install().returncode == 0
    board.edit_settings()
    board.start()
    failed = board.install(wheels=make_program(board.machine.shared / "bad", "2.0", start=1, put_back=1))
    assert failed.returncode == NOT_STARTING
    assert "stays with it" in failed.stderr
    assert board.release == "2"
