from __future__ import annotations

import errno
import hashlib
import os
import shutil
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from edge_runtime.errors import CardGoneError, IncompletePhotoError, PhotoError, UnreadablePhotoError
from edge_runtime.intake.completeness import check
from edge_runtime.intake.identity import announce, picture_hash, read
from edge_runtime.intake.scan import scan
from edge_runtime.values import FileStamp
from tests.intake.conftest import encode, let_anybody_in, noise

Put = Callable[..., Path]


def only(card: Path) -> FileStamp:
    (stamp,) = scan(card).photos
    return stamp


def test_a_file_is_read_as_the_scan_saw_it_and_left_as_it_is(tmp_path: Path, put: Put) -> None:
    data = os.urandom(3_000_000)
    file = put("DCIM/1.jpg", data, 1_600_000_000)
    file.chmod(0o444)
    file.parent.chmod(0o555)
    before = file.stat()
    assert read(only(tmp_path / "card")) == data
    after = file.stat()
    assert (before.st_mtime_ns, before.st_ctime_ns, before.st_size) == (
        after.st_mtime_ns,
        after.st_ctime_ns,
        after.st_size,
    )
    file.parent.chmod(0o755)


def test_a_file_that_changed_since_the_scan_is_not_taken(tmp_path: Path, put: Put) -> None:
    file = put("1.jpg", b"one", 1_600_000_000)
    stamp = only(tmp_path / "card")
    file.write_bytes(b"two")
    with pytest.raises(IncompletePhotoError, match="changed since"):
        read(stamp)


def test_a_file_that_is_written_while_it_is_read_is_never_taken_half(tmp_path: Path, put: Put) -> None:
    # A writer fills the file and starts anew, without a pause. Whatever a scan and a read make of it, they never give
    # bytes that are not exactly what the scan saw.
    file = put("1.jpg", b"x")
    stop = threading.Event()

    def write() -> None:
        while not stop.is_set():
            with file.open("wb", buffering=0) as stream:
                for _ in range(2000):
                    stream.write(b"x" * 5000)

    writer = threading.Thread(target=write)
    writer.start()
    changed = 0
    try:
        while changed < 20:
            stamp = only(tmp_path / "card")
            try:
                assert len(read(stamp)) == stamp.size
            except IncompletePhotoError as error:
                assert "changed" in error.problem
                changed += 1
    finally:
        stop.set()
        writer.join()
    stamp = only(tmp_path / "card")
    assert len(read(stamp)) == stamp.size == file.stat().st_size


def test_announcing_a_file_leaves_whatever_is_wrong_with_it_to_its_reading(tmp_path: Path, put: Put) -> None:
    file = put("1.jpg")
    stamp = only(tmp_path / "card")
    before = file.stat()
    announce(stamp)
    after = file.stat()
    assert (after.st_mtime_ns, after.st_ctime_ns, after.st_size) == (
        before.st_mtime_ns,
        before.st_ctime_ns,
        before.st_size,
    )
    assert len(read(stamp)) == stamp.size
    file.unlink()
    announce(stamp)
    os.mkfifo(file)
    announce(stamp)  # would wait for a writer for ever if it opened the pipe like a file
    file.unlink()
    shutil.rmtree(tmp_path / "card")
    announce(stamp)
    with pytest.raises(CardGoneError):
        read(stamp)


def test_a_file_that_is_too_large_is_refused_unread(tmp_path: Path, put: Put) -> None:
    file = put("1.jpg")
    os.truncate(file, 2**40)
    with pytest.raises(UnreadablePhotoError, match="larger than 128 MiB"):
        read(only(tmp_path / "card"))


def test_a_link_that_took_a_files_place_is_not_followed(tmp_path: Path, put: Put) -> None:
    file = put("1.jpg")
    stamp = only(tmp_path / "card")
    file.unlink()
    (tmp_path / "secret").write_bytes(b"data")
    file.symlink_to(tmp_path / "secret")
    with pytest.raises(PhotoError) as caught:
        read(stamp)
    assert not caught.value.final


def test_a_pipe_that_took_a_files_place_does_not_stop_us(tmp_path: Path, put: Put) -> None:
    file = put("1.jpg")
    stamp = only(tmp_path / "card")
    file.unlink()
    os.mkfifo(file)
    with pytest.raises(UnreadablePhotoError, match="no plain file"):
        read(stamp)


def test_a_card_that_vanishes_in_mid_read_is_gone_and_named(tmp_path: Path, put: Put) -> None:
    for card in ("A", "B"):
        for n in range(5):
            put(f"{card}/DCIM/{n}.jpg", os.urandom(1000))
    stamps = scan(tmp_path / "card").photos
    assert len(read(stamps[0])) == 1000
    shutil.rmtree(tmp_path / "card" / "A")
    with pytest.raises(CardGoneError) as caught:
        read(stamps[1])
    assert caught.value.card == tmp_path / "card" / "A"
    assert len(read(stamps[5])) == 1000  # the other card goes on


def test_a_card_with_a_loose_contact_is_gone_and_its_photos_are_not_called_broken(tmp_path: Path, put: Put) -> None:
    put("DCIM/1.jpg")
    stamp = only(tmp_path / "card")
    folder, away, stop = tmp_path / "card" / "DCIM", tmp_path / "away", threading.Event()

    def flicker() -> None:
        while not stop.is_set():
            folder.rename(away)
            away.rename(folder)

    contact = threading.Thread(target=flicker)
    contact.start()
    gone = 0
    try:
        while gone < 50:
            try:
                assert len(read(stamp)) == stamp.size
            except CardGoneError:
                gone += 1
    finally:
        stop.set()
        contact.join()


def test_an_emptied_mount_point_is_a_card_that_is_gone(tmp_path: Path, put: Put) -> None:
    file = put("1.jpg")
    stamp = only(tmp_path / "card")
    file.unlink()
    with pytest.raises(CardGoneError):
        read(stamp)


def test_one_file_that_was_deleted_is_no_card_that_is_gone(tmp_path: Path, put: Put) -> None:
    file = put("1.jpg")
    put("2.txt")
    stamp = only(tmp_path / "card")
    file.unlink()
    with pytest.raises(PhotoError) as caught:
        read(stamp)
    assert not caught.value.final
    assert caught.value.problem == os.strerror(errno.ENOENT)


def test_a_file_that_may_not_be_read_says_so_in_the_systems_words(
    tmp_path: Path, put: Put, request: pytest.FixtureRequest
) -> None:
    put("1.jpg").chmod(0)
    stamp = only(tmp_path / "card")
    let_anybody_in(tmp_path)
    request.getfixturevalue("as_nobody")
    with pytest.raises(PhotoError) as caught:
        read(stamp)
    assert caught.value.problem == "Permission denied"
    assert not caught.value.final


def test_one_file_with_a_read_error_is_no_card_that_is_gone(tmp_path: Path, put: Put) -> None:
    # The kernel's own file that always answers "Input/output error" stands in for a bad sector.
    file = put("1.jpg", b"")
    if subprocess.run(["mount", "--bind", f"/proc/{os.getpid()}/mem", str(file)], capture_output=True).returncode:
        pytest.skip("needs root: a file with a real read error is made by a bind mount")
    try:
        stamp = only(tmp_path / "card")
        with pytest.raises(PhotoError) as caught:
            read(stamp)
    finally:
        subprocess.run(["umount", str(file)], check=True)
    assert caught.value.problem == os.strerror(errno.EIO)
    assert not caught.value.final


def test_a_photo_is_known_by_its_picture_whatever_follows_it() -> None:
    data = encode(noise(80, 60), "JPEG")
    longer = data + b"\xcc\xbb\x11 a table that a camera appends"
    assert picture_hash(data, check(data).end) == picture_hash(longer, check(longer).end)
    assert picture_hash(data, len(data)) == hashlib.sha256(data).digest()


def test_every_real_photo_but_a_copy_has_a_hash_of_its_own(real_photos: list[Path]) -> None:
    hashes = set()
    for photo in real_photos:
        data = photo.read_bytes()
        hashes.add(picture_hash(data, check(data).end))
    assert len(hashes) == len({photo.read_bytes() for photo in real_photos})
