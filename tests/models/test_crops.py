from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_runtime.bundles.manifest import CropRule
from edge_runtime.models.crops import cut
from edge_runtime.values import Box, Detection, Frame

# Each pixel holds its own place, so that a crop shows where it came from.
Y, X = np.mgrid[0:100, 0:200]
FRAME = Frame(np.stack([X, Y, np.zeros_like(X)], axis=-1).astype(np.uint8))
sides = st.tuples(st.floats(0, 1), st.floats(0, 1)).map(sorted).filter(lambda pair: pair[1] - pair[0] > 1e-4)


def corners(box: Box, rule: CropRule) -> tuple[int, int, int, int]:
    pixels = cut(FRAME, Detection("animal", 0.9, box), rule).pixels
    return int(pixels[0, 0, 0]), int(pixels[0, 0, 1]), int(pixels[-1, -1, 0]) + 1, int(pixels[-1, -1, 1]) + 1


def test_a_box_is_cut_as_it_is() -> None:
    assert corners(Box(0.25, 0.2, 0.5, 0.6), CropRule()) == (50, 20, 100, 60)


def test_a_margin_is_a_share_of_the_longer_side() -> None:
    assert corners(Box(0.25, 0.2, 0.5, 0.6), CropRule(margin=0.1)) == (45, 15, 105, 65)


def test_a_square_grows_around_the_middle() -> None:
    assert corners(Box(0.25, 0.4, 0.5, 0.6), CropRule(shape="square")) == (50, 25, 100, 75)


def test_a_square_at_the_edge_moves_inside() -> None:
    assert corners(Box(0.0, 0.0, 0.1, 0.5), CropRule(shape="square")) == (0, 0, 50, 50)


def test_a_square_larger_than_the_frame_is_cut() -> None:
    assert corners(Box(0.0, 0.0, 1.0, 1.0), CropRule(shape="square")) == (0, 0, 200, 100)


@pytest.mark.parametrize("shape", ["box", "square"])
@given(across=sides, down=sides, margin=st.floats(0, 2))
def test_no_crop_is_empty_or_leaves_the_frame(
    shape: str, across: list[float], down: list[float], margin: float
) -> None:
    box = Box(across[0], down[0], across[1], down[1])
    pixels = cut(FRAME, Detection("animal", 0.9, box), CropRule(shape=shape, margin=margin)).pixels
    assert 1 <= pixels.shape[0] <= 100 and 1 <= pixels.shape[1] <= 200
