"""Boxes at the operating threshold, one detector's beside another's: moved, missed, added, called otherwise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge_runtime.bundles.manifest import Measure
from export_tools.accuracy.average_precision import Found, matched
from export_tools.accuracy.intervals import quantile, wilson
from export_tools.proof.evidence import estimate_measure, share_measure
from export_tools.proof.objects import OVERLAP, above, as_truth, iou


@dataclass(frozen=True)
class Changes:
    """Counts over all photos."""

    overlaps: NDArray[np.float64]
    """IoU of each matched pair."""
    before: int
    after: int
    """Boxes of the reference and of the variant."""
    flips: int
    """Boxes of the reference that the variant has too, but in another class."""

    @property
    def missed(self) -> int:
        return self.before - len(self.overlaps)

    @property
    def extra(self) -> int:
        return self.after - len(self.overlaps)

    def measures(self) -> tuple[Measure, ...]:
        """As a manifest has them; missed boxes out of the reference's, extra ones out of the variant's."""
        matches = len(self.overlaps)
        return (
            estimate_measure("IoU of matched boxes, median", quantile(self.overlaps, 0.5), matches),
            estimate_measure("IoU of matched boxes, lowest 5 %", quantile(self.overlaps, 0.05), matches),
            share_measure("missed boxes", wilson(self.missed, self.before)),
            share_measure("extra boxes", wilson(self.extra, self.after)),
            share_measure("class flips", wilson(self.flips, self.before)),
        )


def between(before: Sequence[Found], after: Sequence[Found], threshold: float) -> Changes:
    """Compare what two detectors find on the same photos, at `threshold` and above."""
    overlaps, flips = [np.zeros(0)], 0
    was = [above(found, threshold) for found in before]
    now = [above(found, threshold) for found in after]
    for old, new in zip(was, now, strict=True):
        truth_of = matched(new, as_truth(old), overlap=OVERLAP).truth_of
        hit = truth_of >= 0
        overlaps.append(iou(new.boxes[hit], old.boxes[truth_of[hit]]))
        missed = ~np.isin(np.arange(len(old.scores)), truth_of[hit])
        flips += _flips(old, missed, new, ~hit)
    boxes = sum(len(found.scores) for found in was), sum(len(found.scores) for found in now)
    return Changes(np.concatenate(overlaps), *boxes, flips)


def _flips(old: Found, missed: NDArray[np.bool_], new: Found, extra: NDArray[np.bool_]) -> int:
    # Matched once more without their classes.
    rest = Found(old.boxes[missed], np.zeros(int(missed.sum()), np.intp), old.scores[missed])
    added = Found(new.boxes[extra], np.zeros(int(extra.sum()), np.intp), new.scores[extra])
    return int((matched(added, as_truth(rest), overlap=OVERLAP).truth_of >= 0).sum())
