"""The values that flow from a card to a station.

Every stage takes and gives these frozen values. Boxes are `xyxy` in fractions (0..1) of the photo *as a
person sees it*, that is after its EXIF orientation was applied. Times are UTC seconds since 1970.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path, PurePosixPath
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Category = Literal["animal", "person", "vehicle"]
CATEGORIES: tuple[Category, ...] = ("animal", "person", "vehicle")

Held = Literal["", "repeat", "refuted"]
"""Why a detection does not count: it does; the same box stands in the same place over many events; a person says that
nothing is there."""

Scores = tuple[tuple[str, float], ...]
"""Probabilities of a classifier's labels for one crop, the highest first; without those below `LEAST_SCORE`. The name
`NO_ANIMAL` has what belongs to no animal."""
LEAST_SCORE = 0.001
NO_ANIMAL = ""

TimeSource = Literal["exif", "file", "unknown"]
"""Where a capture time came from: the camera's own clock, the file's modification time, or nowhere."""

Pixels = NDArray[np.uint8]
"""A decoded picture: uint8, height x width x 3, RGB, orientation applied."""


@dataclass(frozen=True, slots=True)
class FileStamp:
    """A file on a card as a scan sees it, without opening it."""

    card: Path
    """Root of the card (or of the folder that was given)."""
    path: PurePosixPath
    """Relative to `card`, forward slashes."""
    size: int
    """Bytes."""
    mtime_ns: int
    """Modification time, nanoseconds since 1970, as the file system tells it."""

    @property
    def full_path(self) -> Path:
        return self.card / self.path


@dataclass(frozen=True, slots=True)
class Capture:
    """What a photo's own metadata says of how it was taken."""

    time_s: int | None
    """UTC seconds since 1970; None where nothing credible is known."""
    time_source: TimeSource
    make: str
    model: str
    serial: str
    """Empty strings where the photo does not say."""
    width: int
    height: int
    """Pixels of the photo as a person sees it (after orientation)."""


@dataclass(frozen=True, slots=True)
class Footage:
    """How a video was looked at."""

    frame_rate: float
    """Frames a second."""
    duration_s: float
    frames: tuple[int, ...]
    """Numbers of the frames that were looked at, from 0, ascending; at least one."""
    problem: str = ""
    """Why the rest could not be read; empty where there was none."""


@dataclass(frozen=True, slots=True)
class Photo:
    """One complete photo or video: its file, the hash that it is known by, and its capture."""

    file: FileStamp
    sha256: bytes
    """32 bytes; over the picture itself, without what a camera appends after its end."""
    camera: str
    """Name of the camera in the field's sense: the place where it hangs."""
    capture: Capture
    footage: Footage | None = None
    """Of a video; None for a photo."""


@dataclass(frozen=True, slots=True)
class Frame:
    """A decoded photo."""

    pixels: Pixels
    """May be smaller than the photo: `scale` says by how much."""
    scale: float = 1.0
    """Pixels of the frame for one of the photo, each way; at most 1."""
    redecode: Callable[[float], Frame] | None = field(default=None, repr=False, compare=False)
    """Decodes the photo anew at the scale that is given, or at a larger one; None where it has no more to give."""

    def sharper(self, scale: float) -> Frame:
        """The photo at `scale` or more, as far as it has the pixels; this very frame where it will do.

        Raises:
            UnreadablePhotoError: as the frame's own decoding.
        """
        return self if self.redecode is None or self.scale >= scale else self.redecode(scale)


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle in fractions of the photo, 0 <= x1 < x2 <= 1 and 0 <= y1 < y2 <= 1."""

    x1: float
    y1: float
    x2: float
    y2: float

    @property
    def area(self) -> float:
        return (self.x2 - self.x1) * (self.y2 - self.y1)


@dataclass(frozen=True, slots=True)
class Species:
    """What an animal is called."""

    name: str
    """A label of the classifier's bundle, or one of its taxa ("cat family") where it was sure of no single label.
    `Taxonomy.ranks` has its rank. Whatever a person wrote, where a person said it."""
    confidence: float
    """0..1; of a taxon, the sum over its labels."""
    by: Literal["machine", "human"] = "machine"


@dataclass(frozen=True, slots=True)
class Individual:
    """Which animal it is."""

    name: str | None
    """Of the gallery; None for one that is not in it."""
    score: float
    """Of the best annotation of that name, or of any name where it is none of them: (1 + cosine) / 2, so 0..1."""


@dataclass(frozen=True, slots=True)
class Embedding:
    """How one crop looks, as a direction."""

    vector: NDArray[np.float32]
    """[D], of length 1: the dot product of two is their cosine, -1..1, and the higher the more alike."""


@dataclass(frozen=True, slots=True)
class Detection:
    """One box that a detector found, and the species (or coarser taxon) where one is sure of it."""

    category: Category
    confidence: float
    """0..1."""
    box: Box
    species: Species | None = None
    scores: Scores = ()
    """The classifier's, for this crop alone; empty where it was not asked."""
    frame: int | None = None
    """Number of the video's frame that shows it; None in a photo."""
    individual: Individual | None = None
    held: Held = ""
    embedding: Embedding | None = field(default=None, compare=False, repr=False)
    """How it looks; on the way into the journal only."""

    @property
    def label(self) -> str:
        """The finest name known: the species, else the category."""
        return self.species.name if self.species else self.category


@dataclass(frozen=True, slots=True)
class Crop:
    """The part of a frame that one detection shows."""

    detection: Detection
    pixels: Pixels


@dataclass(frozen=True, slots=True)
class Count:
    """How many of one label an event showed."""

    label: str
    count: int
    """The largest number seen at once, in one photo of the event; at least 1."""
    confidence: float
    """The best confidence of that label in the event, 0..1."""
    individual: str | None = None
    """The known animal that it is; then `count` is 1, and others of its label have a count of their own."""
    score: float = 0.0
    """The individual's, as `Individual.score`."""


@dataclass(frozen=True, slots=True)
class Event:
    """Consecutive photos of one camera, closer together than the gap, with something in them."""

    camera: str
    start_s: int | None
    end_s: int | None
    """UTC seconds since 1970 of the first and last photo; None where the photos have no credible time."""
    time_source: TimeSource
    photos: int
    """All photos of the event, the empty ones between included."""
    counts: tuple[Count, ...]
    """Highest confidence first; never empty."""
    review: bool = False
    """A person should look at it."""


@dataclass(frozen=True, slots=True)
class CardReport:
    """What became of the photos since the last report, so that a ranger knows that a card was read."""

    time_s: int
    """UTC seconds since 1970, by the device's clock."""
    photos: int
    """Distinct photos read and inferred."""
    empty: int
    """Of these, photos in which nothing was found."""
    events: int
    failed: int
    """Files that should be photos and could not be read or inferred."""
    duplicates: int
    """Files whose picture was already known."""
    videos: int
    """Videos that could not be read."""


class FailureKind(str, Enum):
    """Why a file has no result. The values are the strings that the MegaDetector format knows."""

    ACCESS = "image access failure"
    INFERENCE = "inference failure"
