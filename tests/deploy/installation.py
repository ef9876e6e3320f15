"""A machine to run deploy/*/install.sh on, with a small program in place of ours, and the exit codes of the scripts."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.deploy.machine import CHECKOUT, Machine, list_hashes, make_wheel

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
