"""Classifiers compared in labels and probabilities."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from edge_runtime.bundles.bundle import Bundle
from edge_runtime.bundles.manifest import Measure
from edge_runtime.models.classifier import Classifier
from edge_runtime.values import Crop
from export_tools.accuracy.intervals import mean, wilson
from export_tools.proof.evidence import Check, Evidence, Judge, estimate_measure, from_share, share_measure
from export_tools.samples import progress

SURE = 0.2
"""The reference is sure of a crop where its best probability is that much above its second best."""
AGREEMENT, ACCURACY, ENOUGH = 0.99, 0.99, 100
AGREEMENT_SURE, ACCURACY_KEPT = "same label where the reference is sure", "share of the reference's accuracy"


class ClassifierJudge:
    """Compares classifiers with a reference on the same crops. "Label" is the most probable one, or "no animal".

    Args:
        reference: its first variant is the reference.
        crops: what is to be classified.
        labels: of each crop the right label, or None where nobody knows.
        probabilities: what the reference gives, [N, labels + 1], where that is known already.

    Raises:
        EngineError, BundleError: the reference cannot be loaded or run.
    """

    def __init__(
        self,
        reference: Bundle,
        crops: Sequence[Crop],
        labels: Sequence[str | None] | None = None,
        *,
        probabilities: NDArray[np.float64] | None = None,
    ) -> None:
        self._reference, self._crops = reference, crops
        self._labels = [None] * len(crops) if labels is None else list(labels)
        self._before = run(reference, crops) if probabilities is None else probabilities

    def part(self, places: Sequence[int]) -> Judge:
        return ClassifierJudge(
            self._reference,
            [self._crops[place] for place in places],
            [self._labels[place] for place in places],
            probabilities=self._before[list(places)],
        )

    def evidence(self, bundle: Bundle) -> Evidence:
        before, after = self._before, run(bundle, self._crops)
        was, now = before.argmax(axis=1), after.argmax(axis=1)
        ordered = np.sort(before, axis=1)
        sure = ordered[:, -1] - ordered[:, -2] >= SURE
        shift = abs(before - after)[np.arange(len(was)), was]
        agreement = wilson(int((was == now)[sure].sum()), int(sure.sum()))
        accuracy_measures, accuracy_checks = self._accuracy(was, now)
        each = abs(before - after).sum(axis=1) / 2
        return Evidence(
            samples=len(self._crops),
            measures=(
                share_measure(AGREEMENT_SURE, agreement),
                share_measure("same label, all crops", wilson(int((was == now).sum()), len(was))),
                estimate_measure("shift of the reference's best probability, mean", mean(shift), len(shift)),
                *accuracy_measures,
            ),
            checks=(from_share(AGREEMENT_SURE, agreement, least=AGREEMENT, enough=ENOUGH), *accuracy_checks),
            loss=float(each.mean()) if len(each) else 0.0,
            each=tuple(map(float, each)),
        )

    def _accuracy(self, was: NDArray[np.intp], now: NDArray[np.intp]) -> tuple[list[Measure], list[Check]]:
        names = list(dict.fromkeys(label.name for label in self._reference.labels if label.kind == "animal"))
        place = {name: index for index, name in enumerate(names)}
        # Only what the classifier could have said counts.
        known = [(index, place[label]) for index, label in enumerate(self._labels) if label in place]
        if not known:
            return [], []
        right = [(int(was[index]) == true, int(now[index]) == true) for index, true in known]
        before, after = sum(old for old, _ in right), sum(new for _, new in right)
        kept = wilson(min(after, before), before)
        measures = [
            share_measure(ACCURACY_KEPT, kept),
            share_measure("accuracy", wilson(after, len(right))),
            share_measure("accuracy of the reference", wilson(before, len(right))),
        ]
        return measures, [from_share(ACCURACY_KEPT, kept, least=ACCURACY, enough=ENOUGH)]


def run(bundle: Bundle, crops: Sequence[Crop]) -> NDArray[np.float64]:
    """Probabilities [N, labels + 1] by the bundle's first variant; the last is "no animal".

    Raises:
        EngineError, BundleError: it cannot be loaded or run.
    """
    classifier = Classifier(bundle, threads=1)
    rows = [classifier.probabilities(crop) for crop in progress(crops, "comparing decisions")]
    return np.array(rows, np.float64).reshape(len(rows), -1)
