"""A card as it comes out of two cameras, with everything on it that cards have: bursts, empties and broken files.

    python -m edge_runtime.tryout.sample_card FOLDER [--copies N]

Deterministic: one installation writes the same bytes every time.
"""

from __future__ import annotations

import io
import os
import shutil
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from edge_runtime import console
from edge_runtime.errors import CamtrapEdgeError
from edge_runtime.tryout.scenes import HEIGHT, STRIP, SUBJECTS, WIDTH, Place, compose
from edge_runtime.values import Category, Pixels

FIRST_DAY = datetime(2026, 5, 1)
DAYS_PER_COPY = 2
MARKER = ".camtrap-edge-sample-card"
"""Tells a folder that this program made from one that it must not touch."""
_EXIF_IFD, _MAKE, _MODEL, _ORIENTATION, _TAKEN, _SERIAL = 0x8769, 0x010F, 0x0110, 0x0112, 0x9003, 0xA431


@dataclass(frozen=True)
class Shot:
    """A burst: what walks through, and how far it moves between two photos."""

    camera: str
    hours: float
    """After midnight of the first day."""
    frames: tuple[tuple[Place, ...], ...]
    """One photo a second; what each of them shows."""

    @property
    def infrared(self) -> bool:
        return not 6 <= self.hours % 24 < 19


@dataclass(frozen=True)
class EventTruth:
    """What was composed."""

    camera: str
    start_s: int
    """UTC seconds since 1970, the camera's clock read as UTC."""
    photos: int
    counts: tuple[tuple[Category, int], ...]
    """The largest number of each category in one photo."""


@dataclass(frozen=True)
class SampleCard:
    """What lies on the card."""

    folder: Path
    photos: int
    """Distinct readable photos."""
    empty: int
    events: tuple[EventTruth, ...]
    broken: tuple[str, ...]
    """Files that should be photos and are none, relative to the folder."""
    duplicates: int


CAMERAS = {"CAM01": ("waterhole", "grass", "CT0017"), "CAM02": ("courtyard", "brick", "CT0042")}
"""Folder on the card: name of the place, its scenery, the camera's serial number."""


def _walk(subject: str, x: int, y: int, *, step: int = 45, frames: int = 3) -> tuple[tuple[Place, ...], ...]:
    return tuple((Place(subject, x + step * index, y),) for index in range(frames))


def _pair(first: Place, second: Place, *, frames: int = 3) -> tuple[tuple[Place, ...], ...]:
    return tuple(
        (Place(first.subject, first.x - 12 * index, first.y), Place(second.subject, second.x, second.y, mirrored=True))
        for index in range(frames)
    )


_NOTHING: tuple[Place, ...] = ()
_SHOTS = (
    Shot("CAM01", 6.20, _walk("cat", 420, 820)),
    Shot("CAM01", 8.67, (_NOTHING,)),
    Shot("CAM01", 11.09, _walk("person", 480, 904, step=60)),
    Shot("CAM01", 14.51, _walk("motorcycle", 520, 880, step=70)),
    Shot("CAM01", 17.33, (*_walk("cat", 700, 830, frames=2), _NOTHING)),
    Shot("CAM01", 30.84, (_NOTHING, _NOTHING)),
    Shot("CAM01", 33.17, _walk("person", 620, 904, step=-60)),
    Shot("CAM02", 5.67, _pair(Place("cat", 330, 820), Place("cat", 950, 860))),
    Shot("CAM02", 7.52, _walk("cat", 560, 850)),
    Shot("CAM02", 10.01, (_NOTHING, _NOTHING, _NOTHING)),
    Shot("CAM02", 13.02, _walk("motorcycle", 480, 880, step=80)),
    Shot("CAM02", 19.75, _walk("man", 560, 904, step=30)),
    Shot("CAM02", 23.18, _pair(Place("cat", 340, 850), Place("cat", 940, 830), frames=2)),
    Shot("CAM02", 30.09, _walk("cat", 640, 840, frames=2)),
)


def build(folder: Path, *, copies: int = 1) -> SampleCard:
    """Write the sample card into `folder`, which must be new, empty or made by this function before.

    Args:
        copies: repeat all bursts this often, two days later each time and with other noise, for long cards.

    Raises:
        CamtrapEdgeError: the folder holds something else.
    """
    _prepare(folder)
    grain = np.random.default_rng(17).normal(0, 4, (HEIGHT, WIDTH, 1)).astype(np.float32)
    events: list[EventTruth] = []
    photos = empty = 0
    numbers: Counter[str] = Counter()
    for copy in range(copies):
        for shot in _SHOTS:
            start = FIRST_DAY + timedelta(days=DAYS_PER_COPY * copy, hours=shot.hours)
            for index, places in enumerate(shot.frames):
                numbers[shot.camera] += 1
                taken = start + timedelta(seconds=index)
                _write_photo(folder, shot, places, numbers[shot.camera], taken, np.roll(grain, 7919 * photos))
                photos += 1
                empty += not places
            if any(shot.frames):
                events.append(_truth(shot, start))
    _scene.cache_clear()
    broken = _add_what_cards_have(folder / "CAM02" / "DCIM" / "100MEDIA", folder)
    return SampleCard(folder, photos, empty, tuple(events), broken, duplicates=1)


def _prepare(folder: Path) -> None:
    if folder.exists() and any(folder.iterdir()) and not (folder / MARKER).exists():
        raise CamtrapEdgeError(f"{folder}: holds files that are not the sample card's; name an empty folder")
    if folder.exists():
        shutil.rmtree(folder)
    for camera in CAMERAS:
        (folder / camera / "DCIM" / "100MEDIA").mkdir(parents=True)
    (folder / MARKER).touch()


def _write_photo(
    folder: Path, shot: Shot, places: tuple[Place, ...], number: int, taken: datetime, noise: NDArray[np.float32]
) -> None:
    picture = _scene(CAMERAS[shot.camera][1], places, shot.infrared)
    pixels = np.clip(picture[: HEIGHT - STRIP] + noise[: HEIGHT - STRIP], 0, 255).astype(np.uint8)
    pixels = np.concatenate([pixels, picture[HEIGHT - STRIP :]])
    _label_strip(
        pixels, f"{shot.camera}   {taken:%Y-%m-%d  %H:%M:%S}   {'IR' if shot.infrared else '  '}   {number:04d}"
    )
    exif = Image.Exif()
    exif[_MAKE], exif[_MODEL], exif[_ORIENTATION] = "CAMTRAP", "SAMPLE-1", 1
    details = exif.get_ifd(_EXIF_IFD)
    details[_TAKEN], details[_SERIAL] = f"{taken:%Y:%m:%d %H:%M:%S}", CAMERAS[shot.camera][2]
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "JPEG", quality=90, exif=exif)
    file = folder / shot.camera / "DCIM" / "100MEDIA" / f"IMG_{number:04d}.JPG"
    file.write_bytes(stream.getvalue())
    _set_time(file, taken)


@lru_cache(maxsize=64)
def _scene(scenery: str, places: tuple[Place, ...], infrared: bool) -> Pixels:
    return compose(scenery, places, infrared=infrared)


def _label_strip(pixels: Pixels, text: str) -> None:
    cv2.putText(pixels, text, (24, HEIGHT - 18), cv2.FONT_HERSHEY_SIMPLEX, 0.9, (230, 230, 230), 2, cv2.LINE_AA)


def _truth(shot: Shot, start: datetime) -> EventTruth:
    most: Counter[Category] = Counter()
    for places in shot.frames:
        most |= Counter(SUBJECTS[place.subject].category for place in places)
    start_s = int(start.replace(tzinfo=timezone.utc).timestamp())
    return EventTruth(shot.camera, start_s, len(shot.frames), tuple(sorted(most.items())))


def _add_what_cards_have(media: Path, folder: Path) -> tuple[str, ...]:
    """Broken files, a doubled photo, and what other programs leave behind; returns the broken ones."""
    whole = (media / "IMG_0001.JPG").read_bytes()
    broken = {
        "IMG_9001.JPG": whole[: len(whole) * 2 // 3],
        "IMG_9002.JPG": b"",
        "IMG_9003.JPG": b"This is no picture.\n",
    }
    others = {
        "IMG_9004.JPG": whole,
        "._IMG_0001.JPG": b"\0\5\x16\7",
        "Thumbs.db": b"\xd0\xcf\x11\xe0",
    }
    (media / "backups").mkdir()
    (media / "backups" / "IMG_0001.JPG").write_bytes(whole[:-2] + b"\xff\xfe\0\2\xff\xd9")
    for name, content in {**broken, **others}.items():
        (media / name).write_bytes(content)
        _set_time(media / name, FIRST_DAY)
    return tuple(str((media / name).relative_to(folder)) for name in broken)


def _set_time(file: Path, taken: datetime) -> None:
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
        print(f"{made.folder}: {made.photos} photos, {made.empty} of them empty, {len(made.events)} events")
        return 0

    return console.run("sample_card", command, verbose=False)


if __name__ == "__main__":
    sys.exit(main())
