"""What deploy/*/install.sh refuses to do, with an exit code of its own for each reason."""

from __future__ import annotations

import socket
import subprocess
from pathlib import Path

import pytest

from tests.deploy.installation import ARCHITECTURE, BITS, DISK, NETWORK, NOT_ROOT, PYTHON, USAGE, WHEELS, Board
from tests.deploy.machine import CHECKOUT, list_hashes, make_wheel


@pytest.mark.parametrize("options", [["--frobnicate"], ["--wheels"], ["--root", "/nowhere"], ["--purge"]])
def test_a_wrong_option_is_said_and_has_its_own_exit_code(options: list[str]) -> None:
    script = str(CHECKOUT / "deploy/raspberry-pi/install.sh")
    ended = subprocess.run([script, *options], capture_output=True, text=True, check=False)
    assert ended.returncode == USAGE
    assert options[0] in ended.stderr


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
