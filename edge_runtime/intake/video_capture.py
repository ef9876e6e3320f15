"""What a video's container says of how it was taken. There is no Exif in it, and less to be relied upon."""

from __future__ import annotations

import re
from collections.abc import Mapping
from zoneinfo import ZoneInfo

from edge_runtime.intake.exif import file_time, plain, utc_seconds
from edge_runtime.values import Capture, TimeSource

_MAKE = ("make", "com.apple.quicktime.make", "com.android.manufacturer")
_MODEL = ("model", "com.apple.quicktime.model", "com.android.model")
_TIMES = ("com.apple.quicktime.creationdate", "creation_time", "date")
"""The first one has an offset from UTC. `date` is AVI's and ASF's."""
_OFFSET = re.compile(r"([+-]\d\d):?(\d\d)$", re.ASCII)
_KNOWS_ITS_ZONE = "com.android.version"


def read_capture(tags: Mapping[str, str], size: tuple[int, int], mtime_ns: int, zone: ZoneInfo) -> Capture:
    """How a video was taken; what it does not say is left out. No container tells a serial number.

    MP4 and MOV have their creation time in UTC by specification (ISO 14496-12), but a camera that was never told a time
    zone writes what its clock shows, as nearly all dedicated cameras do (ExifTool, notes on QuickTime tags). So it
    is read like Exif's, by the zone of the cameras' clocks, unless the file gives an offset or a telephone made it.

    Args:
        tags: of the container and its video, names in small letters.
        size: width and height, pixels, upright.
        mtime_ns: the file's modification time, nanoseconds since 1970: the time where the video tells none.
        zone: what the camera's clock is set to.
    """
    time_s, time_source = _time(tags, mtime_ns, zone)
    return Capture(
        time_s=time_s,
        time_source=time_source,
        make=_first(tags, _MAKE),
        model=_first(tags, _MODEL),
        serial="",
        width=size[0],
        height=size[1],
    )


def _time(tags: Mapping[str, str], mtime_ns: int, zone: ZoneInfo) -> tuple[int | None, TimeSource]:
    for name in _TIMES:
        text = plain(tags.get(name, ""))
        stated = _OFFSET.search(text)
        offset = f"{stated[1]}:{stated[2]}" if stated else "+00:00" if _KNOWS_ITS_ZONE in tags else ""
        seconds = utc_seconds(text, offset, zone)
        if seconds is not None:
            return seconds, "exif"
    return file_time(mtime_ns)


def _first(tags: Mapping[str, str], names: tuple[str, ...]) -> str:
    return next((text for text in (plain(tags.get(name, "")) for name in names) if text), "")
