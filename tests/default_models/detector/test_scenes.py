"""Training scenes: labels stay true to what is on the canvas, and the same random numbers give the same scene."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_runtime.errors import CamtrapEdgeError
from export_tools.default_models.detector import scenes, staging
from export_tools.default_models.detector.camera_look import camera_look
from export_tools.default_models.detector.material import Material
from export_tools.default_models.detector.photos import Scene
from tests.default_models.detector import drawn

MATERIAL = drawn.material()
SIZES = st.sampled_from([(96, 64), (64, 96), (160, 128)])
SEEDS = st.integers(0, 2**32 - 1)


def digest(*arrays: np.ndarray) -> str:  # type: ignore[type-arg]
    found = hashlib.sha256()
    for array in arrays:
        found.update(repr((array.shape, array.dtype)).encode() + array.tobytes())
    return found.hexdigest()


def scene_digest(scene: Scene) -> str:
    return digest(scene.pixels, scene.boxes, scene.classes, scene.ignored)


def material_digest(material: Material) -> str:
    photos = [scene_digest(photo.scene) for photo in material.photos]
    cutouts = [digest(cutout.mask, cutout.pixels) for cutout in material.cutouts]
    return "".join([*photos, *cutouts])


def plain(*boxes: tuple[float, float, float, float], width: int = 96, height: int = 64) -> Scene:
    found = np.array(boxes, np.float32).reshape(-1, 4)
    return Scene(
        drawn.grey(width, height), found, np.arange(len(found), dtype=np.int64) % 3, np.zeros((0, 4), np.float32)
    )


@given(seed=SEEDS, size=SIZES, late=st.booleans())
@settings(max_examples=80, deadline=None)
def test_every_scene_has_the_canvas_asked_for_and_labels_inside_it(
    seed: int, size: tuple[int, int], late: bool
) -> None:
    width, height = size
    scene = scenes.make(MATERIAL, np.random.default_rng(seed), width=width, height=height, late=late)
    assert scene.pixels.shape == (height, width, 3)
    assert scene.pixels.dtype == np.uint8 and scene.pixels.flags.c_contiguous
    assert scene.boxes.dtype == scene.ignored.dtype == np.float32 and scene.classes.dtype == np.int64
    assert scene.boxes.shape == (len(scene.classes), 4) and scene.ignored.shape[1:] == (4,)
    assert set(scene.classes.tolist()) <= {0, 1, 2}
    for areas, least in ((scene.boxes, scenes.LEAST_SIDE), (scene.ignored, 1)):
        assert (areas >= 0).all() and (areas <= [width, height, width, height]).all()
        assert ((areas[:, 2:] - areas[:, :2]) >= least).all()


@given(seed=SEEDS)
@settings(max_examples=15, deadline=None)
def test_the_same_random_numbers_give_the_same_bytes(seed: int) -> None:
    first, second = (scenes.make(MATERIAL, np.random.default_rng([1, seed]), width=96, height=64) for _ in range(2))
    assert scene_digest(first) == scene_digest(second)


def test_other_random_numbers_give_other_scenes() -> None:
    made = {scene_digest(scenes.make(MATERIAL, np.random.default_rng(i), width=96, height=64)) for i in range(30)}
    assert len(made) == 30


def test_photos_and_cutouts_are_never_changed() -> None:
    material = drawn.material()
    before = material_digest(material)
    for seed in range(120):
        # The size of one of the photos, whose pixels might serve as they are.
        scenes.make(material, np.random.default_rng(seed), width=160, height=120, late=seed % 2 == 0)
    assert material_digest(material) == before


def test_a_box_of_which_too_little_is_left_becomes_an_unknown_area() -> None:
    # 29 %, 31 %, none and all of each lie on the canvas, 96 x 64.
    scene = scenes.clipped(plain((-71, 10, 29, 40), (-69, 10, 31, 40), (100, 0, 120, 30), (40, 20, 60, 50)))
    assert scene.boxes.tolist() == [[0, 10, 31, 40], [40, 20, 60, 50]]
    assert scene.classes.tolist() == [1, 0]
    assert scene.ignored.tolist() == [[0, 10, 29, 40]]


def test_a_box_that_is_too_narrow_becomes_an_unknown_area() -> None:
    scene = scenes.clipped(plain((10, 10, 10 + scenes.LEAST_SIDE - 0.5, 40), (10, 50, 10 + scenes.LEAST_SIDE, 60)))
    assert scene.boxes.tolist() == [[10, 50, 10 + scenes.LEAST_SIDE, 60]]
    assert scene.ignored.tolist() == [[10, 10, 10 + scenes.LEAST_SIDE - 0.5, 40]]


def test_unknown_areas_are_cut_to_the_canvas_and_leave_it() -> None:
    scene = plain()
    unknown = np.array([[-10, -10, 20, 20], [90, 60, 200, 90], [-30, 5, -2, 50]], np.float32)
    cut = scenes.clipped(Scene(scene.pixels, scene.boxes, scene.classes, unknown))
    assert cut.ignored.tolist() == [[0, 0, 20, 20], [90, 60, 96, 64]]


def more_than_a_line(seen: np.ndarray) -> bool:  # type: ignore[type-arg]
    """Whether pixels form an area three wide: what an edge leaves of an object as a line is nothing to learn from."""
    kernel = np.ones((3, 3), np.uint8)
    return bool(cv2.erode(seen.astype(np.uint8), kernel, borderType=cv2.BORDER_CONSTANT, borderValue=0).any())


def flipped_single(material: Material, random: scenes.Random, width: int, height: int) -> Scene:
    return scenes.flipped(scenes.single(material, random, width, height))


@pytest.mark.parametrize("kind", [scenes.single, scenes.mosaic, flipped_single])
def test_the_boxes_of_a_zoomed_flipped_or_joined_photo_still_cover_its_objects(
    kind: Callable[[Material, scenes.Random, int, int], Scene],
) -> None:
    compared = 0
    for seed in range(60):
        scene = kind(MATERIAL, np.random.default_rng(seed), 192, 128)
        colour = drawn.coloured(scene.pixels) > 90
        labels = np.concatenate([scene.boxes, scene.ignored])
        assert not more_than_a_line(colour & drawn.outside(labels, colour.shape, 1.5)), seed
        for place, box in enumerate(scene.boxes):
            if box[:2].min() <= 0 or box[2] >= 192 or box[3] >= 128 or min(box[2:] - box[:2]) < 12:
                continue
            others = np.delete(labels, place - len(labels), axis=0)
            ys, xs = np.nonzero(colour & ~drawn.outside(box[None], colour.shape, 1.5))
            if not drawn.outside(others, colour.shape, 3)[ys, xs].all():
                continue
            if kind is scenes.mosaic and cut_by_a_seam(scene, box):
                continue
            found = [xs.min(), ys.min(), xs.max() + 1, ys.max() + 1]
            assert np.abs(found - box).max() <= 2.5, (seed, found, box)
            compared += 1
    assert compared >= 15


def cut_by_a_seam(scene: Scene, box: np.ndarray) -> bool:  # type: ignore[type-arg]
    """Whether a side of the box looks cut: an ellipse touches its box in a point, what is cut off in a line."""
    x1, y1, x2, y2 = np.clip(np.round(box).astype(int), 0, None)
    inside = drawn.coloured(scene.pixels)[y1:y2, x1:x2] > 90
    edges = [inside[1], inside[-2], inside[:, 1], inside[:, -2]]
    return any(edge.mean() > 0.6 for edge in edges)


def test_flipping_twice_changes_nothing() -> None:
    scene = scenes.single(MATERIAL, np.random.default_rng(3), 96, 64)
    again = scenes.flipped(scenes.flipped(scene))
    assert np.array_equal(again.pixels, scene.pixels)
    assert np.allclose(again.boxes, scene.boxes) and np.allclose(again.ignored, scene.ignored)


def test_the_boxes_of_a_staged_scene_fit_what_is_seen_of_the_objects() -> None:
    cutouts = [drawn.cutout("animal", 60, 44, margin=8), drawn.cutout("person", 40, 70, margin=6)]
    material = Material(drawn.material(empty=True).photos, cutouts)
    empty = compared = 0
    for seed in range(80):
        scene = staging.staged(material, np.random.default_rng(seed), width=256, height=192)
        colour = drawn.coloured(scene.pixels)
        assert not more_than_a_line((colour > 6) & drawn.outside(scene.boxes, colour.shape, 4)), seed
        empty += not len(scene.boxes)
        for place, box in enumerate(scene.boxes):
            others = np.delete(scene.boxes, place, axis=0)
            around = ~drawn.outside(box[None], colour.shape, 4) & drawn.outside(others, colour.shape, 4)
            ys, xs = np.nonzero(around & (colour > 0.45 * colour[around].max()))
            found = np.array([xs.min(), ys.min(), xs.max() + 1, ys.max() + 1])
            near = not drawn.outside(others, colour.shape, 9)[~drawn.outside(box[None], colour.shape, 4)].all()
            if not near:
                assert np.abs(found - box).max() <= 2, (seed, found, box)
                compared += 1
    assert 10 <= empty <= 45  # three in ten hold nothing
    assert compared >= 30


def test_objects_of_a_staged_scene_do_not_hide_each_other() -> None:
    for seed in range(60):
        boxes = staging.staged(MATERIAL, np.random.default_rng(seed), width=256, height=192).boxes
        for place, one in enumerate(boxes):
            for other in boxes[place + 1 :]:
                assert (np.minimum(one[2:], other[2:]) <= np.maximum(one[:2], other[:2])).any(), seed


def test_backgrounds_come_from_where_nothing_is_known_to_be() -> None:
    random = np.random.default_rng(5)
    assert all(drawn.coloured(MATERIAL.free(random)).max() == 0 for _ in range(40))


def test_material_without_an_animal_or_without_a_free_part_is_refused() -> None:
    photo, animal = drawn.photo(160, 120, []), drawn.cutout("animal", 40, 30)
    Material([photo], [animal])
    with pytest.raises(CamtrapEdgeError, match="no animal"):
        Material([photo], [drawn.cutout("person", 40, 80)])
    with pytest.raises(CamtrapEdgeError, match="without any object"):
        Material([drawn.photo(160, 120, [("animal", (10, 5, 150, 115))])], [animal])


@given(seed=SEEDS, size=SIZES)
@settings(max_examples=60, deadline=None)
def test_the_look_of_a_camera_changes_the_picture_but_neither_labels_nor_the_original(
    seed: int, size: tuple[int, int]
) -> None:
    photo = drawn.photo(*size, [("animal", (10, 10, 50, 50))], ignored=[(0, 0, 9, 9)])
    before = scene_digest(photo.scene)
    seen = camera_look(photo.scene, np.random.default_rng(seed))
    assert scene_digest(photo.scene) == before
    assert seen.pixels.shape == photo.scene.pixels.shape and seen.pixels.dtype == np.uint8
    assert not np.array_equal(seen.pixels, photo.scene.pixels)
    for kept, given_ in ((seen.boxes, photo.scene.boxes), (seen.ignored, photo.scene.ignored)):
        assert np.array_equal(kept, given_)
    assert np.array_equal(seen.classes, photo.scene.classes)


def test_about_four_in_ten_pictures_are_infrared() -> None:
    photo = drawn.photo(96, 64, [("animal", (10, 10, 80, 60))])
    looks = [camera_look(photo.scene, np.random.default_rng(seed)).pixels for seed in range(200)]
    # Infrared has at most a tint, the red ellipse of a daylight picture is red.
    grey = sum(float(np.percentile(drawn.coloured(pixels[20:50, 30:60]), 50)) < 55 for pixels in looks)
    assert 55 <= grey <= 105
