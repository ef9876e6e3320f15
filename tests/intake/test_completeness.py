from __future__ import annotations

import itertools
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from edge_runtime.errors import IncompletePhotoError, PhotoError, UnreadablePhotoError
from edge_runtime.intake.completeness import Whole, check
from tests.intake.conftest import encode, noise, quadrants

# Pillow warns of damaged TIFF directories, which these tests make by the thousand.
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")

SECTOR = 512


def thumbnail_exif() -> bytes:
    """An APP1 segment that carries a whole small JPEG, as every camera writes."""
    return b"Exif\0\0" + b"II*\0\x08\0\0\0\0\0" + encode(quadrants(), "JPEG")


def mpo() -> bytes:
    return encode(noise(80, 60), "MPO", save_all=True, append_images=[noise(40, 30, seed=2)])


MAKERS: dict[str, Callable[[], bytes]] = {
    "baseline JPEG": lambda: encode(noise(80, 60), "JPEG", quality=90),
    "progressive JPEG": lambda: encode(noise(80, 60), "JPEG", progressive=True),
    "JPEG with restart markers": lambda: encode(noise(80, 60), "JPEG", restart_marker_blocks=2),
    "JPEG with a thumbnail": lambda: encode(noise(80, 60), "JPEG", exif=thumbnail_exif()),
    "gray JPEG": lambda: encode(noise(80, 60).convert("L"), "JPEG"),
    "CMYK JPEG": lambda: encode(noise(80, 60).convert("CMYK"), "JPEG"),
    "MPO": mpo,
    "PNG": lambda: encode(noise(40, 30), "PNG"),
    "WebP": lambda: encode(noise(80, 60), "WEBP"),
    "lossless WebP": lambda: encode(noise(40, 30), "WEBP", lossless=True),
    "WebP with Exif": lambda: encode(noise(40, 30), "WEBP", exif=Image.Exif().tobytes()),
    "BMP": lambda: encode(noise(40, 30), "BMP"),
    "palette BMP": lambda: encode(noise(41, 30).quantize(16), "BMP"),
    "TIFF": lambda: encode(noise(40, 30), "TIFF"),
    "16-bit TIFF": lambda: encode(noise(40, 30).convert("I;16"), "TIFF"),
    "big TIFF": lambda: encode(noise(40, 30), "TIFF", big_tiff=True),
}
KINDS = pytest.mark.parametrize("kind", MAKERS)


def judge(data: bytes) -> Whole | None:
    """None where the picture is incomplete; anything final fails the test."""
    try:
        return check(data)
    except IncompletePhotoError as error:
        assert not error.final
        return None


@KINDS
def test_a_whole_picture_is_certainly_whole(kind: str) -> None:
    data = MAKERS[kind]()
    whole = check(data)
    assert whole.certain
    assert 0 < whole.end <= len(data)
    assert (whole.end == len(data)) == (kind != "MPO")


@KINDS
def test_a_picture_cut_at_any_byte_is_never_certainly_whole(kind: str) -> None:
    data = MAKERS[kind]()
    for cut in range(len(data)):
        found = judge(data[:cut])
        assert found is None or not found.certain, f"cut at {cut} of {len(data)}"


@KINDS
def test_reserved_space_that_is_not_written_yet_is_never_certainly_whole(kind: str) -> None:
    data = MAKERS[kind]()
    for cut in range(0, len(data) - SECTOR, 64):
        found = judge(data[:cut] + bytes(len(data) - cut))
        assert found is None or not found.certain, f"zeros from {cut} of {len(data)}"


@KINDS
def test_padding_after_a_picture_changes_nothing_and_other_bytes_make_it_uncertain(kind: str) -> None:
    data = MAKERS[kind]()
    whole = check(data)
    if kind.endswith("TIFF"):
        assert not check(data + b"appendix").certain
        return
    for padding in (bytes(700), b"\xff" * 700):
        assert check(data + padding) == whole
    assert check(data + b"appendix") == Whole(whole.end, certain=False)


def test_every_real_photo_is_certainly_whole(real_photos: list[Path]) -> None:
    assert len(real_photos) == 75
    for photo in real_photos:
        data = photo.read_bytes()
        whole = check(data, photo)
        assert whole.certain, photo
        assert data[whole.end - 2 : whole.end] == b"\xff\xd9", photo


@pytest.mark.slow
def test_a_real_photo_cut_at_any_sector_is_never_certainly_whole(real_photos: list[Path]) -> None:
    uncertain = 0
    for photo in real_photos:
        data = photo.read_bytes()
        end = check(data).end
        for cut in range(SECTOR, len(data), SECTOR):
            found = judge(data[:cut])
            if found is not None:
                # The picture is there and only its appendix is cut: the same photo, but not to be believed yet.
                assert found == Whole(end, certain=False), f"{photo.name} cut at {cut}"
                assert cut > end
                uncertain += 1
    assert uncertain < 100  # a few sectors of text behind the pictures of six cameras


def test_a_real_photo_written_into_reserved_space_is_never_certainly_whole(real_photos: list[Path]) -> None:
    for photo in real_photos:
        data = photo.read_bytes()
        sectors = len(data) // SECTOR
        for cut in range(0, sectors, max(1, sectors // 12)):
            found = judge(data[: cut * SECTOR] + bytes(len(data) - cut * SECTOR))
            assert found is None or not found.certain, f"{photo.name}: zeros from sector {cut}"


def test_a_real_photo_that_runs_into_the_start_of_an_older_one_is_never_whole(real_photos: list[Path]) -> None:
    # A card without power: the directory has the new size, half of the clusters still hold an old photo.
    for new, old in itertools.pairwise(real_photos):
        data = new.read_bytes()
        cut = len(data) // 2 // SECTOR * SECTOR
        found = judge(data[:cut] + old.read_bytes())
        assert found is None, f"{new.name} over {old.name}"


def test_an_empty_file_says_so() -> None:
    with pytest.raises(IncompletePhotoError, match="empty file"):
        check(b"", Path("error_img.JPG"))


@pytest.mark.parametrize("data", [b"\xff", b"\xff\xd8", b"\x89PN", b"R", b"RIFF\0\0", b"B", b"II", bytes(4096)])
def test_the_beginning_of_a_picture_may_become_one(data: bytes) -> None:
    with pytest.raises(IncompletePhotoError):
        check(data)


@pytest.mark.parametrize(
    "data",
    [
        b"This is no picture.",
        b"GIF89a" + bytes(100),
        b"RIFF\x24\0\0\0WAVEfmt " + bytes(100),
        b"BMW is a car, and this text is long enough to hold a header.",
        b"\0\0\0\x1cftypheic" + bytes(100),
        b"<html><body>captive portal</body></html>",
        b"\xff\xd8\xff\xe0\0\x04ab\xff\xd9",
    ],
)
def test_what_is_no_picture_never_becomes_one(data: bytes) -> None:
    with pytest.raises(UnreadablePhotoError) as caught:
        check(data, Path("IMG_1.JPG"))
    assert caught.value.final
    assert caught.value.file == Path("IMG_1.JPG")


def test_a_leftover_index_of_dropped_previews_leaves_the_photo_believable() -> None:
    # Software that edits a photo often keeps the index of previews that it dropped.
    data = mpo()
    end = check(data).end
    assert check(data[:end]) == Whole(end, certain=False)
    with pytest.raises(IncompletePhotoError):
        check(data[: end + 100])


def test_an_index_that_speaks_of_another_file_proves_nothing() -> None:
    data = mpo()
    end = check(data).end
    longer = data[:2] + b"\xff\xfe\x00\x06text" + data[2:]
    assert check(longer) == Whole(end + 8, certain=False)


def test_a_damaged_checksum_of_a_png_is_not_believed() -> None:
    data = bytearray(encode(noise(40, 30), "PNG"))
    data[200] ^= 1
    with pytest.raises(IncompletePhotoError):
        check(bytes(data))


def test_a_tiff_that_refers_to_itself_in_circles_ends() -> None:
    data = bytearray(encode(noise(40, 30), "TIFF"))
    (start,) = struct.unpack_from("<I", data, 4)
    (count,) = struct.unpack_from("<H", data, start)
    struct.pack_into("<I", data, start + 2 + 12 * count, start)
    assert check(bytes(data)).end == len(data)


def test_a_huge_png_chunk_length_is_no_reason_to_allocate_it() -> None:
    chunk = struct.pack(">I4s", 0xFFFFFFFF, b"IDAT") + bytes(20)
    header = struct.pack(">I4sIIBBBBB", 13, b"IHDR", 5, 5, 8, 2, 0, 0, 0)
    header += struct.pack(">I", zlib.crc32(header[4:]))
    with pytest.raises(IncompletePhotoError):
        check(b"\x89PNG\r\n\x1a\n" + header + chunk)


@st.composite
def damaged(draw: Any) -> bytes:
    data = bytearray(MAKERS[draw(st.sampled_from(sorted(MAKERS)))]())
    for _ in range(draw(st.integers(1, 8))):
        # Structure stands at the start and at the end.
        at = draw(st.one_of(st.integers(0, 400), st.integers(0, len(data) - 1), st.integers(1, 200)))
        data[at % len(data)] = draw(st.sampled_from([0, 1, 0x7F, 0x80, 0xD8, 0xD9, 0xDA, 0xFF, *range(16)]))
    cut = draw(st.one_of(st.just(len(data)), st.integers(1, len(data))))
    return bytes(data[:cut])


@settings(max_examples=1500, deadline=None)
@given(data=st.one_of(damaged(), st.binary(max_size=200)))
def test_any_bytes_give_a_judgement_or_a_photo_error(data: bytes) -> None:
    try:
        whole = check(data)
    except PhotoError:
        return
    assert 0 < whole.end <= len(data)
