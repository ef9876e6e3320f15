"""The photos of a measurement: drawn from a folder by a seed, and known by their content."""

from __future__ import annotations

import hashlib
import statistics
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.document.schema import PhotoSet
from benchmarks.looking import MAX_PIXELS
from edge_runtime.errors import CamtrapEdgeError
from edge_runtime.intake import decode, identity
from edge_runtime.tuning import sample
from edge_runtime.values import FileStamp

SAMPLE_CARD = "sample card"


@dataclass(frozen=True, slots=True)
class Photos:
    """Readable photos below one folder."""

    stamps: tuple[FileStamp, ...]
    told: PhotoSet


@contextmanager
def opened(folder: Path | None, *, count: int, seed: int) -> Iterator[Photos]:
    """Photos of `folder`, or of the sample card, which is made for as long as it is wanted.

    Raises:
        CamtrapEdgeError: there is no such folder, no readable photo in it, or no way to make the sample card.
        CardGoneError: the card vanished.
    """
    if folder is not None:
        yield _drawn(folder, folder.resolve().name or str(folder), count, seed)
        return
    try:
        from edge_runtime.tryout import sample_card
    except ImportError as error:
        raise CamtrapEdgeError(
            f"no photos: {error.name} is needed for the sample card; name a folder with --photos, "
            "or pip install 'camtrap-edge[tryout]'"
        ) from error
    with TemporaryDirectory(prefix="camtrap-edge-photos-") as name:
        sample_card.build(Path(name) / "card")
        yield _drawn(Path(name) / "card", SAMPLE_CARD, count, seed)


def _drawn(folder: Path, name: str, count: int, seed: int) -> Photos:
    stamps = sample.draw(folder, count, max_pixels=MAX_PIXELS, seed=seed).photos
    hashes, pixels = [], []
    for stamp in stamps:
        data = identity.read(stamp)
        hashes.append(hashlib.sha256(data).hexdigest())
        with decode.open_photo(data, stamp.full_path, max_pixels=MAX_PIXELS) as image:
            pixels.append(image.width * image.height / 1e6)
    told = PhotoSet(
        name=name,
        sha256=hashlib.sha256("\n".join(sorted(hashes)).encode()).hexdigest(),
        n=len(stamps),
        mean_bytes=statistics.fmean(stamp.size for stamp in stamps),
        mean_megapixels=statistics.fmean(pixels),
    )
    return Photos(stamps, told)
