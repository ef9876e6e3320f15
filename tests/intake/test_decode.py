from __future__ import annotations

import io
import struct
import subprocess
import sys
import zlib
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from edge_runtime.errors import UnreadablePhotoError
from edge_runtime.intake.completeness import check
from edge_runtime.intake.decode import MAX_DECODED_PIXELS, decode, open_photo
from edge_runtime.values import Frame, Pixels
from tests.intake.conftest import COLOURS, about, corners, encode, noise, quadrants

# Pillow warns of damaged directories, which these tests make by the hundred.
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")

FILE = Path("DCIM/IMG_1.JPG")
ORIENTATION = 0x0112
KINDS = ["JPEG", "PNG", "TIFF", "BMP", "WEBP"]
TOP_LEFT, TOP_RIGHT, BOTTOM_LEFT, BOTTOM_RIGHT = COLOURS


def frame_of(data: bytes, max_pixels: int = 200_000_000, at_least: tuple[int, int] | None = None) -> Frame:
    return decode(data, open_photo(data, FILE, max_pixels=max_pixels), FILE, at_least=at_least)


def pixels_of(data: bytes, max_pixels: int = 200_000_000) -> Pixels:
    pixels = frame_of(data, max_pixels).pixels
    assert pixels.dtype == np.uint8
    assert pixels.ndim == 3
    assert pixels.shape[2] == 3
    assert pixels.flags["C_CONTIGUOUS"]
    return pixels


@pytest.mark.parametrize("kind", KINDS)
def test_every_format_gives_rgb_the_right_way_up(kind: str) -> None:
    pixels = pixels_of(encode(quadrants(), kind))
    assert pixels.shape == (64, 96, 3)
    assert about(corners(pixels), COLOURS)


def turned(turn: int) -> Image.Image:
    """`quadrants` stored so that orientation `turn` brings it upright; by Pillow's own table, not ours."""
    undo = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }
    return quadrants().transpose(undo[turn]) if turn in undo else quadrants()


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "WEBP"])
@pytest.mark.parametrize("turn", range(1, 9))
def test_all_eight_orientations_come_upright(turn: int, kind: str) -> None:
    exif = Image.Exif()
    exif[ORIENTATION] = turn
    pixels = pixels_of(encode(turned(turn), kind, exif=exif))
    assert pixels.shape == (64, 96, 3)
    assert about(corners(pixels), COLOURS)


def test_a_cmyk_jpeg_has_its_colours() -> None:
    assert about(corners(pixels_of(encode(quadrants().convert("CMYK"), "JPEG", quality=95))), COLOURS)


def test_a_cmyk_tiff_has_its_colours() -> None:
    assert about(corners(pixels_of(encode(quadrants().convert("CMYK"), "TIFF"))), COLOURS)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "BMP"])
def test_a_gray_photo_becomes_three_equal_channels(kind: str) -> None:
    gray = quadrants().convert("L")
    pixels = pixels_of(encode(gray, kind))
    assert (pixels[..., 0] == pixels[..., 1]).all()
    assert (pixels[..., 1] == pixels[..., 2]).all()
    assert np.abs(pixels[..., 0].astype(int) - np.asarray(gray)).max() <= 8


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_sixteen_bits_of_gray_are_scaled_not_cut_off(kind: str) -> None:
    ramp = (np.arange(64 * 96, dtype=np.uint32) * 65535 // (64 * 96 - 1)).astype(np.uint16).reshape(64, 96)
    pixels = pixels_of(encode(Image.fromarray(ramp), kind))
    assert (pixels[..., 0] == ramp >> 8).all()


def test_sixteen_bits_of_colour_are_scaled_not_cut_off() -> None:
    colour = np.asarray(quadrants()).astype(np.uint16) * 257
    written, stream = cv2.imencode(".png", np.ascontiguousarray(colour[..., ::-1]))
    assert written
    assert about(corners(pixels_of(stream.tobytes())), COLOURS, 1)


def test_a_float_tiff_and_a_32_bit_tiff_keep_their_gray() -> None:
    ramp = np.linspace(0, 1, 64 * 96, dtype=np.float32).reshape(64, 96)
    assert np.abs(pixels_of(encode(Image.fromarray(ramp), "TIFF"))[..., 0] - ramp * 255).max() <= 1
    whole = (ramp.astype(np.float64) * (2**31 - 1)).astype(np.int32)
    # A signed 32-bit TIFF uses the positive half.
    assert (pixels_of(encode(Image.fromarray(whole), "TIFF"))[..., 0] == whole >> 24).all()


def test_a_palette_and_a_two_colour_picture_are_decoded() -> None:
    assert about(corners(pixels_of(encode(quadrants().quantize(8), "PNG"))), COLOURS)
    bits = quadrants().convert("L").point(lambda v: 255 if v > 100 else 0).convert("1")
    assert set(np.unique(pixels_of(encode(bits, "PNG")))) == {0, 255}


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_transparent_parts_are_white(mode: str) -> None:
    picture = quadrants().convert(mode)
    picture.putalpha(Image.linear_gradient("L").resize((96, 64)).point(lambda v: 0 if v < 128 else 255))
    pixels = pixels_of(encode(picture, "PNG"))
    assert tuple(pixels[2, 2]) == (255, 255, 255)
    assert tuple(pixels[-2, 2]) != (255, 255, 255)


def test_a_progressive_jpeg_and_an_mpo_are_decoded() -> None:
    assert about(corners(pixels_of(encode(quadrants(), "JPEG", progressive=True))), COLOURS)
    two = encode(quadrants(), "MPO", save_all=True, append_images=[noise(40, 30)])
    assert about(corners(pixels_of(two)), COLOURS)


def test_twelve_megapixels_are_decoded_at_full_size() -> None:
    pixels = pixels_of(encode(quadrants(4000, 3000), "JPEG"))
    assert pixels.shape == (3000, 4000, 3)
    assert about(corners(pixels), COLOURS)


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
@pytest.mark.parametrize("turn", [1, 6])
def test_forty_megapixels_are_decoded_smaller_in_the_same_proportions(kind: str, turn: int) -> None:
    exif = Image.Exif()
    exif[ORIENTATION] = turn
    size = (7296, 5472) if turn == 1 else (5472, 7296)
    picture = quadrants(7296, 5472) if turn == 1 else quadrants(7296, 5472).transpose(Image.Transpose.ROTATE_90)
    assert picture.size == size
    pixels = pixels_of(encode(picture, kind, exif=exif))
    height, width = pixels.shape[:2]
    assert 1_000_000 < width * height <= MAX_DECODED_PIXELS
    assert width / height == pytest.approx(7296 / 5472, rel=0.001)
    assert about(corners(pixels), COLOURS)


REDUCED_CASES = [
    # (photo, asked, got)
    ((2048, 1536), (512, 384), (512, 384)),
    ((2048, 1536), (513, 384), (1024, 768)),
    ((2048, 1536), (257, 192), (512, 384)),
    ((2048, 1536), (1, 1), (256, 192)),
    ((2048, 1536), (1024, 769), (2048, 1536)),
    ((1818, 1228), (512, 345), (909, 614)),
    ((1001, 751), (126, 94), (126, 94)),
    ((640, 480), (512, 384), (640, 480)),
    ((300, 200), (512, 384), (300, 200)),
]


@pytest.mark.parametrize(("photo", "asked", "got"), REDUCED_CASES)
@pytest.mark.parametrize("turn", [1, 8])
def test_a_jpeg_is_decoded_at_the_least_scale_that_covers_what_is_asked(
    photo: tuple[int, int], asked: tuple[int, int], got: tuple[int, int], turn: int
) -> None:
    exif = Image.Exif()
    exif[ORIENTATION] = turn
    stored = quadrants(*photo) if turn == 1 else quadrants(*photo).transpose(Image.Transpose.ROTATE_270)
    frame = frame_of(encode(stored, "JPEG", exif=exif), at_least=asked)
    assert frame.pixels.shape == (got[1], got[0], 3)
    assert about(corners(frame.pixels), COLOURS)
    assert frame.scale == pytest.approx(got[0] / photo[0], abs=0.001)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "BMP", "WEBP"])
def test_a_frame_says_its_scale_in_every_format(kind: str) -> None:
    frame = frame_of(encode(quadrants(800, 600), kind), at_least=(100, 75))
    assert frame.scale == frame.pixels.shape[1] / 800
    assert frame.scale == (0.125 if kind == "JPEG" else 1.0)


def test_a_reduced_frame_shows_what_averaging_the_whole_one_shows(real_photos: list[Path]) -> None:
    photo = max(real_photos, key=lambda file: file.stat().st_size)
    whole = frame_of(photo.read_bytes())
    height, width = whole.pixels.shape[:2]
    reduced = frame_of(photo.read_bytes(), at_least=(width // 4, height // 4)).pixels
    averaged = cv2.resize(whole.pixels, reduced.shape[1::-1], interpolation=cv2.INTER_AREA)
    assert reduced.shape[0] == height // 4
    assert np.abs(reduced.astype(np.int16) - averaged).mean() < 1.5


def test_a_sharper_frame_is_decoded_only_where_the_photo_has_more() -> None:
    data = encode(noise(1600, 1200), "JPEG")
    whole, reduced = frame_of(data), frame_of(data, at_least=(200, 150))
    assert reduced.scale == 0.125
    assert reduced.sharper(0.125) is reduced and whole.sharper(1.0) is whole
    half = reduced.sharper(0.3)
    assert (half.scale, half.pixels.shape) == (0.5, (600, 800, 3))
    assert half.sharper(0.5) is half
    for again in (half.sharper(0.51), reduced.sharper(1.0)):
        assert again.scale == 1.0 and (again.pixels == whole.pixels).all()


def test_no_frame_of_a_huge_photo_is_sharper_than_memory_allows() -> None:
    data = encode(quadrants(7296, 5472), "JPEG")
    whole, reduced = frame_of(data), frame_of(data, at_least=(512, 384))
    assert (whole.scale, reduced.scale) == (0.5, 0.125)
    assert whole.sharper(1.0) is whole
    assert (reduced.sharper(1.0).pixels == whole.pixels).all()


def test_a_cmyk_jpeg_is_reduced_too() -> None:
    frame = frame_of(encode(quadrants(960, 640).convert("CMYK"), "JPEG"), at_least=(240, 160))
    assert frame.pixels.shape == (160, 240, 3)
    assert about(corners(frame.pixels), COLOURS, 40)


@pytest.mark.parametrize(
    ("size", "at_least", "share"),
    [
        pytest.param((7296, 5472), None, 0.4, id="40 megapixels"),
        pytest.param((7296, 5472), (512, 384), 0.05, id="40 megapixels reduced"),
        pytest.param((4000, 3000), None, 1.2, id="12 megapixels"),
        pytest.param((4000, 3000), (512, 384), 0.2, id="12 megapixels reduced"),
    ],
)
def test_a_jpeg_takes_no_more_memory_than_the_pixels_that_are_wanted(
    size: tuple[int, int], at_least: tuple[int, int] | None, share: float, tmp_path: Path
) -> None:
    photo = tmp_path / "big.jpg"
    photo.write_bytes(encode(quadrants(*size), "JPEG"))
    program = """
import ast, re, sys
from pathlib import Path
from edge_runtime.intake.decode import decode, open_photo
from tests.intake.conftest import encode, quadrants
def peak_kb():  # not what getrusage tells: that begins with the peak of the process that started this one
    return int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1])
file, at_least = Path(sys.argv[1]), ast.literal_eval(sys.argv[2])
small = encode(quadrants(), "JPEG")
decode(small, open_photo(small, file, max_pixels=10**9), file)
before = peak_kb()
data = file.read_bytes()
decode(data, open_photo(data, file, max_pixels=10**9), file, at_least=at_least)
sys.stdout.write(str((peak_kb() - before) * 1024))
"""
    command = [sys.executable, "-c", program, str(photo), str(at_least)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    whole = size[0] * size[1] * 3
    assert int(done.stdout) < whole * share


def png_chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png_bomb(width: int, height: int) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    body = zlib.compress(bytes(1_000_000), 9)
    return b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", header) + png_chunk(b"IDAT", body) + png_chunk(b"IEND", b"")


def jpeg_bomb(width: int, height: int) -> bytes:
    data = bytearray(encode(quadrants(), "JPEG"))
    frame = data.index(b"\xff\xc0")
    struct.pack_into(">HH", data, frame + 5, height, width)
    return bytes(data)


def tiff_bomb(width: int, height: int) -> bytes:
    data = bytearray(encode(quadrants(), "TIFF", compression="tiff_deflate"))
    (start,) = struct.unpack_from("<I", data, 4)
    for entry in range(start + 2, start + 26, 12):
        (tag,) = struct.unpack_from("<H", data, entry)
        struct.pack_into("<HII", data, entry + 2, 4, 1, {0x0100: width, 0x0101: height}[tag])
    return bytes(data)


@pytest.mark.parametrize(
    ("data", "megapixels"),
    [
        pytest.param(png_bomb(50_000, 50_000), "2500", id="PNG"),
        pytest.param(jpeg_bomb(65_500, 65_500), "4290", id="JPEG"),
        pytest.param(tiff_bomb(100_000, 100_000), "10000", id="TIFF"),
        pytest.param(encode(Image.new("RGB", (16_000, 15_000)), "WEBP"), "240", id="WebP"),
    ],
)
def test_a_decompression_bomb_is_refused_from_its_header(data: bytes, megapixels: str) -> None:
    assert len(data) < 1_000_000
    with pytest.raises(UnreadablePhotoError) as caught:
        open_photo(data, FILE, max_pixels=200_000_000)
    assert f"{megapixels} megapixels" in caught.value.problem
    assert "cards.max_megapixels (200)" in caught.value.problem
    assert caught.value.final


def test_the_limit_is_the_settings_own() -> None:
    data = encode(quadrants(400, 300), "JPEG")
    assert open_photo(data, FILE, max_pixels=120_000).size == (400, 300)
    with pytest.raises(UnreadablePhotoError):
        open_photo(data, FILE, max_pixels=119_999)


def test_a_photo_above_pillows_own_limit_opens_where_the_settings_allow_it() -> None:
    data = jpeg_bomb(16_000, 12_000)
    assert open_photo(data, FILE, max_pixels=200_000_000).size == (16_000, 12_000)


@pytest.mark.parametrize("data", [b"no picture", b"\xff\xd8\xff\xd9", b"\x89PNG\r\n\x1a\n" + bytes(50), b"GIF89a"])
def test_a_header_that_cannot_be_read_is_an_unreadable_photo(data: bytes) -> None:
    with pytest.raises(UnreadablePhotoError) as caught:
        open_photo(data, FILE, max_pixels=200_000_000)
    assert caught.value.file == FILE


def test_a_damaged_stretch_inside_a_jpeg_leaves_the_rest_of_it() -> None:
    data = bytearray(encode(noise(320, 240), "JPEG", quality=90))
    middle = len(data) // 2
    data[middle : middle + 40] = bytes(40)
    assert check(bytes(data)).certain
    damaged, whole = pixels_of(bytes(data)), pixels_of(encode(noise(320, 240), "JPEG", quality=90))
    assert damaged.shape == whole.shape
    assert (damaged[:96] == whole[:96]).all()


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=250, deadline=None)
@given(damage=st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), min_size=1, max_size=10))
def test_damaged_bytes_give_pixels_or_an_unreadable_photo(kind: str, damage: list[tuple[int, int]]) -> None:
    data = bytearray(encode(quadrants(), kind))
    for at, value in damage:
        data[at % len(data)] = value
    try:
        pixels_of(bytes(data), max_pixels=1_000_000)
    except UnreadablePhotoError as error:
        assert error.file == FILE


def test_every_real_photo_decodes_to_what_pillow_sees(real_photos: list[Path]) -> None:
    for photo in real_photos[::4]:
        data = photo.read_bytes()
        pixels = pixels_of(data)
        reference = np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))
        assert pixels.shape == reference.shape
        difference: np.ndarray[Any, Any] = np.abs(pixels.astype(np.int16) - reference)
        assert difference.mean() < 1.5, photo
