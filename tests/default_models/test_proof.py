"""How the proof counts what quantizing changed, and how thresholds are chosen."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edge_runtime.bundles.manifest import Thresholds
from edge_runtime.values import Box
from export_tools.default_models import imagenet_labels, lite0_figures, proof
from export_tools.default_models.known_crops import KnownCrop
from export_tools.default_models.lite0_figures import Looked
from export_tools.default_models.proof import Outputs

TAXONOMY = imagenet_labels.taxonomy()
THRESHOLDS = Thresholds(species=0.6, rollup=0.7)
LION, TIGER, COYOTE, THING = 291, 292, 272, 999


def outputs(*rows: dict[int, float]) -> Outputs:
    probabilities = np.zeros((len(rows), 1000), np.float32)
    for row, values in zip(probabilities, rows, strict=True):
        row[list(values)] = list(values.values())
    return Outputs(probabilities, np.ones((len(rows), 2), np.float32))


def test_wilsons_interval_is_that_of_his_paper() -> None:
    share = proof.wilson(13, 49)
    assert (share.share, share.low, share.high) == (0.2653, 0.1621, 0.4026)
    assert proof.wilson(0, 0) == proof.Share(0, 0, 0.0, 0.0, 0.0)


def test_a_coarser_answer_is_another_one_but_no_contradiction() -> None:
    before = outputs({LION: 0.9}, {LION: 0.7, TIGER: 0.3}, {LION: 0.9, THING: 0.1}, {THING: 1.0})
    after = outputs({LION: 0.8}, {LION: 0.5, TIGER: 0.5}, {COYOTE: 0.9, THING: 0.1}, {THING: 0.9, LION: 0.1})
    found = proof.compare(TAXONOMY, before, after, THRESHOLDS)
    assert (found.answer_same.count, found.contradicted.count) == (2, 1)
    assert found.mean_shift == pytest.approx((0.1 + 0.2 + 0.9 + 0.1) / 4, abs=1e-4)


def test_a_neighbour_is_looked_for_in_other_groups_only() -> None:
    vectors = proof.directions(np.array([[1, 0], [2, 0.1], [3, 1], [0, 5]], np.float32))
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1)
    assert proof.neighbours(vectors, ["a", "b", "c", "d"]).tolist() == [1, 0, 1, 2]
    assert proof.neighbours(vectors, ["a", "a", "c", "d"]).tolist() == [2, 2, 1, 2]


def test_embeddings_are_compared_by_their_angle_and_their_neighbours() -> None:
    before = Outputs(np.zeros((3, 1000), np.float32), np.array([[1, 0], [1, 0.2], [0, 1]], np.float32))
    after = Outputs(before.probabilities, np.array([[2, 0], [1, 0.2], [1, 0]], np.float32))
    found = proof.compare_embeddings(before, after, ["a", "b", "c"])
    assert found.cosine_median == 1.0 and found.cosine_low < 0.2
    assert (found.neighbour_changed.count, found.neighbour_changed.of) == (2, 3)


def test_thresholds_are_the_lowest_at_which_enough_is_right() -> None:
    crops = [
        KnownCrop(Path("a.jpg"), f"a.jpg:{n}", f"{n}", f"{n}", Box(0, 0, 1, 1), "lion", ("lion",), 300)
        for n in range(4)
    ]
    # A wrong label at .52 and a wrong group at .62 (no single label reaches the threshold); the rest is right.
    rows = [{TIGER: 0.52, COYOTE: 0.48}, {TIGER: 0.4, LION: 0.4, THING: 0.2}, {COYOTE: 0.31, 273: 0.31, THING: 0.38}]
    looked = Looked("held back", crops, outputs(*rows, {LION: 0.9}), outputs(*rows, {LION: 0.9}))
    chosen = lite0_figures.choose_thresholds(TAXONOMY, [looked])
    assert chosen.species == 0.55
    assert chosen.rollup == 0.65
    assert [row["named"]["count"] for row in chosen.labels_by_threshold][:6] == [3, 3, 3, 2, 2, 1]
