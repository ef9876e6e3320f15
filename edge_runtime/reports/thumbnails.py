"""A photo of the journal, or a frame of a video, as a small JPEG in which nobody can be recognised."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import simplejpeg

from edge_runtime.errors import PhotoError, UnreadablePhotoError
from edge_runtime.intake import completeness, decode, identity
from edge_runtime.intake.video import Video
from edge_runtime.journal.results import Result
from edge_runtime.settings import Videos
from edge_runtime.values import Box, FileStamp, Pixels

SIDE = 480
"""Pixels of the longer side."""
_ANOTHER = "another one has its name on this card"
"""The boxes would be drawn over a picture that they do not belong to, and its people would be shown."""
_QUALITY = 80
_MARGIN = 0.1
"""Of a person box's longer side, all around: a hand or a hat may reach out of it."""
_CELLS = 6
"""Into which the longer side of a person is divided; each becomes one colour."""
_LEAST_CELL = 8
"""Pixels of a thumbnail."""


def of_photo(card: Path, result: Result, people: Sequence[Box], *, max_pixels: int) -> bytes:
    """A JPEG of the photo that `result` tells of, `SIDE` pixels at most, without metadata. The card is only read.

    Args:
        people: where nothing may be recognised.
        max_pixels: a larger photo is refused.

    Raises:
        PhotoError: there is no such photo on this card, another one has its name, or it cannot be read; `problem` says.
        CardGoneError: the card vanished.
    """
    stamp = _stamp(card, result)
    file = stamp.full_path
    data = identity.read(stamp)
    whole = completeness.check(data, file)
    if identity.picture_hash(data, whole.end) != result.sha256:
        raise UnreadablePhotoError(file, _ANOTHER)
    size = _size(result.width, result.height)
    with decode.open_photo(data, file, max_pixels=max_pixels) as image:
        frame = decode.decode(data, image, file, at_least=size)
    return encoded(frame.pixels, size, people)


def of_video(card: Path, result: Result, number: int, people: Sequence[Box], *, sampling: Videos) -> bytes:
    """A JPEG of one frame of the video, otherwise as `of_photo`.

    Args:
        number: of a frame that was looked at.
        people: of that frame.
        sampling: with which the video was looked at.
    """
    stamp = _stamp(card, result)
    file = stamp.full_path
    with identity.opened(stamp) as stream:
        if identity.file_hash(stream) != result.sha256:
            raise UnreadablePhotoError(file, _ANOTHER)
        with Video(stream, file, stamp.size, sampling, enough=_size) as video:
            for sample in video.samples():
                if sample.number == number:
                    pixels = sample.frame.pixels
                    return encoded(pixels, _size(pixels.shape[1], pixels.shape[0]), people)
    raise UnreadablePhotoError(file, f"its frame {number} is not among those that are looked at now")


def _stamp(card: Path, result: Result) -> FileStamp:
    file = card / result.path
    try:
        found = os.lstat(file)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise PhotoError(file, "not on this card", final=False) from error
    except OSError as error:
        raise PhotoError(file, error.strerror or str(error), final=False) from error
    return FileStamp(card, result.path, found.st_size, found.st_mtime_ns)


def _size(width: int, height: int) -> tuple[int, int]:
    """Width and height of the thumbnail, pixels, of a picture of `width` x `height`."""
    shrink = min(1.0, SIDE / max(width, height))
    return max(1, round(width * shrink)), max(1, round(height * shrink))


def encoded(pixels: Pixels, size: tuple[int, int], people: Sequence[Box]) -> bytes:
    """The picture as a JPEG of `size` (width, height), people in it beyond recognition."""
    small = np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8)
    jpeg: bytes = simplejpeg.encode_jpeg(
        np.ascontiguousarray(without_people(small, people)), _QUALITY, colorspace="RGB", colorsubsampling="420"
    )
    return jpeg


def without_people(pixels: Pixels, people: Sequence[Box]) -> Pixels:
    """A copy in which each box, and a margin around it, has kept but a few colours: what is lost cannot be got back."""
    height, width = pixels.shape[:2]
    made: Pixels = pixels.copy()
    for box in people:
        margin = _MARGIN * max((box.x2 - box.x1) * width, (box.y2 - box.y1) * height) + 1
        left, right = max(0, math.floor(box.x1 * width - margin)), min(width, math.ceil(box.x2 * width + margin))
        top, bottom = max(0, math.floor(box.y1 * height - margin)), min(height, math.ceil(box.y2 * height + margin))
        region = made[top:bottom, left:right]
        cell = max(_LEAST_CELL, max(region.shape[:2]) / _CELLS)
        cells = max(1, round((right - left) / cell)), max(1, round((bottom - top) / cell))
        colours = cv2.resize(region, cells, interpolation=cv2.INTER_AREA)
        made[top:bottom, left:right] = cv2.resize(colours, (right - left, bottom - top))
    return made
