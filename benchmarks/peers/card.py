"""The photos that everybody reads, in one flat folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageOps

from edge_runtime.intake import scan


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
    """Put every JPEG of `source` that opens onto a card, `copies` times, each file a photo of its own.

    Some of the peers drop what they cannot read without saying which, so that only whole photos are here.
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
        area = upright.width * upright.height
        data = stamp.full_path.read_bytes()
        for copy in range(copies):
            # A comment right behind the start: the same picture in other bytes.
            comment = f"copy {copy} of {stamp.path}".encode()
            segment = b"\xff\xfe" + (len(comment) + 2).to_bytes(2, "big") + comment
            (folder / f"IMG_{photos:05d}.JPG").write_bytes(data[:2] + segment + data[2:])
            photos, pixels, size = photos + 1, pixels + area, size + len(data)
    if not photos:
        raise SystemExit(f"{source}: holds no JPEG that can be read")
    return Card(folder, lossless, photos, pixels / photos / 1e6, size / photos)
