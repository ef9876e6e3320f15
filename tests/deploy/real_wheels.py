"""Wheels of this checkout and of all that it needs, for tests that install the real program."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.deploy.installation import NETWORK
from tests.deploy.machine import CHECKOUT, Machine, list_hashes


def python_of(machine: Machine) -> str:
    return machine.run("/usr/bin/python3", "-c", "import sys; print('%d.%d' % sys.version_info[:2])").stdout.strip()


def real_wheels(machine: Machine) -> Path:
    """Wheels of this machine, which say that they are a Pi's."""
    wheels, python = machine.shared / "wheels", python_of(machine)
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


def break_the_daemon(wheel: Path) -> None:
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
