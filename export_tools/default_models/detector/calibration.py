"""What the scores mean: fitted on held-back scenes, and the threshold by what empty scenes bring."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from edge_runtime.bundles.bundle import Bundle
from edge_runtime.models.detector import Detector
from edge_runtime.values import Frame, Pixels
from export_tools.accuracy.average_precision import matched
from export_tools.accuracy.running import as_found, keeping_all
from export_tools.default_models.detector import validation
from export_tools.default_models.detector.network import CLASSES, DetectorNetwork
from export_tools.default_models.detector.photos import Scene

FALSE_PER_EMPTY = 0.2
"""One false box in five empty scenes."""


@dataclass(frozen=True)
class Scale:
    """One class: the calibrated logit is `factor` times the raw one plus `shift` (Platt 1999)."""

    factor: float
    shift: float
    boxes: int
    """Boxes that it was fitted on."""
    right: int
    error_before: float
    error_after: float
    """Mean difference between score and share of right boxes over ten bins (ECE), 0..1."""


def fit(network: DetectorNetwork, scenes: Sequence[Scene]) -> list[Scale]:
    """Fit the scores of all boxes found in the scenes to the share of them that is right at IoU .5, class by class."""
    found = [matched(validation.found(network, scene), validation.truth(scene)) for scene in scenes]
    scales = []
    for category in range(CLASSES):
        chosen = [matches.counted & (matches.found.classes == category) for matches in found]
        pairs = list(zip(found, chosen, strict=True))
        score = np.concatenate([matches.found.scores[those] for matches, those in pairs]).astype(np.float64)
        hit = np.concatenate([matches.truth_of[those] >= 0 for matches, those in pairs]).astype(np.float64)
        scales.append(_fit(score, hit))
    return scales


def _fit(score: NDArray[np.float64], hit: NDArray[np.float64]) -> Scale:
    logit = np.log(score / (1 - score))
    inputs = np.stack([logit, np.ones_like(logit)], axis=1)
    line = np.array([1.0, 0.0])
    for _ in range(50):  # Newton's method
        share = 1 / (1 + np.exp(-(inputs @ line)))
        curvature = (inputs * (share * (1 - share))[:, None]).T @ inputs + 1e-6 * np.eye(2)
        line += np.linalg.solve(curvature, inputs.T @ (hit - share))
    after = 1 / (1 + np.exp(-(inputs @ line)))
    errors = expected_error(score, hit), expected_error(after, hit)
    return Scale(float(line[0]), float(line[1]), len(hit), int(hit.sum()), *errors)


def expected_error(scores: NDArray[np.float64], right: NDArray[np.float64]) -> float:
    """Expected calibration error over ten bins of equal width (Guo et al. 2017, arXiv:1706.04599)."""
    place = np.minimum((scores * 10).astype(int), 9)
    off = [abs(scores[place == b].sum() - right[place == b].sum()) for b in range(10)]
    return float(sum(off) / len(scores))


@torch.no_grad()
def apply(network: DetectorNetwork, scales: Sequence[Scale]) -> None:
    """Fold the scales, one a class, into the last layer."""
    factors = torch.tensor([scale.factor for scale in scales])
    network.head.classes.weight.mul_(factors[:, None, None, None])
    network.head.classes.bias.mul_(factors).add_(torch.tensor([scale.shift for scale in scales]))


def threshold(bundle: Bundle, empties: Sequence[Pixels]) -> float:
    """The lowest score of two decimals at which at most `FALSE_PER_EMPTY` boxes a picture are found in `empties`."""
    detector = Detector(keeping_all(bundle), threads=1)
    scores = np.concatenate([as_found(detector.detect(Frame(pixels))).scores for pixels in empties])
    for step in range(5, 100):
        if (scores >= step / 100).sum() <= FALSE_PER_EMPTY * len(empties):
            return step / 100
    return 0.99
