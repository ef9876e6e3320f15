from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from edge_runtime.bundles.manifest import Input, Preprocess
from edge_runtime.models.preprocess import Placement, prepare, resized_to

INPUT = Input(tensor="x", width=64, height=64)
PLAIN = {"scale": 1.0}


def picture(width: int, height: int) -> np.ndarray:
    """Red left half, blue right half."""
    pixels = np.zeros((height, width, 3), np.uint8)
    pixels[:, : width // 2, 0] = 200
    pixels[:, width // 2 :, 2] = 100
    return pixels


def test_channels_come_in_the_order_that_the_bundle_names() -> None:
    rule = Preprocess(resize="stretch", **PLAIN)
    rgb, _ = prepare(picture(64, 64), INPUT, rule)
    bgr, _ = prepare(picture(64, 64), Input(tensor="x", width=64, height=64, colour="bgr"), rule)
    assert rgb.shape == (1, 3, 64, 64) and rgb.dtype == np.float32 and rgb.flags["C_CONTIGUOUS"]
    assert rgb[0, :, 0, 0].tolist() == [200, 0, 0] and bgr[0, :, 0, 0].tolist() == [0, 0, 200]


def test_a_graph_may_want_its_channels_last() -> None:
    tensor, _ = prepare(
        picture(64, 64), Input(tensor="x", width=64, height=64, layout="nhwc"), Preprocess(resize="stretch", **PLAIN)
    )
    assert tensor.shape == (1, 64, 64, 3) and tensor[0, 0, 63].tolist() == [0, 0, 100]


def test_mean_and_deviation_belong_to_their_colours_whatever_the_order() -> None:
    rule = Preprocess(resize="stretch", mean=(0.5, 0.0, 0.0), std=(0.25, 1.0, 1.0))
    expected = (200 / 255 - 0.5) / 0.25
    rgb, _ = prepare(picture(64, 64), INPUT, rule)
    bgr, _ = prepare(picture(64, 64), Input(tensor="x", width=64, height=64, colour="bgr"), rule)
    assert rgb[0, 0, 0, 0] == pytest.approx(expected, abs=1e-5)
    assert bgr[0, 2, 0, 0] == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize(
    ("resize", "placement"),
    [("letterbox", Placement(0, 16, 64, 32)), ("letterbox-corner", Placement(0, 0, 64, 32))],
)
def test_a_letterbox_keeps_the_shape_and_pads_the_rest(resize: str, placement: Placement) -> None:
    tensor, found = prepare(picture(200, 100), INPUT, Preprocess(resize=resize, pad=114, **PLAIN))
    assert found == placement
    inside = np.zeros((64, 64), bool)
    inside[placement.top : placement.top + 32] = True
    assert (tensor[0][:, ~inside] == 114).all() and not (tensor[0][:, inside] == 114).any()


@pytest.mark.parametrize(("rounding", "height"), [("floor", 38), ("nearest", 39)])
def test_a_letterbox_rounds_its_sides_as_the_bundle_says(rounding: str, height: int) -> None:
    _, placement = prepare(picture(99, 60), INPUT, Preprocess(resize="letterbox", rounding=rounding, **PLAIN))
    assert placement == Placement(0, (64 - height) // 2, 64, height)


@pytest.mark.parametrize(("side", "top"), [("below", 12), ("above", 13)])
def test_the_spare_row_of_an_odd_border_goes_where_the_bundle_says(side: str, top: int) -> None:
    rule = Preprocess(resize="letterbox", rounding="nearest", spare_row=side, **PLAIN)
    tensor, placement = prepare(picture(99, 60), INPUT, rule)
    assert placement == Placement(0, top, 64, 39)
    border = (tensor[0] == 114).all(axis=(0, 2))
    assert border.tolist() == [True] * top + [False] * 39 + [True] * (25 - top)
    _, even = prepare(picture(200, 100), INPUT, rule)
    assert even == Placement(0, 16, 64, 32)


def test_a_small_picture_is_enlarged_to_fill_its_letterbox() -> None:
    _, placement = prepare(picture(16, 32), INPUT, Preprocess(resize="letterbox", **PLAIN))
    assert placement == Placement(16, 0, 32, 64)


def test_boxes_find_their_way_back_into_the_picture() -> None:
    placement = Placement(left=0, top=16, width=64, height=32)
    boxes = np.array([[16, 16, 48, 32], [-5, 0, 80, 80]], np.float32)
    assert placement.to_fractions(boxes).tolist() == [[0.25, 0.0, 0.75, 0.5], [0.0, 0.0, 1.0, 1.0]]


def test_a_centre_crop_shows_the_middle_of_the_shorter_side() -> None:
    pixels = np.zeros((100, 300, 3), np.uint8)
    pixels[:, 100:200] = 255
    tensor, placement = prepare(pixels, INPUT, Preprocess(resize="centre-crop", short_side=80, **PLAIN))
    assert tensor.shape == (1, 3, 64, 64) and tensor.min() > 250
    assert (placement.height, placement.width) == (80, 240) and placement.left == -(240 - 64) // 2


@pytest.mark.parametrize("resize", ["stretch", "letterbox", "letterbox-corner", "centre-crop"])
@pytest.mark.parametrize("size", [(1, 1), (1, 5000), (5000, 1), (3, 2)])
def test_any_picture_gives_the_tensor_that_the_graph_wants(resize: str, size: tuple[int, int]) -> None:
    tensor, _ = prepare(np.full((size[1], size[0], 3), 7, np.uint8), INPUT, Preprocess(resize=resize))
    assert tensor.shape == (1, 3, 64, 64) and np.isfinite(tensor).all()


@pytest.mark.parametrize("name", ["pillow-bilinear", "pillow-bicubic", "pillow-lanczos"])
def test_pillows_filters_average_what_they_shrink(name: str) -> None:
    stripes = np.zeros((256, 256, 3), np.uint8)
    stripes[:, ::4] = 200
    tensor, _ = prepare(stripes, INPUT, Preprocess(resize="stretch", interpolation=name, **PLAIN))  # type: ignore[arg-type]
    assert tensor[0, :, 4:-4, 4:-4].min() > 40 and tensor[0, :, 4:-4, 4:-4].max() < 60
    sampled, _ = prepare(stripes, INPUT, Preprocess(resize="stretch", **PLAIN))
    assert sampled.max() - sampled.min() < 1e-3 and not 40 < sampled.max() < 60


@pytest.mark.parametrize("resize", ["stretch", "letterbox", "letterbox-corner", "centre-crop"])
@pytest.mark.parametrize("colour", ["rgb", "bgr"])
@pytest.mark.parametrize("layout", ["nchw", "nhwc"])
@pytest.mark.parametrize(
    ("scale", "mean", "std"),
    [
        (1 / 255, (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)),
        (1 / 255, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
        (1.0, (123.675, 0.0, 103.53), (58.395, 1.0, 57.375)),
    ],
)
def test_a_value_is_scaled_and_then_shifted_in_single_precision(
    resize: str, colour: str, layout: str, scale: float, mean: tuple[float, ...], std: tuple[float, ...]
) -> None:
    spec = Input(tensor="x", width=64, height=48, colour=colour, layout=layout)
    pixels = np.random.default_rng(7).integers(0, 256, (90, 75, 3), np.uint8)
    bytes_, place = prepare(pixels, spec, Preprocess(resize=resize, **PLAIN))
    tensor, same_place = prepare(pixels, spec, Preprocess(resize=resize, scale=scale, mean=mean, std=std))
    factor = (scale / np.array(std)).astype(np.float32)
    shift = (-np.array(mean) / np.array(std)).astype(np.float32)
    order = [2, 1, 0] if colour == "bgr" else [0, 1, 2]
    shape = (3, 1, 1) if layout == "nchw" else (3,)
    expected = bytes_ * factor[order].reshape(shape) + shift[order].reshape(shape)
    assert expected.dtype == np.float32 and len(np.unique(bytes_)) > 100
    # To the last bit: what a quantized graph was calibrated with is what it is shown.
    np.testing.assert_array_equal(tensor, expected)
    assert place == same_place and tensor.flags["C_CONTIGUOUS"]


def test_several_threads_make_tensors_at_once() -> None:
    generator = np.random.default_rng(3)
    pictures = [generator.integers(0, 256, (100 + n, 200 - n, 3), np.uint8) for n in range(40)]
    rule = Preprocess(resize="letterbox", mean=(0.5, 0.4, 0.3))
    alone = [prepare(picture, INPUT, rule)[0] for picture in pictures]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda picture: prepare(picture, INPUT, rule)[0], pictures * 5))
    for number, tensor in enumerate(together):
        np.testing.assert_array_equal(tensor, alone[number % len(alone)])


@pytest.mark.parametrize(
    ("rule", "size"),
    [
        (Preprocess(resize="stretch"), (64, 64)),
        (Preprocess(resize="letterbox"), (64, 38)),
        (Preprocess(resize="letterbox-corner", rounding="nearest"), (64, 39)),
        (Preprocess(resize="centre-crop", short_side=80), (132, 80)),
    ],
)
def test_it_can_be_told_beforehand_to_what_a_picture_is_resized(rule: Preprocess, size: tuple[int, int]) -> None:
    assert resized_to(99, 60, INPUT, rule) == size
    _, placement = prepare(picture(99, 60), INPUT, rule)
    assert (placement.width, placement.height) == size
