"""Real file systems on loop devices, for tests that are root."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest


def run(*command: str | Path) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


Loop = Callable[..., str]


@pytest.fixture
def loop(tmp_path: Path) -> Iterator[Loop]:
    """Makes a file system in a file and gives it a loop device; whatever is mounted of it is unmounted at the end."""
    if os.geteuid() != 0:
        pytest.skip("needs root: mounts file systems")
    made: list[str] = []

    def make(*, label: str = "", kind: str = "ext4", options: tuple[str, ...] = ()) -> str:
        image = tmp_path / f"card-{len(made)}.img"
        with image.open("wb") as stream:
            stream.truncate(32 * 2**20)
        flags = ("-q", "-L", label) if kind.startswith("ext") else ("-L", label)
        try:
            run(f"mkfs.{kind}", *flags, *options, image)
            made.append(run("losetup", "--find", "--show", image).strip())
        except (FileNotFoundError, subprocess.CalledProcessError) as error:
            pytest.skip(f"no {kind} on a loop device here: {getattr(error, 'stderr', error)}")
        return made[-1]

    yield make
    for device in made:
        while device in Path("/proc/self/mounts").read_text():
            subprocess.run(["umount", "--lazy", device], capture_output=True)
        subprocess.run(["losetup", "--detach", device], capture_output=True)
