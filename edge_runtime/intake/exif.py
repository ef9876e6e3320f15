"""What a photo says of itself: time, camera, orientation (Exif 2.32, CIPA DC-008). Damaged metadata says nothing."""

from __future__ import annotations

import re
import struct
from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from zoneinfo import ZoneInfo

from PIL import Image

from edge_runtime.values import Capture, TimeSource

_EXIF_IFD = 0x8769
_MAKE, _MODEL, _ORIENTATION = 0x010F, 0x0110, 0x0112
_BODY_SERIAL, _CAMERA_SERIAL = 0xA431, 0xC62F
_TAKEN, _DIGITIZED, _CHANGED = 0x9003, 0x9004, 0x0132
_TAKEN_OFFSET, _DIGITIZED_OFFSET, _CHANGED_OFFSET = 0x9011, 0x9012, 0x9010

_TIME = re.compile(r"(\d{4})[:/.-](\d\d)[:/.-](\d\d)[ T](\d\d):(\d\d):(\d\d)", re.ASCII)
_OFFSET = re.compile(r"([+-])(\d\d):(\d\d)", re.ASCII)
# A camera whose battery was changed starts in 1970 or 1980: no time at all is better than that one.
_EARLIEST_S = int(datetime(1990, 1, 1, tzinfo=timezone.utc).timestamp())
_LATEST_S = int(datetime(2101, 1, 1, tzinfo=timezone.utc).timestamp())
_TEXT_LENGTH = 64

# What Pillow's parser raises on damaged bytes, each seen or read in its source.
_DAMAGED = (
    SyntaxError,
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
    OSError,
    EOFError,
    ArithmeticError,
    struct.error,
)


def read_capture(image: Image.Image, mtime_ns: int, zone: ZoneInfo) -> Capture:
    """How `image` was taken; never raises, what cannot be read is left out.

    Args:
        image: opened, not necessarily decoded.
        mtime_ns: the file's modification time, nanoseconds since 1970: the time where the photo tells none.
        zone: what the camera's clock is set to; an offset that the photo itself gives goes before it.
    """
    main, details = _directories(image)
    time_s, time_source = _time(main, details, mtime_ns, zone)
    width, height = image.size
    if orientation(image) >= 5:
        width, height = height, width
    return Capture(
        time_s=time_s,
        time_source=time_source,
        make=_text(main, _MAKE),
        model=_text(main, _MODEL),
        serial=_text(details, _BODY_SERIAL) or _text(main, _CAMERA_SERIAL),
        width=width,
        height=height,
    )


def orientation(image: Image.Image) -> int:
    """How the stored rows must be turned to be seen upright: 1 (not at all) to 8, as in Exif; 1 where unknown.

    Always 1 for TIFF, which Pillow turns while it decodes and whose `size` it gives turned already.
    """
    if image.format == "TIFF":
        return 1
    value = _value(_directories(image)[0], _ORIENTATION)
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


Tags = Mapping[int, object]


def _directories(image: Image.Image) -> tuple[Tags, Tags]:
    """The main directory and the one with the details of the capture; empty where damaged."""
    try:
        main = image.getexif()
    except _DAMAGED:
        return {}, {}
    try:
        return main, main.get_ifd(_EXIF_IFD)
    except _DAMAGED:
        return main, {}


def _value(tags: Tags, tag: int) -> object:
    try:
        return tags.get(tag)
    except _DAMAGED:
        return None


def _text(tags: Tags, tag: int) -> str:
    value = _value(tags, tag)
    if isinstance(value, bytes):
        value = value.decode("latin-1")
    if isinstance(value, int):
        value = str(value)
    return plain(value) if isinstance(value, str) else ""


def plain(value: str) -> str:
    """A text from a file's metadata on one line, without what cannot be shown, at most 64 characters."""
    text = value.split("\0", 1)[0]
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())[:_TEXT_LENGTH]


def _time(main: Tags, details: Tags, mtime_ns: int, zone: ZoneInfo) -> tuple[int | None, TimeSource]:
    for tags, time_tag, offset_tag in (
        (details, _TAKEN, _TAKEN_OFFSET),
        (details, _DIGITIZED, _DIGITIZED_OFFSET),
        (main, _CHANGED, _CHANGED_OFFSET),
    ):
        # The offset of `_CHANGED` stands among the details, unlike its time.
        seconds = utc_seconds(_text(tags, time_tag), _text(details, offset_tag), zone)
        if seconds is not None:
            return seconds, "exif"
    return file_time(mtime_ns)


def file_time(mtime_ns: int) -> tuple[int | None, TimeSource]:
    """The time of a file that tells none itself, and where it comes from."""
    seconds = mtime_ns // 1_000_000_000
    return (seconds, "file") if _EARLIEST_S <= seconds < _LATEST_S else (None, "unknown")


def utc_seconds(text: str, offset: str, zone: ZoneInfo) -> int | None:
    """UTC seconds of a camera's "2021:05:29 03:51:33"; None where that is not credible.

    Args:
        offset: "+03:00", or nothing where the camera does not say.
        zone: what its clock is set to then.
    """
    match = _TIME.match(text)
    if match is None:
        return None
    try:
        year, month, day, hour, minute, second = (int(part) for part in match.groups())
        taken = datetime(year, month, day, hour, minute, second, tzinfo=_fixed_zone(offset) or zone)
        seconds = int(taken.timestamp())
    except (ValueError, OverflowError):
        return None
    return seconds if _EARLIEST_S <= seconds < _LATEST_S else None


def _fixed_zone(offset: str) -> timezone | None:
    match = _OFFSET.fullmatch(offset)
    if match is None:
        return None
    sign, hours, minutes = match.groups()
    ahead = timedelta(hours=int(hours), minutes=int(minutes))
    try:
        return timezone(-ahead if sign == "-" else ahead)
    except ValueError:
        return None
