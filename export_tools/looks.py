"""What a model is shown of the photos: the whole of one, or one box of it, decoded when it is asked for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar, overload

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_runtime.bundles.manifest import CropRule, Input, Preprocess
from edge_runtime.models.crops import cut
from edge_runtime.models.preprocess import prepare
from edge_runtime.values import Box, Crop, Detection, Frame, Pixels
from export_tools.accuracy import running
from export_tools.samples import Sample, progress

KEPT_BYTES = 512 << 20
"""Decoded pictures that are kept in memory; what does not fit is decoded again when it is asked for."""
_WHOLE = Box(0.0, 0.0, 1.0, 1.0)
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Look:
    """What a model is shown of one photo: the whole of it, or one box of it."""

    sample: Sample
    detection: Detection = field(default=Detection("animal", 1.0, _WHOLE))

    def frame(self) -> Frame:
        """The whole photo, decoded as the device does.

        Raises:
            UnreadablePhotoError: it cannot be decoded.
        """
        return running.read(self.sample.file)

    def crop(self, rule: CropRule) -> Crop:
        """A copy of what `rule` cuts out for the box; the whole photo for a box around all of it.

        Raises:
            UnreadablePhotoError: the photo cannot be decoded.
        """
        frame = self.frame()
        if self.detection.box == _WHOLE:
            return Crop(self.detection, frame.pixels)
        crop = cut(frame, self.detection, rule)
        return Crop(crop.detection, crop.pixels.copy())


class Kept(Sequence[T], Generic[T]):
    """A sequence whose items are made when they are first asked for and kept as far as memory allows."""

    def __init__(
        self, makers: Sequence[Callable[[], T]], size: Callable[[T], int], *, budget: int = KEPT_BYTES
    ) -> None:
        self._makers, self._size, self._left = makers, size, budget
        self._made: dict[int, T] = {}

    def __len__(self) -> int:
        return len(self._makers)

    @overload
    def __getitem__(self, place: int) -> T: ...
    @overload
    def __getitem__(self, place: slice) -> Sequence[T]: ...
    def __getitem__(self, place: int | slice) -> T | Sequence[T]:
        if isinstance(place, slice):
            return [self[index] for index in range(*place.indices(len(self)))]
        index = range(len(self))[place]
        if index in self._made:
            return self._made[index]
        item = self._makers[index]()
        if self._size(item) <= self._left:
            self._left -= self._size(item)
            self._made[index] = item
        return item


def frames(looks: Sequence[Look]) -> Kept[Frame]:
    """The photos, decoded."""
    return Kept([look.frame for look in looks], lambda frame: frame.pixels.nbytes)


def crops(looks: Sequence[Look], rule: CropRule) -> Kept[Crop]:
    """What a classifier or embedder is shown."""
    return Kept([lambda look=look: look.crop(rule) for look in looks], lambda crop: crop.pixels.nbytes)  # type: ignore[misc]


def inputs(pictures: Sequence[Frame] | Sequence[Crop], spec: Input, rule: Preprocess) -> Kept[NDArray[np.float32]]:
    """Input tensors [1, ...] of pictures, pre-processed as the device does: `FloatGraph.calibration`."""

    def made(place: int) -> NDArray[np.float32]:
        return prepare(pictures[place].pixels, spec, rule)[0]

    places = range(len(pictures))
    return Kept([lambda place=place: made(place) for place in places], lambda tensor: tensor.nbytes)  # type: ignore[misc]


def animals(
    samples: Sequence[Sample], detect: Callable[[Frame], Sequence[Detection]], *, confident: float, at_most: int
) -> list[Look]:
    """The boxes of animals that a detector is sure of: crops out of whole photos.

    Args:
        detect: `Detector.detect`.
        confident: least confidence.
        at_most: looks at most.

    Raises:
        UnreadablePhotoError, EngineError: a photo cannot be decoded, or the inference failed.
    """
    looks: list[Look] = []
    for sample in progress(samples, "finding animals"):
        found = detect(running.read(sample.file))
        looks += [Look(sample, one) for one in found if one.category == "animal" and one.confidence >= confident]
        if len(looks) >= at_most:
            break
    return looks[:at_most]


def small(pixels: Pixels, longest: int) -> Pixels:
    """The picture with its longer side at most `longest` pixels, by area averaging."""
    height, width = pixels.shape[:2]
    ratio = longest / max(height, width)
    if ratio >= 1:
        return pixels
    size = max(1, round(width * ratio)), max(1, round(height * ratio))
    return np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8)
