"""The photos that everybody reads, in one flat folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageOps

from edge_runtime.intake import completeness, scan


@dataclass(frozen=True)
class Card:
    """A folder of readable JPEG files and nothing else."""

    folder: Path
    lossless: Path
    """The same pictures as PNG, for comparing: two JPEG decoders do not make the same pixels of one file."""
    photos: int
    mean_megapixels: float
    mean_bytes: float


def fill(folder: Path, lossless: Path, source: Path, *, copies: int) -> Card:
    """Put every JPEG of `source` that opens onto a card, as it is; then again up to `copies` times, as other photos.

    Some of the peers drop what they cannot read without saying which, so that only whole photos are here. A photo whose
    EXIF says where something behind the picture lies is there once: moved, that would be unknown data, for which
    camtrap-edge waits in case that the file still grows.
    """
    folder.mkdir(parents=True)
    lossless.mkdir(parents=True)
    photos = pixels = size = 0
    for stamp in scan.scan(source).photos:
        try:
            with Image.open(stamp.full_path) as image:
                if image.format not in ("JPEG", "MPO"):
                    continue
                upright = ImageOps.exif_transpose(image).convert("RGB")
        except (OSError, SyntaxError, ValueError):
            continue
        upright.save(lossless / f"IMG_{photos:05d}.PNG", compress_level=1)
        data = stamp.full_path.read_bytes()
        for version in [data, *(_another(data, number) for number in range(1, copies))]:
            if version is not data and not completeness.check(version, stamp.full_path).certain:
                break
            (folder / f"IMG_{photos:05d}.JPG").write_bytes(version)
            photos, pixels, size = photos + 1, pixels + upright.width * upright.height, size + len(version)
    if not photos:
        raise SystemExit(f"{source}: holds no JPEG that can be read")
    return Card(folder, lossless, photos, pixels / photos / 1e6, size / photos)


def _another(data: bytes, number: int) -> bytes:
    """The same picture in other bytes: with a comment right behind its start."""
    comment = f"copy {number}".encode()
    return data[:2] + b"\xff\xfe" + (len(comment) + 2).to_bytes(2, "big") + comment + data[2:]
