"""Objects on photos, and how sure two detectors are of each: what is found, what is lost, what changed by a hair."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from export_tools.accuracy.average_precision import Found, Truth, matched

HAIR = 0.05
"""Of confidence."""
OVERLAP = 0.5
"""IoU from which on a box is that of an object."""


@dataclass(frozen=True, slots=True)
class Objects:
    """What there is to find on all photos. Arrays [N], one entry an object."""

    photo: NDArray[np.intp]
    area: NDArray[np.float64]
    """Of the object's box, fraction of the photo."""
    before: NDArray[np.float64]
    after: NDArray[np.float64]
    """Confidence of the box by which the reference and the variant find it, 0 where they do not see it."""

    def by_a_hair(self, threshold: float) -> NDArray[np.bool_]:
        """Parted by the threshold although both confidences are within `HAIR` of it."""
        parted = (self.before >= threshold) != (self.after >= threshold)
        near = np.maximum(abs(self.before - threshold), abs(self.after - threshold)) < HAIR
        both: NDArray[np.bool_] = parted & near
        return both

    def within(self, low: float, high: float) -> Objects:
        """Those with an area of at least `low` and below `high`."""
        those = (self.area >= low) & (self.area < high)
        return Objects(self.photo[those], self.area[those], self.before[those], self.after[those])

    def kept(self, threshold: float, *, gains: bool, plain: bool = False) -> tuple[int, int]:
        """How much of what the reference finds the variant finds, as a count out of a number.

        Args:
            gains: what only the variant finds makes up for what it loses (never beyond all).
            plain: those that changed by a hair count like the others; else for neither.
        """
        counted = np.ones(len(self.area), np.bool_) if plain else ~self.by_a_hair(threshold)
        base, after = (self.before >= threshold) & counted, (self.after >= threshold) & counted
        found = after if gains else after & base
        return min(int(found.sum()), int(base.sum())), int(base.sum())


def objects(truth: Sequence[Truth], before: Sequence[Found], after: Sequence[Found]) -> Objects:
    """The objects of all photos; each is found by at most one box of each detector, inside its class."""
    rows = [
        (np.full(len(true.boxes), photo), areas(true.boxes), _confidence(true, was), _confidence(true, now))
        for photo, (true, was, now) in enumerate(zip(truth, before, after, strict=True))
    ]
    photo, area, old, new = (np.concatenate([np.zeros(0), *column]) for column in zip(*rows, strict=True))
    return Objects(photo.astype(np.intp), area, old, new)


def areas(boxes: NDArray[np.float32]) -> NDArray[np.float64]:
    """[N, 4] `xyxy` to [N]."""
    sides = np.maximum(boxes[:, 2:].astype(np.float64) - boxes[:, :2], 0.0)
    product: NDArray[np.float64] = sides[:, 0] * sides[:, 1]
    return product


def iou(one: NDArray[np.float32], other: NDArray[np.float32]) -> NDArray[np.float64]:
    """IoU of each box of `one` [N, 4] with the box of `other` [N, 4] in the same place, [N]."""
    low, high = np.maximum(one[:, :2], other[:, :2]), np.minimum(one[:, 2:], other[:, 2:])
    common = np.maximum(high.astype(np.float64) - low, 0.0).prod(axis=1)
    union = areas(one) + areas(other) - common
    ratio: NDArray[np.float64] = np.divide(common, union, out=np.zeros_like(common), where=union > 0)
    return ratio


def above(found: Found, threshold: float) -> Found:
    """The boxes at or above `threshold`."""
    those = found.scores >= threshold
    return Found(found.boxes[those], found.classes[those], found.scores[those])


def as_truth(found: Found) -> Truth:
    """A detector's boxes as what there is to find."""
    return Truth(found.boxes, found.classes, np.zeros((0, 4), np.float32))


def _confidence(truth: Truth, found: Found) -> NDArray[np.float64]:
    confidence = np.zeros(len(truth.boxes), np.float64)
    truth_of = matched(found, truth, overlap=OVERLAP).truth_of
    hit = truth_of >= 0
    confidence[truth_of[hit]] = found.scores[hit]
    return confidence
