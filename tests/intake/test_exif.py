from __future__ import annotations

import io
from datetime import datetime, timezone
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from edge_runtime.intake.exif import orientation, read_capture
from edge_runtime.values import Capture
from tests.intake.conftest import encode, quadrants

# Pillow warns of damaged metadata, which these tests make by the thousand.
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")

NAIROBI = ZoneInfo("Africa/Nairobi")
MTIME_S = 1_600_000_000
TAKEN, DIGITIZED, CHANGED = 0x9003, 0x9004, 0x0132
TAKEN_OFFSET, CHANGED_OFFSET = 0x9011, 0x9010
MAKE, MODEL, ORIENTATION = 0x010F, 0x0110, 0x0112
BODY_SERIAL, CAMERA_SERIAL = 0xA431, 0xC62F
DETAILS = 0x8769


def photo(main: dict[int, object] | None = None, details: dict[int, object] | None = None, kind: str = "JPEG") -> bytes:
    exif = Image.Exif()
    exif.update(main or {})
    exif.get_ifd(DETAILS).update(details or {})
    return encode(quadrants(), kind, exif=exif)


def capture(data: bytes, mtime_s: int = MTIME_S, zone: ZoneInfo = NAIROBI) -> Capture:
    return read_capture(Image.open(io.BytesIO(data)), mtime_s * 10**9, zone)


def utc(*parts: int) -> int:
    return int(datetime(*parts, tzinfo=timezone.utc).timestamp())  # type: ignore[misc,arg-type]


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_the_time_of_the_shutter_is_read_in_the_cameras_zone(kind: str) -> None:
    seen = capture(photo({CHANGED: "2022:01:01 00:00:00"}, {TAKEN: "2021:05:29 03:51:33"}, kind))
    assert (seen.time_s, seen.time_source) == (utc(2021, 5, 29, 0, 51, 33), "exif")


def test_the_time_of_a_tiff_is_read() -> None:
    assert capture(photo({CHANGED: "2021:05:29 03:00:00"}, kind="TIFF")).time_s == utc(2021, 5, 29)


def test_the_next_best_time_counts_where_a_better_one_is_missing_or_not_credible() -> None:
    zeros, blank = "0000:00:00 00:00:00", "    :  :     :  :  "
    digitized = capture(photo({CHANGED: "2022:01:01 00:00:00"}, {TAKEN: zeros, DIGITIZED: "2021:05:29 03:00:00"}))
    assert digitized.time_s == utc(2021, 5, 29)
    changed = capture(photo({CHANGED: "2022:01:01 03:00:00"}, {TAKEN: blank, DIGITIZED: zeros}))
    assert changed.time_s == utc(2022, 1, 1)


def test_an_offset_in_the_photo_goes_before_the_cameras_zone() -> None:
    taken = {TAKEN: "2021:05:29 03:00:00", TAKEN_OFFSET: "-07:30"}
    assert capture(photo(details=taken)).time_s == utc(2021, 5, 29, 10, 30)
    changed = photo({CHANGED: "2021:05:29 03:00:00"}, {CHANGED_OFFSET: "+01:00"})
    assert capture(changed).time_s == utc(2021, 5, 29, 2)
    nonsense = {TAKEN: "2021:05:29 03:00:00", TAKEN_OFFSET: "+99:00"}
    assert capture(photo(details=nonsense)).time_s == utc(2021, 5, 29)


def test_summer_time_is_the_zones_own() -> None:
    summer = photo(details={TAKEN: "2021:07:01 12:00:00"})
    winter = photo(details={TAKEN: "2021:01:01 12:00:00"})
    berlin = ZoneInfo("Europe/Berlin")
    assert capture(summer, zone=berlin).time_s == utc(2021, 7, 1, 10)
    assert capture(winter, zone=berlin).time_s == utc(2021, 1, 1, 11)


@pytest.mark.parametrize(
    "text",
    [
        "0000:00:00 00:00:00",
        "1970:01:01 00:00:00",
        "1980:01:01 00:00:00",
        "2999:01:01 00:00:00",
        "2021:13:01 00:00:00",
        "2021:02:30 00:00:00",
        "2021:05:29 25:00:00",
        "yesterday",
        "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0",
        "",
    ],
)
def test_a_time_that_is_not_credible_gives_way_to_the_files(text: str) -> None:
    seen = capture(photo(details={TAKEN: text}))
    assert (seen.time_s, seen.time_source) == (MTIME_S, "file")


@pytest.mark.parametrize("mtime_s", [0, -1, utc(1980, 1, 1), utc(2107, 12, 31)])
def test_a_file_time_that_is_not_credible_is_no_time(mtime_s: int) -> None:
    seen = capture(photo(), mtime_s)
    assert (seen.time_s, seen.time_source) == (None, "unknown")


def test_a_time_with_padding_after_it_is_still_a_time() -> None:
    seen = capture(photo(details={TAKEN: "2021:05:29 03:00:00\0\0  \0"}))
    assert seen.time_s == utc(2021, 5, 29)


def test_make_model_and_serial_come_without_padding() -> None:
    main = {MAKE: "RECONYX  \0\0junk", MODEL: "  PC900\nPROFESSIONAL "}
    seen = capture(photo(main, {BODY_SERIAL: "H500 \0"}))
    assert (seen.make, seen.model, seen.serial) == ("RECONYX", "PC900 PROFESSIONAL", "H500")


def test_the_other_serial_number_counts_where_the_first_is_missing() -> None:
    assert capture(photo({CAMERA_SERIAL: "77"})).serial == "77"
    assert capture(photo({CAMERA_SERIAL: "77"}, {BODY_SERIAL: "88"})).serial == "88"


def test_a_photo_that_says_nothing_gives_empty_texts() -> None:
    seen = capture(encode(quadrants(), "BMP"))
    assert (seen.make, seen.model, seen.serial, seen.time_source) == ("", "", "", "file")


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("turn", range(1, 9))
def test_width_and_height_are_those_that_a_person_sees(turn: int, kind: str) -> None:
    seen = capture(photo({ORIENTATION: turn}, kind=kind))
    assert (seen.width, seen.height) == ((96, 64) if turn < 5 else (64, 96))


@pytest.mark.parametrize("turn", [0, 9, 255])
def test_an_orientation_that_does_not_exist_is_none(turn: int) -> None:
    assert orientation(Image.open(io.BytesIO(photo({ORIENTATION: turn})))) == 1


REAL = photo({MAKE: "RECONYX", MODEL: "HP2X", ORIENTATION: 6}, {TAKEN: "2021:05:29 03:51:33", BODY_SERIAL: "H500"})
EXIF_AT = REAL.index(b"Exif\0\0")
EXIF_LENGTH = int.from_bytes(REAL[EXIF_AT - 2 : EXIF_AT], "big") - 2


@settings(max_examples=1500, deadline=None)
@given(damage=st.lists(st.tuples(st.integers(6, EXIF_LENGTH - 1), st.integers(0, 255)), min_size=1, max_size=12))
def test_damaged_metadata_never_raises(damage: list[tuple[int, int]]) -> None:
    data = bytearray(REAL)
    for at, value in damage:
        data[EXIF_AT + at] = value
    seen = capture(bytes(data))
    assert {seen.width, seen.height} == {96, 64}
    assert seen.time_s is not None
    assert (seen.make + seen.model + seen.serial).isprintable()


def test_metadata_that_is_cut_anywhere_never_raises() -> None:
    for keep in range(6, EXIF_LENGTH):
        short = REAL[: EXIF_AT - 2] + (keep + 2).to_bytes(2, "big") + REAL[EXIF_AT : EXIF_AT + keep]
        assert capture(short + REAL[EXIF_AT + EXIF_LENGTH :]).time_s is not None


def test_the_capture_of_real_cameras_is_read(assets: Path) -> None:
    folder = assets / "photos"
    zone = ZoneInfo("America/Los_Angeles")

    def of(name: str) -> Capture:
        return capture((folder / name).read_bytes(), zone=zone)

    deer = of("animl_southwest/2021-05-28_SYFR0041_deer.JPG")
    assert (deer.make, deer.model, deer.width, deer.height) == ("SY", "4.0CG-R", 4032, 3024)
    assert deer.time_s == utc(2021, 5, 29, 10, 51, 33)
    cougar = of("animl_southwest/IMAG0004_cougar.JPG")
    assert (cougar.make, cougar.model) == ("BolyMedia", "SG565FV-8M")
    blank = of("serengeti_burst/S1_D04_R6_PICT0020.JPG")
    assert (blank.make, blank.model) == ("", "")
    assert of("generic/owl.jpg").serial == "BHP233159"
