from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from edge_runtime.errors import CardGoneError
from edge_runtime.intake.scan import MAX_DEPTH, scan
from tests.intake.conftest import let_anybody_in

Put = Callable[..., Path]


def names(root: Path) -> list[str]:
    return [str(stamp.path) for stamp in scan(root).photos]


def test_photos_are_found_in_every_folder_with_their_size_and_time(tmp_path: Path, put: Put) -> None:
    put("DCIM/100MEDIA/IMG_1.JPG", b"abc", 1_600_000_000)
    card = tmp_path / "card"
    (stamp,) = scan(card).photos
    assert (str(stamp.path), stamp.size, stamp.mtime_ns) == ("DCIM/100MEDIA/IMG_1.JPG", 3, 1_600_000_000 * 10**9)
    assert stamp.card == card
    assert stamp.full_path.read_bytes() == b"abc"


def test_files_come_in_the_order_a_person_counts_in_and_folders_too(tmp_path: Path, put: Put) -> None:
    for name in ("b/101/IMG_2.JPG", "b/101/IMG_10.JPG", "b/9/x.jpg", "IMG_100.JPG", "IMG_20.jpg", "A/1.jpg", "b/z.jpg"):
        put(name)
    assert names(tmp_path / "card") == [
        "IMG_20.jpg",
        "IMG_100.JPG",
        "A/1.jpg",
        "b/z.jpg",
        "b/9/x.jpg",
        "b/101/IMG_2.JPG",
        "b/101/IMG_10.JPG",
    ]


def test_every_photo_and_video_suffix_counts_whatever_its_case(tmp_path: Path, put: Put) -> None:
    photos = ["a.jpg", "b.JPEG", "c.Png", "d.tif", "e.TIFF", "f.bmp", "g.WebP"]
    videos = [f"v.{s}" for s in ["mp4", "AVI", "mov", "asf", "wmv", "mkv", "m4v", "mpg", "MTS", "3gp"]]
    for name in [*photos, *videos, "notes.txt", "metadata.csv", "jpg", "image.jpg.part"]:
        put(name)
    found = scan(tmp_path / "card")
    assert {str(s.path) for s in found.photos} == set(photos)
    assert {str(s.path) for s in found.videos} == set(videos)
    assert found.problems == ()


@pytest.mark.parametrize(
    "name",
    [
        "Thumbs.db",
        "._IMG_1.JPG",
        ".hidden/IMG_1.JPG",
        ".Trashes/501/IMG_1.JPG",
        "System Volume Information/IMG_1.JPG",
        "$RECYCLE.BIN/IMG_1.JPG",
        "LOST.DIR/IMG_1.JPG",
        "lost+found/IMG_1.JPG",
        "backup/IMG_1.JPG",
        "DCIM/Backups/IMG_1.JPG",
    ],
)
def test_what_is_no_photo_of_the_camera_is_ignored(tmp_path: Path, put: Put, name: str) -> None:
    put(name)
    put("seen.jpg")
    assert names(tmp_path / "card") == ["seen.jpg"]


def test_symbolic_links_are_neither_followed_nor_taken(tmp_path: Path, put: Put) -> None:
    put("real.jpg")
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret.jpg").write_bytes(b"x")
    (tmp_path / "card" / "folder").symlink_to(outside)
    (tmp_path / "card" / "file.jpg").symlink_to(outside / "secret.jpg")
    (tmp_path / "card" / "loop").symlink_to(tmp_path / "card")
    (tmp_path / "card" / "dangling.jpg").symlink_to("nowhere")
    assert names(tmp_path / "card") == ["real.jpg"]
    assert scan(tmp_path / "card").problems == ()


def test_a_pipe_that_calls_itself_a_photo_is_not_taken(tmp_path: Path, put: Put) -> None:
    put("real.jpg")
    os.mkfifo(tmp_path / "card" / "pipe.jpg")
    assert names(tmp_path / "card") == ["real.jpg"]


def test_names_that_are_not_utf_8_are_found_and_can_be_opened(tmp_path: Path, put: Put) -> None:
    put("x.jpg")
    raw = os.fsencode(tmp_path / "card") + b"/caf\xe9_1.jpg"
    Path(os.fsdecode(raw)).write_bytes(b"abc")
    stamps = scan(tmp_path / "card").photos
    assert len(stamps) == 2
    assert stamps[0].full_path.read_bytes() == b"abc"


def test_endless_nesting_ends_in_a_problem_not_in_a_crash(tmp_path: Path, put: Put) -> None:
    put("/".join(["d"] * MAX_DEPTH) + "/deep.jpg")
    put("/".join(["e"] * (MAX_DEPTH + 1)) + "/too_deep.jpg")
    found = scan(tmp_path / "card")
    assert [s.path.name for s in found.photos] == ["deep.jpg"]
    ((path, reason),) = found.problems
    assert path == tmp_path.joinpath("card", *["e"] * (MAX_DEPTH + 1))
    assert "deep" in reason


def test_a_folder_that_may_not_be_read_is_a_problem_and_the_rest_is_read(
    tmp_path: Path, put: Put, as_nobody_can_enter: None
) -> None:
    card = tmp_path / "card"
    found = scan(card)
    assert [str(s.path) for s in found.photos] == ["a/1.jpg", "c/1.jpg"]
    assert [(p, reason) for p, reason in found.problems] == [(card / "b", "Permission denied")]


@pytest.fixture
def as_nobody_can_enter(tmp_path: Path, put: Put, request: pytest.FixtureRequest) -> None:
    for name in ("a/1.jpg", "b/1.jpg", "c/1.jpg"):
        put(name)
    (tmp_path / "card" / "b").chmod(0)
    let_anybody_in(tmp_path)
    request.getfixturevalue("as_nobody")


def test_a_root_that_is_not_there_is_a_card_that_is_gone(tmp_path: Path) -> None:
    with pytest.raises(CardGoneError) as caught:
        scan(tmp_path / "nowhere")
    assert caught.value.card == tmp_path / "nowhere"


def test_an_empty_card_is_no_error(tmp_path: Path) -> None:
    found = scan(tmp_path)
    assert (found.photos, found.videos, found.problems) == ((), (), ())


def test_the_root_may_itself_be_a_link_to_the_card(tmp_path: Path, put: Put) -> None:
    put("DCIM/1.jpg")
    (tmp_path / "link").symlink_to(tmp_path / "card")
    assert names(tmp_path / "link") == ["DCIM/1.jpg"]
