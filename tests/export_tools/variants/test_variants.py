"""Claims that hold for every variant, on real weights."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from edge_runtime.errors import CamtrapEdgeError
from export_tools.variants import VARIANTS
from export_tools.variants.protocol import FloatGraph, Made
from tests.export_tools.variants import tiny
from tests.export_tools.variants.reading import run

Pictures = Callable[[FloatGraph], list[NDArray[np.float32]]]
Making = Callable[[str, FloatGraph], Made]
FLOAT = "onnxruntime-fp32"
INT8 = [name for name, variant in VARIANTS.items() if variant.precision == "int8"]


def test_the_variants_are_those_of_the_readme_in_the_order_of_a_bundle() -> None:
    assert list(VARIANTS) == [
        "onnxruntime-fp32",
        "onnxruntime-int8",
        "onnxruntime-int8-arm64",
        "openvino-fp16",
        "openvino-int8",
        "tensorrt-fp16",
        "tensorrt-int8",
    ]
    assert all(variant.name == name and variant.missing() is None for name, variant in VARIANTS.items())


@pytest.mark.parametrize("name", VARIANTS)
def test_the_detector_finds_the_same_animal(
    name: str, detector_source: FloatGraph, evaluation: Pictures, made: Making
) -> None:
    for image in evaluation(detector_source):
        box, score = strongest(run(made(FLOAT, detector_source), VARIANTS[FLOAT], detector_source, image))
        found, certainty = strongest(run(made(name, detector_source), VARIANTS[name], detector_source, image))
        assert score > 0.8
        assert overlap(found[:4], box[:4]) > 0.9
        assert found[4] == box[4]
        assert certainty == pytest.approx(score, abs=0.12)


@pytest.mark.parametrize("name", VARIANTS)
def test_the_classifier_gives_the_same_names_to_any_number_of_pictures(
    name: str, lite0_source: FloatGraph, evaluation: Pictures, made: Making
) -> None:
    pictures = evaluation(lite0_source)
    variant, graph = VARIANTS[name], made(name, lite0_source)
    together, _ = run(graph, variant, lite0_source, np.concatenate(pictures))
    assert together.shape == (len(pictures), 1000)
    for place, picture in enumerate(pictures):
        expected, features = run(made(FLOAT, lite0_source), VARIANTS[FLOAT], lite0_source, picture)
        logits, ours = run(graph, variant, lite0_source, picture)
        assert logits[0].argmax() == expected[0].argmax()
        # Three photographs, cut up, are few to calibrate with: the worst of these is at .90.
        assert cosine(ours, features) > (0.85 if variant.precision == "int8" else 0.9999)
        np.testing.assert_allclose(together[place], logits[0], atol=2e-3)


@pytest.mark.parametrize("name", INT8)
def test_int8_is_smaller_and_rounds_each_node_but_those_that_stay_in_float(
    name: str, detector_source: FloatGraph, made: Making
) -> None:
    int8, float32 = made(name, detector_source), made(FLOAT, detector_source)
    assert not detector_source.float_nodes & set(int8.quantized)
    assert len(int8.quantized) == 89 - len(detector_source.float_nodes)
    # The float graph keeps its weights as float16: half of this is a quarter of float32.
    assert sum(file.stat().st_size for file in (int8.graph, *int8.files)) < 0.9 * float32.graph.stat().st_size


@pytest.mark.parametrize("name", INT8)
def test_a_node_that_goes_back_to_float_is_no_longer_among_the_quantized_ones(
    name: str, tiny_source: FloatGraph, works: Callable[[FloatGraph], Path]
) -> None:
    variant = VARIANTS[name]
    assert set(variant.make(tiny_source, works(tiny_source)).quantized) == set(tiny.TRUNK)
    assert variant.make(tiny_source, works(tiny_source), also_float=["middle"]).quantized == ("stem",)


@pytest.mark.parametrize("name", INT8)
def test_with_every_node_back_in_float_the_answers_are_those_of_the_float_graph(
    name: str, tiny_source: FloatGraph, works: Callable[[FloatGraph], Path], made: Making
) -> None:
    variant = VARIANTS[name]
    image = tiny.pictures(1, seed=5)[0]
    expected = run(made(FLOAT, tiny_source), VARIANTS[FLOAT], tiny_source, image)
    rounded = run(variant.make(tiny_source, works(tiny_source)), variant, tiny_source, image)
    float_again = variant.make(tiny_source, works(tiny_source), also_float=tiny.TRUNK)
    assert float_again.quantized == ()
    exact = run(float_again, variant, tiny_source, image)
    for mine, theirs, coarse in zip(exact, expected, rounded, strict=True):
        np.testing.assert_allclose(mine, theirs, atol=1e-5 * np.abs(theirs).max())
        assert np.abs(coarse - theirs).max() > 1e-4 * np.abs(theirs).max()


@pytest.mark.parametrize("name", INT8)
def test_int8_without_photos_is_an_error_that_says_how_to_name_some(
    name: str, tiny_source: FloatGraph, tmp_path: Path
) -> None:
    source = FloatGraph(tiny_source.model, tiny_source.graph, tiny_source.float_nodes)
    with pytest.raises(CamtrapEdgeError, match="--calibrate"):
        VARIANTS[name].make(source, tmp_path)


def test_listing_the_variants_loads_nothing_heavy() -> None:
    code = "import sys, export_tools.variants; print(' '.join(sorted(sys.modules)))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"torch", "onnx", "onnxruntime", "openvino", "nncf", "tensorrt_rtx"} & set(loaded)


def strongest(outputs: list[NDArray[np.float32]]) -> tuple[NDArray[np.float32], float]:
    """The surest box of a `decoded` head: x1, y1, x2, y2 and class; and its score."""
    boxes, scores = outputs
    row, column = np.unravel_index(scores[0].argmax(), scores[0].shape)
    return np.array([*boxes[0, row], column], np.float32), float(scores[0, row, column])


def overlap(one: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    """Intersection over union of two boxes, `xyxy`."""
    sides = np.minimum(one[2:], other[2:]) - np.maximum(one[:2], other[:2])
    shared = float(np.prod(np.clip(sides, 0, None)))
    return shared / float(np.prod(one[2:] - one[:2]) + np.prod(other[2:] - other[:2]) - shared)


def cosine(one: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    return float((one * other).sum() / np.linalg.norm(one) / np.linalg.norm(other))
