from __future__ import annotations

import msgspec
import numpy as np
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps

from edge_runtime.bundles.manifest import CropRule, Input, Manifest, Output, Preprocess, Variant
from edge_runtime.models.crops import cut, cut_all, hidden
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


NOISE = np.random.default_rng(3).integers(1, 256, (100, 200, 3), np.uint8)
BLACK = CropRule(shape="square", beyond="black")


def square_crop(bbox: tuple[float, float, float, float]) -> np.ndarray:
    """What `crop_detections.py` of microsoft/CameraTraps saves with `--square-crops`."""
    image = Image.fromarray(NOISE)
    width, height = image.size
    left, top = int(bbox[0] * width), int(bbox[1] * height)
    across, down = int(bbox[2] * width), int(bbox[3] * height)
    side = max(across, down)
    left = max(0, min(left - int((side - across) / 2), width - across))
    top = max(0, min(top - int((side - down) / 2), height - down))
    across, down = min(width, side), min(height, side)
    crop = image.crop((left, top, left + across, top + down))
    if across != down:
        crop = ImageOps.pad(crop, size=(side, side), color=0)
    return np.asarray(crop)


@given(across=sides, down=sides)
@example(across=[0.0, 1.0], down=[0.3, 0.6])
@example(across=[0.0, 0.7], down=[0.0, 1.0])
@example(across=[0.9, 1.0], down=[0.2, 0.8])
@example(across=[0.2, 0.9], down=[0.95, 1.0])
@example(across=[0.3125, 1.0], down=[0.875, 1.0])
@settings(max_examples=400)
def test_squares_with_black_beyond_are_those_of_the_cameratraps_tools(across: list[float], down: list[float]) -> None:
    bbox = across[0], down[0], across[1] - across[0], down[1] - down[0]
    assume(bbox[2] * 200 >= 1 and bbox[3] * 100 >= 1)
    box = Box(bbox[0], bbox[1], bbox[0] + bbox[2], bbox[1] + bbox[3])
    pixels = cut(Frame(NOISE), Detection("animal", 0.9, box), BLACK).pixels
    expected = square_crop(bbox)
    # A side that is within a millionth of a whole pixel may be one or the other, by the rounding of a float.
    if pixels.shape != expected.shape or (pixels != expected).any():
        exact = [bbox[0] * 200, bbox[1] * 100, bbox[2] * 200, bbox[3] * 100]
        assert any(abs(side - round(side)) < 1e-5 for side in exact), (pixels.shape, expected.shape)


def test_black_is_what_lies_beyond_the_right_edge_and_nothing_is_added_within() -> None:
    inside = cut(Frame(NOISE), detections(Box(0.25, 0.4, 0.5, 0.6))[0], BLACK).pixels
    assert inside.shape == (50, 50, 3) and np.shares_memory(inside, NOISE)
    edge = cut(Frame(NOISE), detections(Box(0.95, 0.2, 1.0, 0.8))[0], BLACK).pixels
    assert edge.shape == (60, 60, 3) and not edge[:, 35:].any() and (edge[:, :35] == NOISE[20:80, 165:]).all()
    wide = cut(Frame(NOISE), detections(Box(0.0, 0.2, 1.0, 0.8))[0], BLACK).pixels
    assert wide.shape == (200, 200, 3) and (wide[50:150] == NOISE).all() and not wide[:50].any()


ANIMAL = Box(0.2, 0.2, 0.7, 0.7)


def test_people_in_a_crop_are_blanked_where_they_take_up_more_than_a_tenth_of_it() -> None:
    frame, (animal,) = Frame(PHOTO), detections(ANIMAL)
    plain = cut(frame, animal, CropRule()).pixels
    (beside,) = cut_all(frame, [animal], manifest(), people=[Box(0.65, 0.2, 1.0, 0.7)])
    assert (beside.pixels == plain).all(), "exactly a tenth"
    (mixed,) = cut_all(frame, [animal], manifest(), people=[Box(0.6, 0.1, 1.0, 0.8)])
    assert (mixed.pixels[:, :640] == plain[:, :640]).all() and (mixed.pixels[:, 640:] == 114).all()
    assert (PHOTO[160:560, 960:1120] != 114).any(), "the photo itself is untouched"
    small = [Box(0.2, 0.2, 0.3, 0.5), Box(0.25, 0.2, 0.35, 0.5)]
    (two,) = cut_all(frame, [animal], manifest(), people=small)
    assert (two.pixels[:240, :240] == 114).all(), "two together"


def test_people_are_blanked_where_they_are_in_a_square_crop_that_was_moved_or_padded() -> None:
    person = Box(0.9, 0.0, 1.0, 1.0)
    for rule in (CropRule(shape="square"), BLACK):
        whole = msgspec.structs.replace(manifest(), crop=rule)
        (crop,) = cut_all(Frame(PHOTO), detections(Box(0.8, 0.3, 1.0, 0.9)), whole, people=[person])
        plain = cut(Frame(PHOTO), detections(Box(0.8, 0.3, 1.0, 0.9))[0], rule).pixels
        changed = np.flatnonzero((crop.pixels != plain).any(axis=(0, 2)))
        assert len(changed) == 160
        assert (crop.pixels[:, changed[0] : changed[-1] + 1] == 114).all()


def test_an_animal_that_people_mostly_cover_is_hidden() -> None:
    (animal,) = detections(Box(0.2, 0.2, 0.4, 0.4))
    assert hidden(animal, [Box(0.1, 0.1, 0.35, 0.45)])
    assert not hidden(animal, [Box(0.1, 0.1, 0.29, 0.45)]) and not hidden(animal, [])
    assert hidden(animal, [Box(0.2, 0.2, 0.26, 0.4), Box(0.33, 0.2, 0.4, 0.4)])


PHOTO = np.random.default_rng(5).integers(0, 256, (800, 1600, 3), np.uint8)
LARGE, MIDDLE, SMALL = Box(0.2, 0.1, 0.7, 0.9), Box(0.1, 0.2, 0.35, 0.8), Box(0.8, 0.4, 0.82, 0.45)


def manifest(resize: str = "stretch", margin: float = 0.0) -> Manifest:
    """A classifier that looks at 200 x 200 pixels."""
    return Manifest(
        bundle=1,
        name="any",
        version="1",
        task="classifier",
        description="any",
        licence="any",
        source="any",
        input=Input(tensor="x", width=200, height=200),
        preprocess=Preprocess(resize=resize),
        crop=CropRule(margin=margin),
        output=Output(head="softmax", tensors=("y",)),
        labels="labels.csv",
        variants=(Variant(file="x", bytes=0, sha256="0" * 64, name="x", engine="x", precision="fp32"),),
    )


def reduced(shrink: int, asked: list[float]) -> Frame:
    """The photo at a lower scale, able to give more; writes down what it is asked for."""

    def again(scale: float) -> Frame:
        asked.append(scale)
        return Frame(PHOTO)

    return Frame(np.ascontiguousarray(PHOTO[::shrink, ::shrink]), 1 / shrink, again)


def detections(*boxes: Box) -> list[Detection]:
    return [Detection("animal", 0.9, box) for box in boxes]


def test_crops_with_enough_pixels_come_from_the_frame_at_hand() -> None:
    asked: list[float] = []
    frame = reduced(2, asked)
    crops = cut_all(frame, detections(LARGE, MIDDLE), manifest())
    assert not asked
    assert [crop.pixels.shape[:2] for crop in crops] == [(320, 400), (240, 200)]


def test_one_crop_with_too_few_pixels_has_the_photo_decoded_once_for_all() -> None:
    asked: list[float] = []
    crops = cut_all(reduced(4, asked), detections(LARGE, MIDDLE, SMALL), manifest())
    assert asked == [1.0]
    expected = [cut(Frame(PHOTO), detection, CropRule()).pixels for detection in detections(LARGE, MIDDLE, SMALL)]
    for crop, pixels in zip(crops, expected, strict=True):
        assert (crop.pixels == pixels).all()


@pytest.mark.parametrize(("resize", "scale"), [("stretch", 0.5), ("letterbox", 200 / 480), ("centre-crop", 0.5)])
def test_no_more_pixels_are_asked_for_than_the_input_takes(resize: str, scale: float) -> None:
    asked: list[float] = []
    cut_all(reduced(8, asked), detections(MIDDLE), manifest(resize))
    assert asked == [pytest.approx(scale, rel=0.01)]


def test_a_margin_counts_among_the_pixels_of_a_crop() -> None:
    asked: list[float] = []
    cut_all(reduced(8, asked), detections(MIDDLE), manifest(margin=0.5))
    assert asked == [pytest.approx(0.25, rel=0.02)]


def test_without_detections_nothing_is_decoded() -> None:
    asked: list[float] = []
    assert cut_all(reduced(8, asked), [], manifest()) == [] and not asked
