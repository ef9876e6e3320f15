"""Whether a candidate finds what the reference finds, by the rules of the exporter's gate.

What there is to find is what the reference finds at the operating threshold. A box that only the threshold parts,
both confidences being within `HAIR` of it, counts for neither. The candidate has to keep 99 %; on fewer than 100 boxes
only a loss beyond chance (the whole 95 % interval of Wilson's score below 99 %) speaks against it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from edge_runtime.values import Box, Detection

Found = Sequence[Detection]
"""All detections of one photo."""

HAIR = 0.05
"""Of confidence."""
OVERLAP = 0.5
"""IoU from which on two boxes of one category are the same."""
LEAST = 0.99
"""Share of the reference's boxes that has to be kept."""
ENOUGH = 100
"""Of so many boxes one is the whole 1 % that may be lost."""
_Z = 1.959964  # 95 %, two sides


@dataclass(frozen=True, slots=True)
class Agreement:
    """One candidate beside the reference, on the same photos."""

    boxes: int
    """Of the reference, at the operating threshold, those parted by a hair left out."""
    missed: int
    extra: int
    """Of the candidate alone."""
    by_a_hair: int

    @property
    def problem(self) -> str:
        """Why the candidate must not be taken; empty where nothing speaks against it."""
        if not self.boxes:
            return ""
        share = (self.boxes - self.missed) / self.boxes
        bar = share if self.boxes >= ENOUGH else wilson_high(self.boxes - self.missed, self.boxes)
        if bar >= LEAST:
            return ""
        return f"finds {self.boxes - self.missed} of the reference's {self.boxes} boxes; {LEAST:.0%} is asked"


def compare(reference: Sequence[Found], candidate: Sequence[Found], *, threshold: float) -> Agreement:
    """Compare two detectors' answers to the same photos.

    Args:
        threshold: operating threshold; the detections should reach down to `HAIR` below it.
    """
    total = Agreement(0, 0, 0, 0)
    for old, new in zip(reference, candidate, strict=True):
        one = _photo(old, new, threshold)
        total = Agreement(
            total.boxes + one.boxes,
            total.missed + one.missed,
            total.extra + one.extra,
            total.by_a_hair + one.by_a_hair,
        )
    return total


def _photo(old: Found, new: Found, threshold: float) -> Agreement:
    boxes = missed = extra = hair = 0
    left = sorted(new, key=lambda one: -one.confidence)
    for one in sorted(old, key=lambda one: -one.confidence):
        match = max(
            (other for other in left if other.category == one.category and iou(one.box, other.box) >= OVERLAP),
            key=lambda other: iou(one.box, other.box),
            default=None,
        )
        if match is not None:
            left.remove(match)
        before, after = one.confidence, match.confidence if match else 0.0
        near = max(abs(before - threshold), abs(after - threshold)) < HAIR
        if near and (before >= threshold) != (after >= threshold):
            hair += 1
            continue
        boxes += before >= threshold
        missed += before >= threshold > after
        extra += after >= threshold > before
    # What the reference has nothing of, not even below its threshold.
    extra += sum(other.confidence >= threshold for other in left)
    return Agreement(boxes, missed, extra, hair)


def iou(one: Box, other: Box) -> float:
    """Common area over joint area, 0..1."""
    across = min(one.x2, other.x2) - max(one.x1, other.x1)
    down = min(one.y2, other.y2) - max(one.y1, other.y1)
    common = max(across, 0.0) * max(down, 0.0)
    joint = one.area + other.area - common
    return common / joint if joint > 0 else 0.0


def wilson_high(count: int, of: int) -> float:
    """Upper end of the 95 % interval of a share (E. B. Wilson 1927)."""
    share, square = count / of, _Z * _Z
    middle = share + square / (2 * of)
    spread = _Z * math.sqrt(share * (1 - share) / of + square / (4 * of * of))
    return (middle + spread) / (1 + square / of)
