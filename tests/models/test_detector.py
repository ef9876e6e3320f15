from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from edge_runtime.bundles import bundle as bundles
from edge_runtime.errors import EngineError
from edge_runtime.models.detector import Detector, suppress
from edge_runtime.models.loading import load_detector
from edge_runtime.values import Box, Detection, Frame
from tests import colour_detector


def frame_of(data: bytes) -> Frame:
    return Frame(cv2.cvtColor(cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB))


def iou(one: Box, other: Box) -> float:
    across = min(one.x2, other.x2) - max(one.x1, other.x1)
    down = min(one.y2, other.y2) - max(one.y1, other.y1)
    shared = max(0.0, across) * max(0.0, down)
    return shared / (one.area + other.area - shared)


@pytest.fixture(scope="module")
def colours(colour_bundle: Path) -> Detector:
    return load_detector(str(colour_bundle), threads=1)


def test_each_category_is_found_where_it_is(colours: Detector) -> None:
    cells = {(0, 0): "animal", (2, 1): "person", (3, 3): "vehicle"}
    found = colours.detect(frame_of(colour_detector.photo(cells)))
    assert sorted(detection.category for detection in found) == ["animal", "person", "vehicle"]
    for (column, row), category in cells.items():
        expected = Box(column / 4, row / 4, (column + 1) / 4, (row + 1) / 4)
        assert any(detection.category == category and iou(detection.box, expected) > 0.75 for detection in found)


@pytest.mark.parametrize("size", [(512, 384), (384, 512), (1024, 256)])
def test_boxes_are_fractions_of_the_photo_whatever_its_shape(colours: Detector, size: tuple[int, int]) -> None:
    # A cell of the graph is a quarter of the longer side; paint one such cell at the top left.
    pixels = np.full((size[1], size[0], 3), 120, np.uint8)
    side = max(size) // 4
    pixels[:side, :side] = colour_detector.COLOURS["animal"]
    (found,) = colours.detect(Frame(pixels))
    assert iou(found.box, Box(0, 0, side / size[0], min(1.0, side / size[1]))) > 0.75


def test_an_empty_photo_gives_nothing(colours: Detector) -> None:
    assert colours.detect(frame_of(colour_detector.photo({}))) == ()


def test_detections_come_most_confident_first(colours: Detector) -> None:
    pixels = np.full((512, 512, 3), 100, np.uint8)
    pixels[:128, :128] = (160, 10, 10)
    pixels[384:, 384:] = (250, 5, 5)
    found = colours.detect(Frame(pixels))
    assert len(found) == 2 and found[0].confidence > found[1].confidence and found[0].box.x1 > 0.5


def test_suppression_keeps_the_stronger_box_of_a_category_and_both_of_two() -> None:
    boxes = np.array([[0, 0, 10, 10], [1, 1, 11, 11], [0, 0, 10, 10], [40, 40, 50, 50]], np.float32)
    scores = np.array([0.8, 0.9, 0.7, 0.6], np.float32)
    kept = suppress(boxes, scores, np.array([0, 0, 1, 0]), overlap=0.45)
    assert kept.tolist() == [1, 2, 3]


def test_a_graph_that_gives_nan_is_an_error_and_not_an_empty_photo(colours: Detector) -> None:
    class Broken:
        def __init__(self, graph: object) -> None:
            self._graph = graph

        def __getattr__(self, name: str) -> object:
            return getattr(self._graph, name)

        def run(self, image: object, outputs: object, lap: object) -> list[np.ndarray]:
            (output,) = self._graph.run(image, outputs, lap)
            return [np.full_like(output, np.nan)]

    graph = colours._graph
    colours._graph = Broken(graph)
    try:
        with pytest.raises(EngineError, match="NaN"):
            colours.detect(Frame(np.zeros((64, 64, 3), np.uint8)))
    finally:
        colours._graph = graph


def test_yolox_finds_the_animals_that_a_person_sees(yolox_bundle: Path, assets: Path) -> None:
    detector = load_detector(str(yolox_bundle), threads=2)
    for name in ("generic/owl.jpg", "generic/parrot.jpg", "generic/cat_720p.jpg"):
        found = detector.detect(frame_of((assets / "photos" / name).read_bytes()))
        assert found[0].category == "animal" and found[0].confidence > 0.7, name


def test_yolox_agrees_with_the_published_reference_on_real_photos(yolox_bundle: Path, assets: Path) -> None:
    """An independent decoding of the same graph, written as the official demo describes it, gives the same boxes."""
    bundle = bundles.load(yolox_bundle, task="detector")
    detector = Detector(bundle, threads=2)
    compared = 0
    for path in sorted((assets / "photos" / "serengeti_burst").glob("*.JPG")):
        frame = frame_of(path.read_bytes())
        ours = [found for found in detector.detect(frame) if found.confidence >= 0.3]
        theirs = _reference(bundle, frame)
        assert len(ours) == len(theirs), path.name
        for mine in ours:
            best = max(theirs, key=lambda other: iou(mine.box, other.box))
            assert iou(mine.box, best.box) > 0.99 and abs(mine.confidence - best.confidence) < 1e-3
            compared += 1
    assert compared >= 5


def _reference(bundle: bundles.Bundle, frame: Frame) -> list[Detection]:
    net = cv2.dnn.readNetFromONNX(str(bundle.path(bundle.manifest.variants[0])))
    height, width = frame.pixels.shape[:2]
    ratio = min(416 / height, 416 / width)
    canvas = np.full((416, 416, 3), 114, np.uint8)
    resized = cv2.resize(frame.pixels, (int(width * ratio), int(height * ratio)))
    canvas[: resized.shape[0], : resized.shape[1]] = resized
    net.setInput(cv2.dnn.blobFromImage(canvas, swapRB=True))
    rows = net.forward().reshape(-1, 85)
    place = 0
    found: list[Detection] = []
    for stride in (8, 16, 32):
        for y in range(416 // stride):
            for x in range(416 // stride):
                row = rows[place]
                place += 1
                label = int(row[5:].argmax())
                kind = bundle.labels[label].kind
                score = float(row[4] * row[5 + label])
                if kind == "other" or score < 0.3:
                    continue
                cx, cy = (row[0] + x) * stride, (row[1] + y) * stride
                w, h = np.exp(row[2]) * stride, np.exp(row[3]) * stride
                corners = np.array([cx - w / 2, cy - h / 2, cx + w / 2, cy + h / 2])
                limits = np.array([resized.shape[1], resized.shape[0]] * 2)
                found.append(Detection(kind, score, Box(*np.clip(corners / limits, 0, 1).tolist())))
    found.sort(key=lambda detection: -detection.confidence)
    kept: list[Detection] = []
    for candidate in found:
        if all(iou(candidate.box, other.box) <= 0.45 for other in kept if other.category == candidate.category):
            kept.append(candidate)
    return kept
