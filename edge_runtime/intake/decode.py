"""From a photo's bytes to its pixels: uint8, RGB, upright.

JPEG goes through libjpeg-turbo: simplejpeg, and OpenCV where it is rare (CMYK). Everything else goes through Pillow.
"""

from __future__ import annotations

import contextlib
import io
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import simplejpeg
from numpy.typing import NDArray
from PIL import Image

from edge_runtime.errors import UnreadablePhotoError
from edge_runtime.intake.exif import orientation
from edge_runtime.values import Frame, Pixels

MAX_DECODED_PIXELS = 16_000_000
"""A larger photo is decoded at reduced scale."""
_SHRINKS = (8, 4, 2, 1)
"""By what libjpeg divides both sides while it decodes, and is the faster for it. It knows all eighths, but has SIMD
code for these alone: 3/8 takes longer than 1/2, and 5/8, 6/8 and 7/8 longer than the whole."""

_FORMATS = ("JPEG", "PNG", "TIFF", "BMP", "WEBP")
_JPEG = ("JPEG", "MPO")

# Pillow's own limit would warn at 89 megapixels and refuse at 179 whatever the settings say; `open_photo` applies the
# user's limit to every picture instead, before anything is decoded.
Image.MAX_IMAGE_PIXELS = None

# Older OpenCV decodes to BGR only.
_RGB: int | None = getattr(cv2, "IMREAD_COLOR_RGB", None)
# The gray flags carry the scale alone; the colour flags of the same scale also say BGR.
_REDUCED = {2: cv2.IMREAD_REDUCED_GRAYSCALE_2, 4: cv2.IMREAD_REDUCED_GRAYSCALE_4, 8: cv2.IMREAD_REDUCED_GRAYSCALE_8}

# What Pillow's decoders raise on damaged bytes.
_DAMAGED = (OSError, SyntaxError, ValueError, LookupError, TypeError, ArithmeticError, AttributeError, EOFError)


def open_photo(data: bytes, file: Path, *, max_pixels: int) -> Image.Image:
    """Read the header only: size, metadata. `file` only names the photo in errors.

    Raises:
        UnreadablePhotoError: no picture of a known format, or one with more than `max_pixels`. A few bytes can stand
            for gigabytes of pixels, so that is refused before anything is decoded.
    """
    try:
        image = Image.open(io.BytesIO(data), formats=_FORMATS)
    except _DAMAGED as error:
        raise UnreadablePhotoError(file, "its header cannot be read") from error
    width, height = image.size
    if width * height > max_pixels:
        raise UnreadablePhotoError(
            file,
            f"{width} x {height} pixels are {width * height / 1e6:.0f} megapixels, more than cards.max_megapixels "
            f"({max_pixels / 1e6:g}) allows",
        )
    return image


def decode(data: bytes, image: Image.Image, file: Path, *, at_least: tuple[int, int] | None = None) -> Frame:
    """The upright RGB pixels of `data`, which `image` is the opened header of.

    A JPEG whose structure is whole but whose data is damaged in places is decoded as far as libjpeg gets;
    the rest is gray. A leopard in the upper half is still a leopard.

    Photos above 16 megapixels come at reduced scale in any case: a detector sees at most about 1.6 megapixels of them,
    while a frame takes 3 bytes per pixel, and a 40-megapixel camera must not take 120 MB of a device that has 512. A
    JPEG is reduced while it is decoded and never stands in memory at full size; the others are scaled after.

    Args:
        at_least: width and height, pixels of the upright photo, that are enough. A JPEG is then decoded at the least
            of 1/8, 1/4, 1/2 and 1 that gives both, and `Frame.sharper` gives more of it. None: all pixels.

    Raises:
        UnreadablePhotoError: nothing can be decoded; from `Frame.sharper` too.
    """
    turn = orientation(image)
    if image.format in _JPEG:
        jpeg = _Jpeg(data, image.size, turn, file)
        return jpeg.frame(jpeg.full if at_least is None else jpeg.covering(at_least))
    pixels = _decode_other(image, file)
    return Frame(_upright(pixels, turn), pixels.shape[1] / image.width)


@dataclass(frozen=True, slots=True)
class _Jpeg:
    """A JPEG whose header was read, to be decoded at one scale or another."""

    data: bytes
    size: tuple[int, int]
    """Width and height, pixels, before `turn`."""
    turn: int
    file: Path

    @property
    def full(self) -> int:
        """The least by which its sides may be divided."""
        width, height = self.size
        return next((n for n in reversed(_SHRINKS) if width * height <= MAX_DECODED_PIXELS * n * n), max(_SHRINKS))

    def covering(self, upright: tuple[int, int]) -> int:
        """The most by which its sides can be divided and still be `upright` (width and height) or more."""
        least = upright[::-1] if self.turn >= 5 else upright
        return self._shrink(
            lambda n: all(-(-side // n) >= wanted for side, wanted in zip(self.size, least, strict=True))
        )

    def sharper(self, scale: float) -> Frame:
        """As `Frame.sharper`."""
        return self.frame(self._shrink(lambda n: 1 / n >= scale))

    def frame(self, shrink: int) -> Frame:
        pixels = _upright(self._pixels(shrink), self.turn)
        return Frame(pixels, 1 / shrink, self.sharper if shrink > self.full else None)

    def _shrink(self, enough: Callable[[int], bool]) -> int:
        return max(self.full, next(filter(enough, _SHRINKS), 1))

    def _pixels(self, shrink: int) -> Pixels:
        # The same pixels as OpenCV's in three fifths of the time, and without a second copy of the picture.
        width, height = (-(-side // shrink) for side in self.size)
        with contextlib.suppress(ValueError):
            pixels = simplejpeg.decode_jpeg(self.data, "RGB", min_width=width, min_height=height, strict=False)
            return np.asarray(pixels, np.uint8)
        flags = cv2.IMREAD_IGNORE_ORIENTATION | _REDUCED.get(shrink, 0) | (cv2.IMREAD_COLOR if _RGB is None else _RGB)
        try:
            decoded = cv2.imdecode(np.frombuffer(self.data, np.uint8), flags)
        except cv2.error as error:
            raise UnreadablePhotoError(self.file, f"cannot be decoded ({error.err})") from error
        if decoded is None:
            raise UnreadablePhotoError(self.file, "cannot be decoded: its data is damaged")
        if _RGB is None:
            cv2.cvtColor(decoded, cv2.COLOR_BGR2RGB, dst=decoded)
        return np.asarray(decoded, np.uint8)


def _decode_other(image: Image.Image, file: Path) -> Pixels:
    try:
        image.load()
        pixels = _rgb(image)
    except _DAMAGED as error:
        raise UnreadablePhotoError(file, f"cannot be decoded ({error})") from error
    height, width = pixels.shape[:2]
    if width * height > MAX_DECODED_PIXELS:
        shrink = math.sqrt(MAX_DECODED_PIXELS / (width * height))
        size = max(1, int(width * shrink)), max(1, int(height * shrink))
        pixels = np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8)
    return pixels


def _rgb(image: Image.Image) -> Pixels:
    if image.mode.startswith("I") or image.mode == "F":
        gray = _to_8_bits(image)
        return np.repeat(gray[:, :, None], 3, axis=2)
    if image.has_transparency_data:
        # Over white, as every viewer shows it; what lies under transparent pixels is arbitrary.
        upright = image.convert("RGBA")
        image = Image.new("RGBA", upright.size, "white")
        image.alpha_composite(upright)
    return np.array(image if image.mode == "RGB" else image.convert("RGB"), np.uint8)


def _to_8_bits(image: Image.Image) -> NDArray[np.uint8]:
    """Gray values of more than 8 bits, by their high byte; floats by the range that they evidently use."""
    values = np.asarray(image)
    if image.mode == "F":
        values = np.nan_to_num(values, nan=0.0, posinf=0.0, neginf=0.0)
        top = float(values.max(initial=0.0))
        full = next((limit for limit in (1.0, 255.0, 65535.0) if top <= limit), top)
        return np.asarray(np.clip(values * (255.0 / full), 0, 255), np.uint8)
    if image.mode == "I" and values.max(initial=0) > 65535:
        values = np.clip(values, 0, None) >> 16
    return np.asarray(np.clip(values, 0, 65535) >> 8, np.uint8)


# By Exif orientation, after rows and columns were swapped where it is 5 or more: OpenCV's code of the flip.
_FLIPS = {2: 1, 3: -1, 4: 0, 6: 1, 7: -1, 8: 0}


def _upright(pixels: Pixels, turn: int) -> Pixels:
    """Undo Exif orientation `turn`, 1 to 8; in place where it can be."""
    if turn >= 5:
        pixels = np.asarray(cv2.transpose(pixels), np.uint8)
    if turn in _FLIPS:
        cv2.flip(pixels, _FLIPS[turn], dst=pixels)
    return pixels
