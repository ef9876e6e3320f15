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


def make_wheelhouse(folder: Path, arch: str, python: str) -> Path:
    """What wheelhouse.sh fetches; skips where there is no network."""
    made = subprocess.run(
        [str(CHECKOUT / "deploy/install/wheelhouse.sh"), arch, python, str(folder)],
        env={**os.environ, "PIP_PYTHON": sys.executable},
        capture_output=True,
        text=True,
        check=False,
    )
    if made.returncode == NETWORK:
        pytest.skip(f"no wheels for {arch} and Python {python}: {made.stderr.strip().splitlines()[-1]}")
    assert made.returncode == 0, made.stderr
    return folder


def real_wheels(machine: Machine) -> Path:
    """Wheels of this machine, which say that they are a Pi's."""
    python = python_of(machine)
    wheels = make_wheelhouse(machine.shared / "wheels", os.uname().machine, python)
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
