"""deploy/*/install.sh with the real program, its real wheels, and a systemd that was really booted."""

from __future__ import annotations

import os
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from edge_runtime.database import open_database
from edge_runtime.journal.journal import FILE_NAME
from edge_runtime.journal.schema import MIGRATIONS
from tests.deploy.installation import NETWORK, NOT_STARTING
from tests.deploy.machine import CHECKOUT, Machine, list_hashes
from tests.deploy.real_wheels import break_the_daemon, python_of, real_wheels


@pytest.mark.slow
def test_the_real_station_and_the_real_device_install_offline_run_and_upgrade(tmp_path: Path) -> None:
    machine = Machine(tmp_path / "machine")
    if not Path("/usr/sbin/mosquitto").exists():
        pytest.skip("mosquitto is not installed, and the station's installer would fetch it")
    wheels, arch, system = real_wheels(machine), os.uname().machine, python_of(machine)
    list_hashes(wheels, arch=arch, python=system)
    machine.write("/usr/local/bin/dpkg", f"#!/bin/sh\necho {'arm64' if arch == 'aarch64' else 'amd64'}\n", mode=0o755)
    done = machine.run(str(CHECKOUT / "deploy/station/install.sh"), "--wheels", str(wheels))
    assert done.returncode == 0, done.stderr
    assert machine.run("/opt/edge-station/venv/bin/edge-station", "decode", "--examples").returncode == 0
    # The Pi's script on a PC: the system says that it is a Pi's, the wheels are the PC's.
    list_hashes(wheels, arch="aarch64", python=system)
    machine.write("/usr/local/bin/dpkg", "#!/bin/sh\necho arm64\n", mode=0o755)
    done = machine.run(str(CHECKOUT / "deploy/raspberry-pi/install.sh"), "--wheels", str(wheels))
    assert done.returncode == 0, done.stderr
    said = machine.run("/opt/edge-runtime/venv/bin/edge-runtime", "status", "-c", "/etc/edge-runtime/device.yaml")
    assert "has the program run with this configuration yet?" in said.stderr
    assert machine.run("/opt/edge-runtime/venv/bin/python", "-c", "import flask").returncode == 1

    # An upgrade over a journal of the schema before: copied for the way back, and only read.
    database = machine.written("/var/lib/edge-runtime") / FILE_NAME
    with closing(open_database(database, MIGRATIONS[:-1])) as connection:
        connection.execute("INSERT INTO meta VALUES ('device', 'ridge-7'), ('epoch', 'aa')")
    machine.run("chown", "-R", "edge-runtime:edge-runtime", "/var/lib/edge-runtime")
    settings = "device: ridge-7\ndata: /var/lib/edge-runtime\ncards: {root: /media/edge-cards}\ntime_zone: UTC\n"
    machine.written("/etc/edge-runtime/device.yaml").write_text(settings)
    again = (str(CHECKOUT / "deploy/raspberry-pi/install.sh"), "--wheels", str(wheels), "--reinstall")
    done = machine.run(*again)
    assert done.returncode == 0, done.stderr
    assert f"schema {len(MIGRATIONS) - 1} becomes {len(MIGRATIONS)}" in done.stdout
    for file in (database, database.with_name("before-upgrade.sqlite")):
        with closing(sqlite3.connect(file)) as connection:
            assert connection.execute("PRAGMA user_version").fetchone() == (len(MIGRATIONS) - 1,)
    assert sorted(path.name for path in database.parent.iterdir() if "upgrade-check" in path.name) == []

    # Settings that the new program does not know are found before the old one is stopped.
    machine.written("/etc/edge-runtime/device.yaml").write_text(settings + "colour: red\n")
    failed = machine.run(*again)
    assert failed.returncode == NOT_STARTING
    assert "device.yaml:5: colour: unknown key" in failed.stderr
    assert machine.written("/opt/edge-runtime/venv").readlink().name == "2"


@pytest.mark.slow
def test_over_the_network_the_real_device_installs_from_the_checkout_and_leaves_the_checkout_alone(
    tmp_path: Path,
) -> None:
    machine = Machine(tmp_path / "machine")
    kept = ("PIP_CERT", "PIP_INDEX_URL", "SSL_CERT_FILE")
    environment = {name: os.environ[name] for name in os.environ if name in kept or "proxy" in name.lower()}
    before = machine.everything()
    done = machine.run(str(CHECKOUT / "deploy/raspberry-pi/install.sh"), env=environment)
    if done.returncode == NETWORK:
        pytest.skip(f"no network: {done.stderr.strip().splitlines()[-1]}")
    assert done.returncode == 0, done.stderr
    assert "camtrap-edge" in machine.run("/opt/edge-runtime/venv/bin/edge-runtime", "--version").stdout
    new = {path.split("/")[0] for path in machine.everything().keys() - before.keys()}
    # The checkout is bound into the machine: what pip left in it would lie in the real one.
    assert new <= {"etc", "media", "opt", "var", "tmp", "root"}, new
    assert not (CHECKOUT / "build").exists()


DRIVER = """\
#!/bin/bash
# What a person types on a board: install, start, upgrade, and an upgrade to a program that fails.
cd {checkout}
say() {{ echo "== $* $(systemctl is-active edge-runtime) $(readlink /opt/edge-runtime/venv)"; }}
deploy/raspberry-pi/install.sh --wheels {wheels}
say installed $?
cp {shared}/device.yaml /etc/edge-runtime/device.yaml
systemctl start edge-runtime
say started $?
deploy/raspberry-pi/install.sh --wheels {wheels} --reinstall
say upgraded $?
deploy/raspberry-pi/install.sh --wheels {shared}/failing
say failed $?
setpriv --reuid=edge-runtime --regid=edge-runtime --clear-groups \\
    /opt/edge-runtime/venv/bin/edge-runtime status -c /etc/edge-runtime/device.yaml
say read $?
deploy/raspberry-pi/install.sh --uninstall
say uninstalled $?
systemctl --no-block poweroff
"""


@pytest.mark.slow
def test_on_a_booted_board_an_upgrade_restarts_the_daemon_and_one_that_fails_ends_with_the_old_one_running(
    tmp_path: Path,
) -> None:
    """systemd, unit, daemon and models are the real ones; only the architecture is said to be a Pi's."""
    if shutil.which("systemd-nspawn") is None:
        pytest.skip("systemd-nspawn is not installed (Debian: apt-get install systemd-container)")
    machine = Machine(tmp_path / "machine")
    wheels = real_wheels(machine)
    failing = machine.shared / "failing"
    shutil.copytree(wheels, failing)
    break_the_daemon(next(failing.glob("camtrap_edge-*.whl")))
    list_hashes(failing, python=python_of(machine))
    (machine.shared / "device.yaml").write_text(
        "device: ridge-7\ndata: /var/lib/edge-runtime\ncards: {root: /media/edge-cards}\ntime_zone: UTC\n"
    )
    driver = DRIVER.format(checkout=CHECKOUT, wheels=wheels, shared=machine.shared)
    machine.write("/driver.sh", driver, mode=0o755)
    units = "/etc/systemd/system"
    machine.write(f"{units}/test.target", "[Unit]\nRequires=basic.target driver.service\nAfter=basic.target\n")
    machine.write(
        f"{units}/driver.service",
        "[Unit]\nDefaultDependencies=no\nAfter=basic.target\n[Service]\nType=exec\nTimeoutStartSec=infinity\n"
        "ExecStart=/driver.sh\nStandardOutput=append:/driver.log\nStandardError=append:/driver.log\n"
        "ExecStopPost=/bin/systemctl --no-block poweroff\n",
    )
    # This machine's own services have no business there.
    masked = ("dbus.socket", "dbus.service", "systemd-udevd.service", "systemd-logind.service", "mosquitto.service")
    machine.written(units).mkdir(parents=True, exist_ok=True)
    for unit in masked:
        machine.written(f"{units}/{unit}").symlink_to("/dev/null")
    booted = machine.run(
        *("timeout", "400", "systemd-nspawn", "--quiet", "--boot", "--register=no", "--keep-unit", "--private-network"),
        *("--console=pipe", f"--machine=edge-install-{os.getpid()}", f"--directory={machine.root}"),
        *(f"--bind-ro={CHECKOUT}", f"--bind={machine.shared}", "systemd.unit=test.target"),
        inside=False,
        prepare='umount -R -l "$root/dev" "$root/proc"',  # the box makes its own
    )
    log = machine.written("/driver.log")
    if not log.exists():
        pytest.skip(f"systemd-nspawn does not run here: {(booted.stdout + booted.stderr)[-500:]}")
    told = log.read_text()
    steps = [line.removeprefix("== ").rstrip() for line in told.splitlines() if line.startswith("== ")]
    assert steps == [
        "installed 0 inactive /opt/edge-runtime/releases/1",
        "started 0 active /opt/edge-runtime/releases/1",
        "upgraded 0 active /opt/edge-runtime/releases/2",
        f"failed {NOT_STARTING} active /opt/edge-runtime/releases/2",
        "read 0 active /opt/edge-runtime/releases/2",
        "uninstalled 0 inactive",
    ], told
