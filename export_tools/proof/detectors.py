"""Detectors compared in objects and boxes.

**What there is to find** is the truth where truth is given. Where none is, it is what the reference itself finds at the
operating threshold (`thresholds.confident`): then the recall is the share of that which the variant finds too.

**By a hair.** A box at .31 of one graph and .29 of another is the same box, although a threshold of .30 parts them. So
an object that one graph finds and the other does not, while both are within `HAIR` of the threshold, counts for
neither. That holds in both directions, and what it leaves out is shown: the recall at the plain threshold stands
beside, and a check of its own fails where more objects fall below the threshold by a hair than rise above it, beyond
chance, as they do when scores have drifted down.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from edge_runtime.bundles.bundle import Bundle
from edge_runtime.bundles.manifest import Measure
from edge_runtime.models.detector import Detector
from edge_runtime.values import Frame
from export_tools.accuracy.average_precision import Found, Truth, matched
from export_tools.accuracy.intervals import Z, mean, wilson
from export_tools.accuracy.running import as_found, keeping_all
from export_tools.proof import changes
from export_tools.proof.evidence import Check, Evidence, Judge, estimate_measure, from_share, share_measure
from export_tools.proof.objects import HAIR, OVERLAP, Objects, above, as_truth, objects
from export_tools.samples import progress

SIZES = (
    ("objects below 0.5 % of the frame", 0.0, 0.005),
    ("objects of 0.5 to 2 %", 0.005, 0.02),
    ("objects of 2 to 10 %", 0.02, 0.1),
    ("objects above 10 %", 0.1, float("inf")),
)
RECALL, RECALL_BY_SIZE = 0.99, 0.95
"""The gate, of the reference's recall."""
ENOUGH, ENOUGH_BY_SIZE = 100, 20
"""Of 100 objects one is the whole 1 % that may be lost, of 20 it is the 5 %."""
SHARE = "share of the reference's recall"


class DetectorJudge:
    """Compares detectors with a reference on the same photos.

    Args:
        reference: its first variant is the reference.
        frames: the photos.
        truth: of each photo; None where nobody knows.
        found: what the reference finds, where that is known already.

    Raises:
        EngineError, BundleError: the reference cannot be loaded or run.
    """

    def __init__(
        self,
        reference: Bundle,
        frames: Sequence[Frame],
        truth: Sequence[Truth] | None = None,
        *,
        found: Sequence[Found] | None = None,
    ) -> None:
        self._reference, self._frames, self._known = reference, frames, truth
        self._threshold = reference.manifest.thresholds.confident
        self._before = run(reference, frames) if found is None else found
        # Down to a hair below the threshold, so that what rises by a hair is seen too.
        seen = [as_truth(above(found, self._threshold - HAIR)) for found in self._before]
        self._truth = seen if truth is None else truth

    def part(self, places: Sequence[int]) -> Judge:
        return DetectorJudge(
            self._reference,
            [self._frames[place] for place in places],
            None if self._known is None else [self._known[place] for place in places],
            found=[self._before[place] for place in places],
        )

    def evidence(self, bundle: Bundle) -> Evidence:
        after = run(bundle, self._frames)
        whole = objects(self._truth, self._before, after)
        each = self._distances(whole)
        return Evidence(
            samples=len(self._frames),
            measures=(
                *self._recalls(whole),
                *changes.between(self._before, after, self._threshold).measures(),
                *self._against_truth(whole, after),
            ),
            checks=(*self._checks(whole), self._drift(whole)),
            loss=float(np.mean(each)) if len(each) else 0.0,
            each=tuple(map(float, each)),
        )

    def _kept(self, some: Objects, *, plain: bool = False) -> tuple[int, int]:
        return some.kept(self._threshold, gains=self._known is not None, plain=plain)

    def _checks(self, whole: Objects) -> list[Check]:
        checks = [from_share(SHARE, wilson(*self._kept(whole)), least=RECALL, enough=ENOUGH)]
        for name, low, high in SIZES:
            share = wilson(*self._kept(whole.within(low, high)))
            if share.of >= ENOUGH_BY_SIZE:
                checks.append(from_share(f"{SHARE}, {name}", share, least=RECALL_BY_SIZE, enough=ENOUGH_BY_SIZE))
        return checks

    def _drift(self, whole: Objects) -> Check:
        hair = whole.by_a_hair(self._threshold)
        rises = int((hair & (whole.after > whole.before)).sum())
        falls = int(hair.sum()) - rises
        all_of_them = int((whole.before >= self._threshold).sum())
        net, chance = ((x / max(1, all_of_them)) for x in (rises - falls, Z * (rises + falls) ** 0.5))
        what = "objects risen less objects fallen by a hair, of all"
        # Judged by the interval alone: as many rise as fall by chance.
        return Check(what, net, net - chance, net + chance, all_of_them, RECALL - 1, 0)

    def _recalls(self, whole: Objects) -> list[Measure]:
        return [
            share_measure(SHARE, wilson(*self._kept(whole))),
            share_measure(f"{SHARE}, at the plain threshold", wilson(*self._kept(whole, plain=True))),
            *(
                share_measure(f"{SHARE}, {name}", wilson(*self._kept(whole.within(low, high))))
                for name, low, high in SIZES
            ),
        ]

    def _against_truth(self, whole: Objects, after: Sequence[Found]) -> list[Measure]:
        if self._known is None:
            return []
        measures = []
        for owner, confidence, found in (("", whole.after, after), (" of the reference", whole.before, self._before)):
            share = wilson(int((confidence >= self._threshold).sum()), len(confidence))
            false = np.array([self._false(one, true) for one, true in zip(found, self._known, strict=True)], np.float64)
            measures.append(share_measure(f"recall{owner}", share))
            average = mean(false)
            # A count has no negative side, the normal interval has.
            average = replace(average, low=max(0.0, average.low))
            measures.append(estimate_measure(f"false boxes a photo{owner}", average, len(false)))
        return measures

    def _false(self, found: Found, truth: Truth) -> int:
        matches = matched(above(found, self._threshold), truth, overlap=OVERLAP)
        return int((matches.counted & (matches.truth_of < 0)).sum())

    def _distances(self, whole: Objects) -> NDArray[np.float64]:
        """Of each photo, how far the confidences moved, summed over its objects."""
        moved = abs(whole.before - whole.after)
        return np.bincount(whole.photo, weights=moved, minlength=len(self._frames)).astype(np.float64)


def run(bundle: Bundle, frames: Sequence[Frame]) -> list[Found]:
    """What the bundle's first variant finds on each frame, down to the lowest confidence.

    Raises:
        EngineError, BundleError: it cannot be loaded or run.
    """
    detector = Detector(keeping_all(bundle), threads=1)
    return [as_found(detector.detect(frame)) for frame in progress(frames, "comparing decisions")]
