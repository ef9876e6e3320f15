"""What is measured while the network learns is what a device would be given."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the extra 'train'")

from edge_runtime.bundles.manifest import Input, Preprocess  # noqa: E402
from edge_runtime.models.preprocess import prepare  # noqa: E402
from export_tools.default_models.detector import network, scenes, validation  # noqa: E402
from tests.default_models.detector import drawn  # noqa: E402

AREA = (40, 20, 80, 90)


@pytest.mark.parametrize("size", [(160, 120), (300, 100), (90, 200), (641, 359)])
def test_a_held_back_photo_is_letterboxed_as_the_device_does_it(size: tuple[int, int]) -> None:
    scene = drawn.photo(*size, [("animal", AREA)], ignored=[(0, 0, 30, 30)]).scene
    fitted = validation.letterboxed(scene, 128, 96)
    rule = Preprocess(resize="letterbox", pad=scenes.PAD, scale=1)
    tensor, placement = prepare(scene.pixels, Input(tensor="image", width=128, height=96), rule)
    assert np.array_equal(fitted.pixels, tensor[0].transpose(1, 2, 0))
    whole = np.array([*size, *size], np.float32)
    for ours, original in ((fitted.boxes, scene.boxes), (fitted.ignored, scene.ignored)):
        assert np.abs(placement.to_fractions(ours) * whole - original).max() <= 0.01 * max(size)


def test_staged_checks_are_the_same_scenes_every_time() -> None:
    one, other = (validation.staged(drawn.material(), 5, width=96, height=64) for _ in range(2))
    assert one.name == "staged_ap50" and len(one.made) == 5
    for first, second in zip(one.made, other.made, strict=True):
        assert np.array_equal(first.pixels, second.pixels) and np.array_equal(first.boxes, second.boxes)


def test_the_truth_of_a_scene_is_in_fractions() -> None:
    truth = validation.truth(drawn.photo(200, 100, [("vehicle", AREA)], ignored=[(0, 0, 20, 50)]).scene)
    assert truth.boxes.tolist() == [pytest.approx([0.2, 0.2, 0.4, 0.9])]
    assert truth.ignored.tolist() == [pytest.approx([0, 0, 0.1, 0.5])]
    assert truth.classes.tolist() == [2]


def test_a_network_is_right_where_the_truth_is_what_it_finds() -> None:
    torch.manual_seed(1)
    made = network.pretrained().eval()
    torch.nn.init.normal_(made.head.classes.weight, std=3.0)
    scene = validation.letterboxed(drawn.photo(160, 120, [("animal", AREA)]).scene, 128, 96)
    found = validation.found(made, scene)
    assert len(found.boxes) and found.scores.min() >= validation.KEEP
    whole = np.array([128, 96, 128, 96], np.float32)
    agreeing = dataclasses.replace(scene, boxes=found.boxes * whole, classes=found.classes.astype(np.int64))
    assert validation.Check("", [agreeing]).run(made) == pytest.approx(1)
    wrong = dataclasses.replace(agreeing, classes=(agreeing.classes + 1) % 3)
    assert validation.Check("", [wrong]).run(made) < 0.5
