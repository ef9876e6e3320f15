"""A card as it comes out of two cameras, with everything on it that cards have: bursts, empties and broken files.

    python -m edge_runtime.tryout.sample_card FOLDER [--copies N]

Deterministic: one installation writes the same bytes every time.
"""

from __future__ import annotations

import io
import math
import os
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from functools import lru_cache
from pathlib import Path, PurePosixPath

import cv2
import msgspec
import numpy as np
from PIL import Image

from edge_runtime import console
from edge_runtime.errors import CamtrapEdgeError
from edge_runtime.tryout.plan import BURSTS, CAMERAS, DAYS_PER_COPY, FIRST_DAY, Burst
from edge_runtime.tryout.scenes import HEIGHT, STRIP, WIDTH, compose
from edge_runtime.values import Box, Category, Pixels

__all__ = ["CAMERAS", "MARKER", "MAX_COPIES", "EventTruth", "PhotoTruth", "SampleCard", "build", "main"]

MAX_COPIES = 400
"""Each copy has a folder of its own, 100MEDIA and up; cameras count folders to 999 (DCF)."""
MARKER = ".camtrap-edge-sample-card"
"""Tells a folder that this program made from one that it must not touch: lists the files that are ours."""
_EXIF_IFD, _MAKE, _MODEL, _ORIENTATION, _TAKEN, _SERIAL = 0x8769, 0x010F, 0x0110, 0x0112, 0x9003, 0xA431
_NEW_MOON, _LUNATION_DAYS = datetime(2026, 4, 17, 12), 29.53
_GRAIN_SPARE = 64
"""Pixels by which the noise is larger than a photo, so that each photo takes another part of it."""


@dataclass(frozen=True)
class EventTruth:
    """What was composed."""

    camera: str
    """Folder on the card."""
    start_s: int
    """UTC seconds since 1970, the camera's clock read as UTC."""
    photos: int
    counts: tuple[tuple[Category, int], ...]
    """The largest number of each category in one photo."""


@dataclass(frozen=True)
class PhotoTruth:
    """One readable photo."""

    path: PurePosixPath
    """Relative to the card."""
    subjects: tuple[tuple[Category, Box], ...]
    """Empty where nothing but scenery is in it."""


@dataclass(frozen=True)
class SampleCard:
    """What lies on the card."""

    folder: Path
    shots: tuple[PhotoTruth, ...]
    """Distinct readable photos."""
    events: tuple[EventTruth, ...]
    broken: tuple[str, ...]
    """Files that should be photos and are none, relative to the folder."""
    duplicates: int

    @property
    def photos(self) -> int:
        """Number of distinct readable photos."""
        return len(self.shots)

    @property
    def empty(self) -> int:
        """Of these, photos with nothing but scenery."""
        return sum(not shot.subjects for shot in self.shots)


def build(folder: Path, *, copies: int = 1) -> SampleCard:
    """Write the sample card into `folder`, which must be new, empty or made by this function before.

    Args:
        copies: repeat all bursts this often, two days later each time and with other noise, for long cards. About
            25 ms a photo.

    Raises:
        CamtrapEdgeError: the folder holds something else, or `copies` is out of range.
    """
    if not 1 <= copies <= MAX_COPIES:
        raise CamtrapEdgeError(f"{copies} copies: give 1 to {MAX_COPIES}")
    jobs = _jobs(copies)
    _prepare(folder, [*(job.path for job in jobs), *_BROKEN, *_OTHERS])
    rng = np.random.default_rng(17)
    grain = rng.normal(0, 3, (HEIGHT + _GRAIN_SPARE, WIDTH + _GRAIN_SPARE, 1)).astype(np.float32)
    shots: dict[PurePosixPath, PhotoTruth] = {}
    # Composing is dear: what differs in time and noise only is composed once, so the copies of a photo come together.
    for job in sorted(jobs, key=lambda job: (job.burst, job.index)):
        scene, boxes = _scene(job.burst, job.index)
        y, x = rng.integers(0, _GRAIN_SPARE, 2)
        pixels = np.clip(scene + grain[y : y + HEIGHT, x : x + WIDTH], 0, 255).astype(np.uint8)
        _write(folder, job.path, _jpeg(pixels, job), job.taken)
        shots[job.path] = PhotoTruth(job.path, boxes)
    _add_what_cards_have(folder)
    events = tuple(_event(BURSTS[job.burst], job.taken) for job in jobs if job.index == 0)
    return SampleCard(
        folder,
        tuple(shots[job.path] for job in jobs),
        tuple(e for e in events if e.counts),
        _names(_BROKEN),
        duplicates=1,
    )


@dataclass(frozen=True)
class _Job:
    """One photo to be made."""

    burst: int
    """Index in BURSTS."""
    index: int
    """Within the burst."""
    path: PurePosixPath
    number: int
    taken: datetime


def _jobs(copies: int) -> list[_Job]:
    """All photos, copy by copy, each camera's in the order of their times."""
    jobs = []
    for copy in range(copies):
        numbers: Counter[str] = Counter()
        for index, burst in enumerate(BURSTS):
            start = FIRST_DAY + timedelta(days=DAYS_PER_COPY * copy, hours=burst.hours)
            for frame in range(len(burst.frames)):
                numbers[burst.camera] += 1
                number = numbers[burst.camera]
                path = PurePosixPath(burst.camera, "DCIM", f"{100 + copy}MEDIA", f"IMG_{number:04d}.JPG")
                jobs.append(_Job(index, frame, path, number, start + timedelta(seconds=frame)))
    return jobs


@lru_cache(maxsize=1)
def _scene(burst: int, index: int) -> tuple[Pixels, tuple[tuple[Category, Box], ...]]:
    what = BURSTS[burst]
    return compose(CAMERAS[what.camera][1], what.frames[index], shot=index, night=what.infrared)


def _event(burst: Burst, start: datetime) -> EventTruth:
    most: Counter[Category] = Counter()
    for cast in burst.frames:
        most |= Counter(role.category for role in cast)
    start_s = int(start.replace(tzinfo=timezone.utc).timestamp())
    return EventTruth(burst.camera, start_s, len(burst.frames), tuple(sorted(most.items())))


def _prepare(folder: Path, paths: Sequence[PurePosixPath]) -> None:
    """Make room for the card: what an earlier build left goes, whatever else lies there stays."""
    marker = folder / MARKER
    if marker.is_file():
        for name in _ours(marker):
            (folder / name).unlink(missing_ok=True)
    elif folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise CamtrapEdgeError(f"{folder}: holds files that are not the sample card's; name an empty folder")
    folder.mkdir(parents=True, exist_ok=True)
    marker.write_bytes(msgspec.json.encode([str(path) for path in paths]))


def _ours(marker: Path) -> list[PurePosixPath]:
    """The files that an earlier build wrote. A file on a disk can say anything: no other path gets past here."""
    try:
        paths = msgspec.json.decode(marker.read_bytes(), type=list[str])
    except msgspec.DecodeError as error:
        raise CamtrapEdgeError(f"{marker}: is damaged; delete the folder {marker.parent} and build again") from error
    found = [PurePosixPath(path) for path in paths]
    return [path for path in found if path.parts[:1] and path.parts[0] in CAMERAS and ".." not in path.parts]


def _jpeg(pixels: Pixels, job: _Job) -> bytes:
    burst = BURSTS[job.burst]
    _draw_strip(pixels, job, infrared=burst.infrared)
    exif = Image.Exif()
    exif[_MAKE], exif[_MODEL], exif[_ORIENTATION] = "CAMTRAP", "SAMPLE-1", 1
    details = exif.get_ifd(_EXIF_IFD)
    details[_TAKEN], details[_SERIAL] = f"{job.taken:%Y:%m:%d %H:%M:%S}", CAMERAS[burst.camera][2]
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "JPEG", quality=90, exif=exif)
    return stream.getvalue()


def _draw_strip(pixels: Pixels, job: _Job, *, infrared: bool) -> None:
    """Temperature, moon, date, time, camera and number, as cameras print them under their photos."""
    pixels[HEIGHT - STRIP :] = 16
    # Coldest at four in the morning.
    celsius = round(19 - 7 * math.cos((job.taken.hour + job.taken.minute / 60 - 4) / 12 * math.pi))
    light, middle = (230, 230, 230), HEIGHT - STRIP // 2
    text = f"{celsius:2d}C {round(celsius * 9 / 5 + 32):3d}F"
    parts = [(24, text), (290, f"{job.taken:%Y-%m-%d  %H:%M:%S}"), (760, "IR" if infrared else "")]
    parts += [(860, f"{BURSTS[job.burst].camera}  {job.path.parent.name[:3]}-{job.number:04d}")]
    for x, part in parts:
        cv2.putText(pixels, part, (x, middle + 11), cv2.FONT_HERSHEY_SIMPLEX, 0.9, light, 2, cv2.LINE_AA)
    cv2.circle(pixels, (246, middle), 14, light, -1, cv2.LINE_AA)
    phase = ((job.taken - _NEW_MOON) / timedelta(days=1) % _LUNATION_DAYS) / _LUNATION_DAYS
    cv2.circle(
        pixels, (246 - round(phase * 60) + (60 if phase > 0.5 else 0), middle), 14, (16, 16, 16), -1, cv2.LINE_AA
    )


_MEDIA = PurePosixPath("CAM02", "DCIM", "100MEDIA")
_WHOLE = _MEDIA / "IMG_0001.JPG"
_TRUNCATED, _EMPTY, _TEXT = (_MEDIA / f"IMG_{number}.JPG" for number in (9001, 9002, 9003))
_BROKEN = (_TRUNCATED, _EMPTY, _TEXT)
_DUPLICATE, _HIDDEN = _MEDIA / "IMG_9004.JPG", _MEDIA / "._IMG_0001.JPG"
_THUMBS, _BACKUP = _MEDIA / "Thumbs.db", _MEDIA / "backups" / "IMG_0001.JPG"
_OTHERS = (_DUPLICATE, _HIDDEN, _THUMBS, _BACKUP)


def _add_what_cards_have(folder: Path) -> None:
    """Broken files, a doubled photo, and what other programs leave behind."""
    whole = (folder / _WHOLE).read_bytes()
    contents = {
        _TRUNCATED: whole[: len(whole) * 2 // 3],
        _EMPTY: b"",
        _TEXT: b"This is no picture.\n",
        _DUPLICATE: whole,
        _HIDDEN: b"\0\5\x16\7",
        _THUMBS: b"\xd0\xcf\x11\xe0",
        # A photo of its own, so that whoever reads it by mistake counts one too many.
        _BACKUP: whole[:2] + b"\xff\xfe\0\x08backup" + whole[2:],
    }
    for path, content in contents.items():
        _write(folder, path, content, FIRST_DAY)


def _names(paths: Sequence[PurePosixPath]) -> tuple[str, ...]:
    return tuple(str(path) for path in paths)


def _write(folder: Path, path: PurePosixPath, content: bytes, taken: datetime) -> None:
    file = folder / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content)
    seconds = taken.replace(tzinfo=timezone.utc).timestamp()
    os.utime(file, (seconds, seconds))


def main(argv: Sequence[str] | None = None) -> int:
    """Build a card from the command line; returns the exit code."""
    program = "python -m edge_runtime.tryout.sample_card"
    parser = console.parser(program, "Builds a sample card from photographs of scikit-image.", f"  {program} card")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--copies", type=int, default=1, metavar="N", help="repeat the bursts N times (default: 1)")
    arguments = parser.parse_args(argv)

    def command() -> int:
        made = build(arguments.folder, copies=arguments.copies)
        print(f"{made.folder}: {made.photos} photos, {made.empty} of them empty, {len(made.events)} events,")
        print(f"{len(made.broken)} broken files, {made.duplicates} duplicate")
        return 0

    return console.run("sample_card", command, verbose=False)


if __name__ == "__main__":
    sys.exit(main())
