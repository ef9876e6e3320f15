"""The heads' decode, by hand: raw outputs whose boxes anybody can work out."""

from __future__ import annotations

from typing import Any

import pytest

torch = pytest.importorskip("torch")

from export_tools.checkpoints.skeleton import Skeleton  # noqa: E402
from export_tools.networks.yolo_heads import AnchorHead, DistanceHead, Head  # noqa: E402
from export_tools.networks.yolo_parts import Block, Given, LayoutError  # noqa: E402

nn = torch.nn


class Passing(Block):
    """Stands where a convolution would: what comes in is the raw output."""

    def forward(self, x: Any) -> Any:
        return x


def given(**attributes: Any) -> Given:
    return Given(Skeleton("models.yolo.Detect", (), attributes), "model.9")


def passing(count: int) -> Any:
    return nn.ModuleList(nn.Sequential(Passing(given(), {})) for _ in range(count))


def anchor_head() -> Head:
    """Two classes, strides 8 and 16, three anchors per cell."""
    anchors = torch.tensor([[[1.0, 2.0], [2.0, 1.0], [4.0, 4.0]], [[1.0, 1.0], [2.0, 3.0], [3.0, 2.0]]])
    said = given(stride=torch.tensor([8.0, 16.0]), nc=2, _buffers={"anchors": anchors})
    head = AnchorHead(said, {"m": passing(2)})
    head.anchors.copy_(anchors)
    head.settle()
    head.lay_out(32, 16)
    return head


def distance_head() -> Head:
    """One class, strides 8 and 16, four bins."""
    bins = nn.Conv2d(4, 1, 1, bias=False)
    bins.weight.data[:] = torch.arange(4.0).view(1, 4, 1, 1)
    said = given(stride=torch.tensor([8.0, 16.0]), nc=1, reg_max=4)
    head = DistanceHead(said, {"cv2": Splitting.make(0, 16), "cv3": Splitting.make(16, 17), "dfl": bins})
    head.settle()
    head.lay_out(32, 16)
    return head


class Splitting(nn.Module):
    """Takes its channels out of a map that carries those of both branches."""

    def __init__(self, first: int, last: int) -> None:
        super().__init__()
        self.first, self.last = first, last

    @classmethod
    def make(cls, first: int, last: int) -> Any:
        return nn.ModuleList(nn.Sequential(cls(first, last)) for _ in range(2))

    def forward(self, x: Any) -> Any:
        return x[:, self.first : self.last]


def test_an_anchors_box_stands_at_its_cell_with_twice_the_sigmoid_squared_of_its_size() -> None:
    head = anchor_head()
    maps = [torch.zeros(1, 21, 2, 4), torch.zeros(1, 21, 1, 2)]
    # Anchor 1 of stride 8, cell x 3, y 1; channels x, y, w, h, objectness, two classes.
    maps[0][0, 7:14, 1, 3] = torch.tensor([0.0, 0.0, 20.0, 0.0, 20.0, 20.0, -20.0])
    boxes, scores = head(maps)
    assert boxes.shape == (1, 3 * 8 + 3 * 2, 4) and scores.shape == (1, 30, 2)
    place = 1 * 8 + 1 * 4 + 3
    # Middle of the cell: (28, 12). Width 4 x 16 pixels, height 1 x 8.
    assert boxes[0, place].tolist() == pytest.approx([28 - 32, 12 - 4, 28 + 32, 12 + 4], abs=1e-3)
    assert scores[0, place].tolist() == pytest.approx([1.0, 0.0], abs=1e-6)
    # Everything else is a sigmoid of zero: the anchor's own size, and half of a half.
    assert boxes[0, 24].tolist() == pytest.approx([0, 0, 16, 16]) and scores[0, 24].tolist() == [0.25, 0.25]


def test_distances_are_the_mean_of_their_bins_from_the_middle_of_the_cell() -> None:
    head = distance_head()
    maps = [torch.zeros(1, 17, 2, 4), torch.zeros(1, 17, 1, 2)]
    # Stride 16, cell x 1, y 0: left in bin 1, top 0, right 3, and below anything, whose mean is 1.5.
    maps[1][0, :, 0, 1] = torch.tensor([*(0.0, 99, 0, 0), *(99.0, 0, 0, 0), *(0.0, 0, 0, 99), *(0.0, 0, 0, 0), 99])
    boxes, scores = head(maps)
    assert boxes.shape == (1, 10, 4) and scores.shape == (1, 10, 1)
    assert boxes[0, 9].tolist() == pytest.approx([24 - 16, 8, 24 + 48, 8 + 24])
    assert scores[0, :, 0].tolist() == pytest.approx([0.5] * 9 + [1.0])
    assert boxes[0, 0].tolist() == pytest.approx([4 - 12, 4 - 12, 4 + 12, 4 + 12])


def test_a_head_without_strides_or_anchors_is_no_finished_network() -> None:
    with pytest.raises(LayoutError, match=r"model\.9: Detect has strides \[0\.0\]"):
        AnchorHead(given(stride=torch.zeros(1), nc=2), {"m": passing(1)})
    with pytest.raises(LayoutError, match="has no anchors"):
        AnchorHead(given(stride=torch.tensor([8.0]), nc=2), {"m": passing(1)})


def test_a_projection_that_does_not_fit_its_bins_is_refused() -> None:
    said = given(stride=torch.tensor([8.0]), nc=1, reg_max=16)
    head = DistanceHead(said, {"cv2": passing(1), "cv3": passing(1), "dfl": nn.Conv2d(4, 1, 1, bias=False)})
    with pytest.raises(ValueError, match="has 4 weights, not 16"):
        head.settle()
