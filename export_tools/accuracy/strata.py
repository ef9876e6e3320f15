"""Kinds of photos and boxes that are judged apart, because a mean over all of them hides where a detector fails."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from export_tools.accuracy.average_precision import ALL, ANY_AREA
from export_tools.accuracy.photos import LabelledPhoto

SMALL = 0.02
"""Of the photo's area."""
SQUIRRELS = "squirrels_seq"


def _any_photo(photo: LabelledPhoto) -> bool:
    return True


@dataclass(frozen=True, slots=True)
class Stratum:
    """Which photos, classes and box areas count. Areas are those of truth boxes; a false box counts by its own area,
    as with COCO's area ranges."""

    name: str
    includes: Callable[[LabelledPhoto], bool] = _any_photo
    classes: tuple[int, ...] = ALL
    area: tuple[float, float] = ANY_AREA


EVERYTHING = Stratum("all")
ANIMALS = Stratum("animals only", classes=(0,))
PERSONS = Stratum("persons", classes=(1,), includes=lambda photo: not photo.doubtful)
SMALL_BOXES = Stratum("small boxes (< 2 %)", area=(0.0, SMALL))
LARGE_BOXES = Stratum("other boxes (>= 2 %)", area=(SMALL, ANY_AREA[1]))
INFRARED = Stratum("infrared", includes=lambda photo: photo.infrared)
DAY = Stratum("not infrared", includes=lambda photo: not photo.infrared)
SQUIRREL_SEQUENCE = Stratum("squirrel sequence", includes=lambda photo: photo.folder == SQUIRRELS)


def strata(photos: Sequence[LabelledPhoto]) -> tuple[Stratum, ...]:
    """The named strata, and one for each folder of `photos`."""
    folders = sorted({photo.folder for photo in photos} - {SQUIRRELS})
    named = (EVERYTHING, ANIMALS, PERSONS, SMALL_BOXES, LARGE_BOXES, INFRARED, DAY, SQUIRREL_SEQUENCE)
    return (*named, *(_of_folder(folder) for folder in folders))


def _of_folder(folder: str) -> Stratum:
    return Stratum(f"folder {folder}", includes=lambda photo: photo.folder == folder)
