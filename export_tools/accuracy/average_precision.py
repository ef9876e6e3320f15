"""Detections against truth: which match, how good the ranking is, what one threshold gives.

Matches are greedy, as COCO makes them (Lin et al. 2014, pycocotools): the surest detection chooses first, among the
boxes of its own class that are still free and overlap it enough, the one that it overlaps most. Average precision is
the area under the interpolated precision-recall curve at all points (VOC 2010 and later). All classes asked for share
one ranking, because one threshold serves all of them on a device.

Detections with equal scores are one point of the curve: no order among them is truer than another, and 8-bit graphs
give many of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

ALL = (0, 1, 2)
"""Animal, person, vehicle: the order of `edge_runtime.values.CATEGORIES`."""
ANY_AREA = (0.0, float("inf"))


@dataclass(frozen=True, slots=True)
class Truth:
    """What is on one photo."""

    boxes: NDArray[np.float32]
    """[N, 4] `xyxy`, fractions of the photo."""
    classes: NDArray[np.intp]
    """[N], places in `edge_runtime.values.CATEGORIES`."""
    ignored: NDArray[np.float32]
    """[M, 4] `xyxy`: a detection that matches nothing and lies in one of them by more than half is neither right nor
    false."""
    judged: tuple[int, ...] = ALL
    """Classes that were looked for: a detection of another class that matches nothing is neither right nor false."""


@dataclass(frozen=True, slots=True)
class Found:
    """What a detector says is on one photo."""

    boxes: NDArray[np.float32]
    """[N, 4] `xyxy`, fractions of the photo."""
    classes: NDArray[np.intp]
    """[N], places in `edge_runtime.values.CATEGORIES`."""
    scores: NDArray[np.float32]
    """[N], 0..1, any order."""


@dataclass(frozen=True, slots=True)
class Matches:
    """Which detections of one photo are right. Arrays are in the order of `found` and of `truth`."""

    found: Found
    truth: Truth
    truth_of: NDArray[np.intp]
    """[N] index of the truth that a detection matched, -1 where none."""
    counted: NDArray[np.bool_]
    """[N] False for a detection that is neither right nor false."""


@dataclass(frozen=True, slots=True)
class Ranking:
    """Counted detections of many photos, surest first, and how many boxes each photo has."""

    scores: NDArray[np.float64]
    """[N], falling."""
    right: NDArray[np.bool_]
    """[N]."""
    photo: NDArray[np.intp]
    """[N], index of the photo."""
    truths: NDArray[np.intp]
    """[photos]."""


@dataclass(frozen=True, slots=True)
class AtThreshold:
    """What a detector gives when everything below one score is left out."""

    threshold: float
    truths: int
    right: int
    false: int

    @property
    def recall(self) -> float:
        """NaN where there is nothing to find."""
        return self.right / self.truths if self.truths else float("nan")

    @property
    def precision(self) -> float:
        """NaN where nothing was found."""
        return self.right / (self.right + self.false) if self.right + self.false else float("nan")

    @property
    def f1(self) -> float:
        """Harmonic mean of recall and precision; 0 where nothing is right."""
        return 2 * self.right / max(1, self.truths + self.right + self.false)


def matched(found: Found, truth: Truth, *, overlap: float = 0.5) -> Matches:
    """Match one photo's detections to its boxes: each box once, inside its class, IoU at least `overlap`."""
    truth_of = np.full(len(found.scores), -1, np.intp)
    overlaps = _iou(found.boxes, truth.boxes)
    overlaps[found.classes[:, None] != truth.classes[None, :]] = -1.0
    if overlaps.shape[1]:
        for index in np.argsort(-found.scores, kind="stable"):
            best = int(overlaps[index].argmax())
            if overlaps[index, best] >= overlap:
                truth_of[index] = best
                overlaps[:, best] = -1.0
    excused = _share_inside(found.boxes, truth.ignored).max(axis=1, initial=0.0) > 0.5
    excused |= ~np.isin(found.classes, np.array(truth.judged, np.intp))
    return Matches(found, truth, truth_of, ~((truth_of < 0) & excused))


def ranking(
    matches: Sequence[Matches], *, classes: Sequence[int] = ALL, area: tuple[float, float] = ANY_AREA
) -> Ranking:
    """Pool photos into one ranking of the asked `classes`.

    `area` is a range of box areas in fractions of the photo, low end included, high end not. As with COCO's area
    ranges, truth outside it need not be found, a detection that matches such a truth does not count, and one that
    matches nothing counts when its own area lies inside.
    """
    scores, right, photo, truths = [], [], [], []
    for index, match in enumerate(matches):
        wanted = _within(match.truth.boxes, area) & np.isin(match.truth.classes, classes)
        hit = match.truth_of >= 0
        eligible = _within(match.found.boxes, area)
        eligible[hit] = wanted[match.truth_of[hit]]
        eligible &= match.counted & np.isin(match.found.classes, classes)
        scores.append(match.found.scores[eligible].astype(np.float64))
        right.append(hit[eligible])
        photo.append(np.full(int(eligible.sum()), index, np.intp))
        truths.append(int(wanted.sum()))
    pooled = np.concatenate([np.zeros(0), *scores])
    order = np.argsort(-pooled, kind="stable")
    return Ranking(
        scores=pooled[order],
        right=np.concatenate([np.zeros(0, np.bool_), *right])[order],
        photo=np.concatenate([np.zeros(0, np.intp), *photo])[order],
        truths=np.array(truths, np.intp),
    )


def area_under(ranked: Ranking, *, weights: NDArray[np.float64] | None = None) -> float:
    """Average precision of a ranking, 0..1; NaN where there is nothing to find.

    `weights` [photos] counts each photo so many times (a bootstrap's draw); None counts each once.
    """
    each = np.ones(len(ranked.truths)) if weights is None else weights
    truths = float((each * ranked.truths).sum())
    if not truths:
        return float("nan")
    right, found = _cumulated(ranked, each)
    recall = right / truths
    precision = np.divide(right, found, out=np.zeros_like(right), where=found > 0)
    envelope = np.maximum.accumulate(precision[::-1])[::-1]
    return float((np.diff(recall, prepend=0.0) * envelope).sum())


def average_precision(
    found: Sequence[Found],
    truth: Sequence[Truth],
    *,
    overlap: float = 0.5,
    classes: Sequence[int] = ALL,
    area: tuple[float, float] = ANY_AREA,
) -> float:
    """Average precision over photos, 0..1: one ranking over all `classes`, matches inside each class.

    `found` and `truth` are of the same photos in the same order. NaN where there is nothing to find. `area` as in
    `ranking`.

    Raises:
        ValueError: not as many photos found as true.
    """
    return area_under(ranking(match_all(found, truth, overlap=overlap), classes=classes, area=area))


def match_all(found: Sequence[Found], truth: Sequence[Truth], *, overlap: float = 0.5) -> list[Matches]:
    """`matched` for each photo.

    Raises:
        ValueError: not as many photos found as true.
    """
    return [matched(one, true, overlap=overlap) for one, true in zip(found, truth, strict=True)]


def at_threshold(ranked: Ranking, threshold: float) -> AtThreshold:
    """What is right and what is false at scores of `threshold` and above."""
    kept = ranked.right[ranked.scores >= threshold]
    right = int(kept.sum())
    return AtThreshold(threshold, int(ranked.truths.sum()), right, len(kept) - right)


def best_threshold(ranked: Ranking) -> AtThreshold:
    """The threshold of the best F1; of equals the highest. Where nothing is right, 1 (keep nothing but the surest)."""
    ends = _ends(ranked.scores)
    right = np.cumsum(ranked.right)[ends]
    f1 = 2 * right / np.maximum(1, ranked.truths.sum() + ends + 1)
    if not len(f1) or not f1.max():
        return at_threshold(ranked, 1.0)
    return at_threshold(ranked, float(ranked.scores[ends[f1.argmax()]]))


def _cumulated(ranked: Ranking, each: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Right ones and all ones down to each distinct score."""
    counts = each[ranked.photo]
    ends = _ends(ranked.scores)
    return np.cumsum(counts * ranked.right)[ends], np.cumsum(counts)[ends]


def _ends(scores: NDArray[np.float64]) -> NDArray[np.intp]:
    """Where each run of equal scores ends."""
    return np.flatnonzero(np.append(scores[1:] != scores[:-1], True)[: len(scores)])


def _within(boxes: NDArray[np.float32], area: tuple[float, float]) -> NDArray[np.bool_]:
    areas = _areas(boxes)
    inside: NDArray[np.bool_] = (areas >= area[0]) & (areas < area[1])
    return inside


def _areas(boxes: NDArray[np.float32]) -> NDArray[np.float64]:
    sides = np.maximum(boxes[:, 2:].astype(np.float64) - boxes[:, :2], 0.0)
    areas: NDArray[np.float64] = sides[:, 0] * sides[:, 1]
    return areas


def _common(one: NDArray[np.float32], other: NDArray[np.float32]) -> NDArray[np.float64]:
    """[N, M] areas that boxes have in common."""
    low = np.maximum(one[:, None, :2].astype(np.float64), other[None, :, :2])
    high = np.minimum(one[:, None, 2:].astype(np.float64), other[None, :, 2:])
    common: NDArray[np.float64] = np.maximum(high - low, 0.0).prod(axis=2)
    return common


def _iou(one: NDArray[np.float32], other: NDArray[np.float32]) -> NDArray[np.float64]:
    common = _common(one, other)
    union = _areas(one)[:, None] + _areas(other)[None, :] - common
    return np.divide(common, union, out=np.zeros_like(common), where=union > 0)


def _share_inside(one: NDArray[np.float32], other: NDArray[np.float32]) -> NDArray[np.float64]:
    """[N, M] the part of each box of `one` that lies in each of `other`."""
    common, areas = _common(one, other), _areas(one)[:, None]
    return np.divide(common, areas, out=np.zeros_like(common), where=areas > 0)
