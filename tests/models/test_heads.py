from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from edge_runtime.bundles import bundle as bundles
from edge_runtime.bundles.manifest import Output
from edge_runtime.engines.onnxruntime_engine import OnnxRuntimeEngine
from edge_runtime.models.detector import Detector
from edge_runtime.models.heads import BOX_HEADS, SCORE_HEADS
from edge_runtime.values import Frame
from export_tools import bundle_writer
from tests import colour_detector


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


def decodes_itself(yolox_graph: Path, file: Path) -> Path:
    """The colour detector's graph, its decoding inside: boxes that never move, and objectness times class score."""
    side = colour_detector.SIDE
    empty = np.zeros((1, 3, side, side), np.float32)
    raw = OnnxRuntimeEngine().open(yolox_graph, input_name="images", threads=1).run(empty, ["output"])
    model = onnx.load(str(yolox_graph))
    tensors = {
        "where": BOX_HEADS["yolox"](raw, width=side, height=side).boxes[None],
        "four": np.array([4]),
        "five": np.array([5]),
        "end": np.array([8]),
        "last": np.array([2]),
    }
    model.graph.initializer.extend(numpy_helper.from_array(value, name) for name, value in tensors.items())
    model.graph.node.extend(
        [
            helper.make_node("Identity", ["where"], ["boxes"]),
            helper.make_node("Slice", ["output", "four", "five", "last"], ["objectness"]),
            helper.make_node("Slice", ["output", "five", "end", "last"], ["classes"]),
            helper.make_node("Mul", ["objectness", "classes"], ["sure"]),
        ]
    )
    del model.graph.output[:]
    anchors = raw[0].shape[1]
    shapes = {"sure": [1, anchors, 3], "boxes": [1, anchors, 4]}
    model.graph.output.extend(helper.make_tensor_value_info(name, 1, shape) for name, shape in shapes.items())
    onnx.save(model, str(file))
    return file


def test_a_graph_that_decodes_itself_finds_the_same_as_the_one_that_is_decoded_here(
    colour_bundle: Path, tmp_path: Path
) -> None:
    outside = bundles.load(colour_bundle, task="detector")
    graph = decodes_itself(colour_bundle / "graphs" / "fp32.onnx", tmp_path / "decoded.onnx")
    names = {field.name for field in fields(bundle_writer.Description)} - {"output"}
    described = {name: getattr(outside.manifest, name) for name in names}
    inside = bundle_writer.write(
        tmp_path / "bundle",
        bundle_writer.Description(output=Output(head="decoded", tensors=("boxes", "sure")), **described),
        [bundle_writer.Graph(graph, "fp32", "onnxruntime", "fp32")],
        labels=colour_bundle / "labels.csv",
    )
    pixels = np.full((384, 512, 3), 120, np.uint8)
    pixels[:128, :128] = colour_detector.COLOURS["animal"]
    pixels[256:, 128:256] = colour_detector.COLOURS["person"]
    found = Detector(inside, threads=1).detect(Frame(pixels))
    assert {detection.category for detection in found} == {"animal", "person"}
    assert found == Detector(outside, threads=1).detect(Frame(pixels))


def test_decoded_boxes_and_scores_are_taken_as_they_are() -> None:
    boxes = np.array([[[0, 1, 2, 3], [4, 5, 6, 7]]], np.float64)
    scores = np.array([[[0.25, 0.5, 0.75], [0, 1, 0]]], np.float16)[:, ::-1]
    found = BOX_HEADS["decoded"]([boxes, scores], width=8, height=8)
    assert found.boxes.tolist() == boxes[0].tolist() and found.scores.tolist() == scores[0].tolist()
    assert all(array.dtype == np.float32 and array.flags.c_contiguous for array in (found.boxes, found.scores))


@pytest.mark.parametrize(
    "shapes",
    [
        [],
        [(1, 2, 4)],
        [(1, 2, 4), (1, 2, 3), (1, 2, 3)],
        [(1, 2, 3), (1, 2, 4)],  # the wrong order
        [(1, 2, 4), (1, 3, 3)],
        [(1, 2, 4), (1, 2, 0)],
        [(2, 2, 4), (2, 2, 3)],
        [(2, 4), (2, 3)],
        [(1, 2, 4), (1, 2)],
    ],
)
def test_decoded_outputs_of_another_shape_are_refused_with_their_shapes(shapes: list[tuple[int, ...]]) -> None:
    with pytest.raises(ValueError, match=r"\[1, N, 4\] .* not ") as refused:
        BOX_HEADS["decoded"]([np.zeros(shape, np.float32) for shape in shapes], width=64, height=64)
    assert str(shapes) in str(refused.value)


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
