"""Photos of a card that stand for all of it: drawn by a seed, spread over the whole card, only read."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from edge_runtime.errors import CamtrapEdgeError, PhotoError
from edge_runtime.intake import completeness, decode, identity, scan
from edge_runtime.values import FileStamp

SEED = 1
_TRIES = 4
"""Photos looked at in one stretch of the card before it is passed over."""

_OTHERS = 500
"""Photos looked at instead of those that could not be read."""


@dataclass(frozen=True, slots=True)
class Sample:
    """Some photos of a card."""

    photos: tuple[FileStamp, ...]
    """In an order by chance, so that the first few are spread over the card as well."""
    of: int
    """Photos on the card."""


def draw(folder: Path, count: int, *, max_pixels: int, seed: int = SEED) -> Sample:
    """Draw `count` readable photos from the card in `folder`, or all where it has fewer.

    Raises:
        CamtrapEdgeError: there is no such folder, or no readable photo in it.
        CardGoneError: the card vanished.
    """
    if not folder.is_dir():
        raise CamtrapEdgeError(f"{folder}: is no folder; name the card's folder or its mount point")
    stamps = scan.scan(folder).photos
    dice = random.Random(seed)
    photos: list[FileStamp] = []
    for stretch in _stretches(stamps, min(count, len(stamps))):
        tried = dice.sample(stretch, min(_TRIES, len(stretch)))
        photos += islice((stamp for stamp in tried if _readable(stamp, max_pixels)), 1)
    # Stretches in which nothing could be read are made up for by the others.
    taken = set(photos)
    others = (stamp for stamp in dice.sample(stamps, min(_OTHERS, len(stamps))) if stamp not in taken)
    photos += islice((stamp for stamp in others if _readable(stamp, max_pixels)), min(count, len(stamps)) - len(photos))
    if not photos:
        some = f"none of its {len(stamps)} photos can be read" if stamps else "there are no photos in it"
        raise CamtrapEdgeError(f"{folder}: {some}; put a card with photos there, or name a folder that has some")
    dice.shuffle(photos)
    return Sample(tuple(photos), len(stamps))


def _stretches(stamps: Sequence[FileStamp], count: int) -> list[Sequence[FileStamp]]:
    """The card cut into `count` stretches of equal length."""
    return [stamps[len(stamps) * i // count : len(stamps) * (i + 1) // count] for i in range(count)]


def _readable(stamp: FileStamp, max_pixels: int) -> bool:
    try:
        data = identity.read(stamp)
        completeness.check(data, stamp.full_path)
        decode.open_photo(data, stamp.full_path, max_pixels=max_pixels).close()
    except PhotoError:
        return False
    return True
