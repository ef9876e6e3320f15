"""Cards that are mounted, pulled and break, with real file systems: they need root and skip without it."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from edge_runtime.errors import CardGoneError, PhotoError
from edge_runtime.intake.identity import read
from edge_runtime.intake.scan import scan

Mount = Callable[..., Path]


def run(*command: str | Path) -> None:
    subprocess.run(command, check=True, capture_output=True)


@pytest.fixture
def mount(tmp_path: Path) -> Iterator[Mount]:
    """Mounts something at `tmp_path / "media" / name`; whatever is still mounted is unmounted at the end."""
    if os.geteuid() != 0:
        pytest.skip("needs root: mounts file systems")
    mounted: list[Path] = []

    def at(name: str, *arguments: str | Path) -> Path:
        folder = tmp_path / "media" / name
        folder.mkdir(parents=True, exist_ok=True)
        done = subprocess.run(["mount", *arguments, folder], capture_output=True, text=True)
        if done.returncode:
            pytest.skip(f"this machine mounts no {arguments}: {done.stderr.strip()}")
        mounted.append(folder)
        return folder

    yield at
    for folder in reversed(mounted):
        subprocess.run(["umount", "-l", folder], capture_output=True)


@pytest.fixture
def image(tmp_path: Path) -> Path:
    """A file that holds an empty ext4 file system of 16 MB."""
    file = tmp_path / "card.img"
    with file.open("wb") as stream:
        stream.truncate(16 * 2**20)
    try:
        run("mkfs.ext4", "-q", "-O", "^has_journal", file)
    except (FileNotFoundError, subprocess.CalledProcessError) as error:
        pytest.skip(f"no mkfs.ext4: {error}")
    return file


def fill(card: Path) -> None:
    folder = card / "DCIM" / "100MEDIA"
    folder.mkdir(parents=True)
    for n in range(3):
        (folder / f"IMG_{n}.JPG").write_bytes(os.urandom(200_000))


def test_a_card_pulled_from_under_a_watched_folder_leaves_the_others_alone(mount: Mount, tmp_path: Path) -> None:
    for name in ("A", "B"):
        fill(mount(name, "-t", "tmpfs", "card"))
    media = tmp_path / "media"
    stamps = scan(media).photos
    assert len(stamps) == 6
    run("umount", media / "A")
    with pytest.raises(CardGoneError):
        read(stamps[0])
    assert len(read(stamps[3])) == 200_000
    found = scan(media)
    assert found.photos == stamps[3:]
    assert found.problems == ()
    fill(mount("A", "-t", "tmpfs", "card"))
    assert len(scan(media).photos) == 6


def test_a_photo_at_the_top_of_a_pulled_card_is_gone_with_it(mount: Mount, tmp_path: Path) -> None:
    card = mount("A", "-t", "tmpfs", "card")
    (card / "IMG_1.JPG").write_bytes(b"x")
    (stamp,) = scan(tmp_path / "media").photos
    run("umount", card)
    with pytest.raises(CardGoneError) as caught:
        read(stamp)
    assert caught.value.card == card


def test_a_card_that_is_mounted_read_only_is_read(mount: Mount, image: Path, tmp_path: Path) -> None:
    card = mount("A", "-o", "loop", image)
    fill(card)
    run("mount", "-o", "remount,ro", card)
    stamps = scan(card).photos
    assert [len(read(stamp)) for stamp in stamps] == [200_000] * 3
    with pytest.raises(OSError, match="Read-only"):
        (card / "written").write_bytes(b"x")


def test_a_dead_card_that_is_still_mounted_is_a_problem_of_its_own(mount: Mount, image: Path, tmp_path: Path) -> None:
    good = mount("B", "-t", "tmpfs", "card")
    fill(good)
    card = mount("A", "-o", "loop", image)
    fill(card)
    stamps = scan(tmp_path / "media").photos
    assert len(stamps) == 6
    run("umount", card)
    mount("A", "-o", "loop,ro", image)  # nothing of it is in memory any more
    os.truncate(image, 0)  # from here on every read of the medium fails
    found = scan(tmp_path / "media")
    assert [stamp.path.parts[0] for stamp in found.photos] == ["B"] * 3
    assert [problem.path for problem in found.problems] == [card / "DCIM"] or found.problems[0].path == card
    assert found.problems[0].reason == "Input/output error"
    with pytest.raises(CardGoneError):
        read(stamps[0])
    assert len(read(stamps[3])) == 200_000


def test_a_card_that_dies_after_it_was_listed_gives_its_files_as_errors(mount: Mount, image: Path) -> None:
    fill(mount("A", "-o", "loop", image))
    card = image.parent / "media" / "A"
    run("umount", card)
    mount("A", "-o", "loop,ro", image)
    stamps = scan(card).photos
    os.truncate(image, 0)
    with pytest.raises((CardGoneError, PhotoError)) as caught:
        read(stamps[2])
    assert "Input/output error" in str(caught.value)
    assert not isinstance(caught.value, PhotoError) or not caught.value.final
