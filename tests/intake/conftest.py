"""Pictures made on the spot, and the real ones."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

Quadrants = tuple[tuple[int, int, int], ...]
COLOURS: Quadrants = ((250, 10, 10), (10, 250, 10), (10, 10, 250), (240, 240, 20))
"""Top left, top right, bottom left, bottom right of `quadrants`."""


def quadrants(width: int = 96, height: int = 64) -> Image.Image:
    """Four areas of one colour each, so that a corner tells how a picture was turned."""
    pixels = np.zeros((height, width, 3), np.uint8)
    y, x = height // 2, width // 2
    for area, colour in zip((pixels[:y, :x], pixels[:y, x:], pixels[y:, :x], pixels[y:, x:]), COLOURS, strict=True):
        area[:] = colour
    return Image.fromarray(pixels)


def noise(width: int, height: int, seed: int = 1) -> Image.Image:
    """A picture that does not compress to nothing."""
    generator = np.random.default_rng(seed)
    return Image.fromarray(generator.integers(0, 256, (height, width, 3), np.uint8))


def encode(image: Image.Image, kind: str, **options: Any) -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def corners(pixels: np.ndarray[Any, np.dtype[np.uint8]]) -> Quadrants:
    return tuple(tuple(int(v) for v in pixels[y, x]) for y, x in ((4, 4), (4, -5), (-5, 4), (-5, -5)))


def about(seen: Quadrants, wanted: Quadrants, tolerance: int = 24) -> bool:
    return bool(np.abs(np.subtract(seen, wanted)).max() <= tolerance)


@pytest.fixture(scope="session")
def real_photos(assets: Path) -> list[Path]:
    """Every photo of real cameras, the deliberately empty one left out."""
    photos = sorted(p for p in (assets / "photos").rglob("*") if p.suffix.lower() in (".jpg", ".jpeg"))
    return [p for p in photos if p.stat().st_size]


@pytest.fixture
def put(tmp_path: Path) -> Callable[..., Path]:
    """Writes a file below `tmp_path / "card"` and gives its full path."""

    def write(name: str, data: bytes = b"data", mtime_s: int | None = None) -> Path:
        file = tmp_path / "card" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)
        if mtime_s is not None:
            os.utime(file, (mtime_s, mtime_s))
        return file

    return write


def let_anybody_in(folder: Path) -> None:
    """Pytest's folders are private."""
    for each in (folder, *folder.parents):
        if not each.stat().st_mode & 0o001:
            each.chmod(0o755)


@pytest.fixture
def as_nobody() -> Iterator[None]:
    """Root may read everything, so a test of permissions gives that up for a while."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)
