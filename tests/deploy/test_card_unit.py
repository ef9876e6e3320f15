"""The unit that mounts cards, edge-card@.service: its commands as systemd would hand them over."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.deploy.filesystems import Loop, run

UNIT = ROOT / "deploy" / "systemd" / "edge-card@.service"


def mount_options(folder: Path) -> set[str]:
    for line in Path("/proc/self/mounts").read_text().splitlines():
        if line.split()[1] == str(folder):
            return set(line.split()[3].split(","))
    return set()


def script(name: str, device: str) -> str:
    """What the unit has `sh` do, as systemd would hand it over."""
    text = UNIT.read_text().replace("\\\n", " ")
    (found,) = re.findall(rf"^{name}=/bin/sh -euc '(.*)'$", text, re.MULTILINE)
    kernel_name = device.removeprefix("/dev/")
    return found.replace("\\\\", "\\").replace("%i", kernel_name).replace("%I", kernel_name).replace("$$", "$")


def card(what: str, device: str, cards: Path, *, path: str = "") -> subprocess.CompletedProcess[str]:
    environment = {"LC_ALL": "C", "CARDS": str(cards), "DEVICE": device}
    environment["PATH"] = f"{path}:{os.environ['PATH']}" if path else os.environ["PATH"]
    return subprocess.run(["/bin/sh", "-euc", script(what, device)], env=environment, capture_output=True, text=True)


def test_a_card_is_mounted_read_only_under_its_label_and_not_a_bit_of_it_changes(loop: Loop, tmp_path: Path) -> None:
    cards = tmp_path / "cards"
    device = loop(label="CAM 01/x")
    before = (tmp_path / "card-0.img").read_bytes()
    done = card("ExecStart", device, cards)
    assert done.returncode == 0, done.stderr
    (folder,) = cards.iterdir()
    assert folder.name == "CAM_01_x"
    assert {"ro", "nosuid", "nodev", "noexec", "norecovery"} <= mount_options(folder)
    with os.scandir(folder):
        # Pulled while it is open: the mount goes from everybody's sight at once.
        assert card("ExecStop", device, cards).returncode == 0
        assert mount_options(folder) == set() and list(cards.iterdir()) == []
    run("sync")
    assert (tmp_path / "card-0.img").read_bytes() == before


def test_two_cards_of_one_label_and_names_that_are_never_read_get_their_uuids(loop: Loop, tmp_path: Path) -> None:
    cards = tmp_path / "cards"
    for label in ("CAMERA", "CAMERA", "", "Backup", ".hidden"):
        done = card("ExecStart", loop(label=label), cards)
        assert done.returncode == 0, done.stderr
    names = sorted(folder.name for folder in cards.iterdir())
    assert len(names) == 5 and "CAMERA" in names
    assert all(re.fullmatch("[0-9a-f-]{36}", name) for name in names if name != "CAMERA")


def test_what_the_system_has_mounted_itself_is_left_alone(loop: Loop, tmp_path: Path) -> None:
    cards, elsewhere = tmp_path / "cards", tmp_path / "elsewhere"
    elsewhere.mkdir()
    device = loop(label="rootfs")
    run("mount", device, elsewhere)
    done = card("ExecStart", device, cards)
    assert done.returncode == 0 and "belongs to the system" in done.stdout and not cards.exists()
    assert card("ExecStop", device, cards).returncode == 0
    assert "rw" in mount_options(elsewhere)


def test_other_file_systems_are_left_alone(loop: Loop, tmp_path: Path) -> None:
    done = card("ExecStart", loop(label="OLD", kind="ext2"), tmp_path / "cards")
    assert done.returncode == 0 and "holds no vfat, exfat or ext4" in done.stdout


@pytest.mark.parametrize(
    ("kind", "has"),
    [("vfat", ["utf8", "tz=UTC", "umask=0227"]), ("exfat", ["umask=0227"]), ("ext4", ["noload"])],
)
def test_every_file_system_gets_the_options_that_keep_it_as_it_is(tmp_path: Path, kind: str, has: list[str]) -> None:
    """The commands are stand-ins here: not every kernel has these file systems."""
    programs = {
        "findmnt": "exit 1",
        "mountpoint": "exit 1",
        "blkid": f'case "$3" in TYPE) echo {kind};; LABEL) echo CARD;; UUID) echo 1234-ABCD;; esac',
        "id": "echo 987",
        "mount": f'echo "$@" >{tmp_path}/mounted',
    }
    for name, does in programs.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{does}\n")
        (tmp_path / name).chmod(0o755)
    done = card("ExecStart", "/dev/sdz1", tmp_path / "cards", path=str(tmp_path))
    assert done.returncode == 0, done.stderr
    words = (tmp_path / "mounted").read_text().split()
    options = words[words.index("--options") + 1].split(",")
    assert {"ro", "nosuid", "nodev", "noexec", *has} <= set(options)
    assert ("gid=987" in options) == (kind != "ext4")
    assert words[words.index("--types") + 1] == kind and words[-1] == f"{tmp_path}/cards/CARD"
