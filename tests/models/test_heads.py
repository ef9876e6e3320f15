from __future__ import annotations

import numpy as np
import pytest

from edge_runtime.models.heads import BOX_HEADS, SCORE_HEADS


def test_yolox_boxes_are_offsets_from_their_cell_in_strides() -> None:
    anchors = 8 * 8 + 4 * 4 + 2 * 2
    raw = np.zeros((1, anchors, 7), np.float32)
    raw[0, 8 * 8 + 4 * 1 + 2] = [0.5, 0.25, np.log(2), np.log(3), 0.8, 0.5, 1.0]  # stride 16, row 1, column 2
    found = BOX_HEADS["yolox"]([raw], width=64, height=64)
    centre, size = np.array([2.5 * 16, 1.25 * 16]), np.array([32, 48])
    expected = [*(centre - size / 2), *(centre + size / 2)]
    assert found.boxes[8 * 8 + 4 * 1 + 2].tolist() == pytest.approx(expected)
    assert found.scores[8 * 8 + 4 * 1 + 2].tolist() == pytest.approx([0.4, 0.8])


def test_yolox_stays_finite_on_absurd_sizes() -> None:
    raw = np.zeros((1, 84, 6), np.float32)
    raw[..., 2:4] = 1e30
    assert np.isfinite(BOX_HEADS["yolox"]([raw], width=64, height=64).boxes).all()


@pytest.mark.parametrize("shape", [(1, 83, 7), (2, 84, 7), (1, 84, 5), (84, 7)])
def test_outputs_of_another_shape_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="YOLOX at 64x64"):
        BOX_HEADS["yolox"]([np.zeros(shape, np.float32)], width=64, height=64)


def test_softmax_sums_to_one_and_survives_large_logits() -> None:
    scores = SCORE_HEADS["softmax"]([np.array([[1000.0, 999.0, -1000.0]], np.float32)])
    assert scores.sum() == pytest.approx(1) and scores[0, 0] == pytest.approx(1 / (1 + np.exp(-1)))


def test_sigmoid_takes_each_class_by_itself() -> None:
    scores = SCORE_HEADS["sigmoid"]([np.array([[0.0, 1000.0, -1000.0]], np.float32)])
    assert scores[0].tolist() == pytest.approx([0.5, 1.0, 0.0])


@pytest.mark.parametrize("head", sorted(SCORE_HEADS))
def test_a_classifier_has_one_output_of_two_dimensions(head: str) -> None:
    with pytest.raises(ValueError, match="one tensor"):
        SCORE_HEADS[head]([np.zeros((1, 2, 3), np.float32)])
