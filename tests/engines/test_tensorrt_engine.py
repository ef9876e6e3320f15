"""TensorRT from a bundle's graph to its outputs: for real where a GPU is found, and what is said where none is."""

from __future__ import annotations

import dataclasses
import logging
import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from edge_runtime import engines
from edge_runtime.bundles import bundle as bundles
from edge_runtime.engines import tensorrt_cuda, tensorrt_engine, tensorrt_runtime
from edge_runtime.engines.onnxruntime_engine import OnnxRuntimeEngine
from edge_runtime.engines.tensorrt_cuda import CudaError, Driver
from edge_runtime.engines.tensorrt_engine import TensorRtEngine
from edge_runtime.errors import EngineError
from export_tools import default_models
from tests.engines.tensorrt_graphs import variant
from tests.export_tools.variants import tiny

DETECTOR = Path(default_models.__file__).parent / "detector" / "float.onnx"
OUTPUTS = ["boxes", "scores"]


def has_gpu() -> bool:
    try:
        return bool(tensorrt_cuda.driver())
    except CudaError:
        return False


needs_gpu = pytest.mark.skipif(not tensorrt_runtime.usable(), reason="no NVIDIA GPU with a TensorRT for it here")
needs_no_gpu = pytest.mark.skipif(has_gpu(), reason="there is an NVIDIA GPU here")


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where engines are kept."""
    monkeypatch.setenv("CACHE_DIRECTORY", str(tmp_path / "cache"))
    return tmp_path / "cache" / "engines"


@pytest.fixture
def graph(tmp_path: Path) -> Path:
    return tiny.build(tmp_path / "tiny.onnx")


def opened(graph: Path, *, streams: int = 1) -> tensorrt_engine.TensorRtSession:
    return TensorRtEngine().open(graph, input_name="image", threads=1, streams=streams)


def by_onnxruntime(graph: Path, image: np.ndarray) -> list[np.ndarray]:
    return OnnxRuntimeEngine().open(graph, input_name="image", threads=1).run(image, OUTPUTS)


@needs_no_gpu
def test_without_a_gpu_the_engine_is_not_there() -> None:
    assert "tensorrt" not in engines.available()


@needs_no_gpu
def test_without_a_gpu_a_bundle_opens_with_its_next_variant(colour_bundle: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(colour_bundle, tmp_path / "bundle"))
    manifest = (folder / "manifest.yaml").read_text()
    entry = manifest[manifest.index("- file: graphs") : manifest.index("files:")]
    shutil.copyfile(folder / "graphs" / "fp32.onnx", folder / "graphs" / "rt.onnx")
    first = entry.replace("fp32.onnx", "rt.onnx").replace("engine: onnxruntime", "engine: tensorrt")
    (folder / "manifest.yaml").write_text(manifest.replace(entry, first + entry))
    opened_graph = engines.open_graph(bundles.load(folder, task="detector"), threads=1)
    assert opened_graph.variant.engine == "onnxruntime"


@needs_no_gpu
def test_without_a_gpu_opening_says_what_is_missing_and_what_to_do(graph: Path, cache: Path) -> None:
    with pytest.raises(EngineError, match=r"tiny\.onnx: tensorrt: .*NVIDIA driver.*variant for the CPU"):
        opened(graph)
    assert not cache.exists()


@needs_gpu
def test_the_engine_is_there_where_a_gpu_is() -> None:
    assert "tensorrt" in engines.available()
    assert isinstance(engines.get("tensorrt"), TensorRtEngine)


@needs_gpu
def test_the_packages_own_detector_gives_what_onnxruntime_gives() -> None:
    image = np.random.default_rng(0).normal(size=(1, 3, 384, 512)).astype(np.float32)
    ours, theirs = opened(DETECTOR).run(image, OUTPUTS), by_onnxruntime(DETECTOR, image)
    np.testing.assert_allclose(ours[0], theirs[0], atol=0.05)
    np.testing.assert_allclose(ours[1], theirs[1], atol=1e-3)


@needs_gpu
@pytest.mark.parametrize("batch", [1, "batch"])
@pytest.mark.parametrize(("name", "apart"), [("tensorrt-fp16", 0.01), ("tensorrt-int8", 0.03)])
def test_what_the_exporter_makes_gives_what_onnxruntime_gives(
    name: str, apart: float, batch: int | str, tmp_path: Path
) -> None:
    made = variant(name, tmp_path, batch=batch)
    session = opened(made)
    for image in tiny.pictures(4, seed=5):
        boxes, scores = session.run(image, OUTPUTS)
        their_boxes, their_scores = by_onnxruntime(made, image)
        assert boxes.shape == their_boxes.shape and scores.shape == their_scores.shape
        # Boxes are in pixels of 1280.
        np.testing.assert_allclose(boxes / 1280, their_boxes / 1280, atol=apart)
        np.testing.assert_allclose(scores, their_scores, atol=apart)


@needs_gpu
def test_outputs_come_in_the_order_asked_for_and_only_those(graph: Path) -> None:
    session = opened(graph)
    (image,) = tiny.pictures(1)
    scores, boxes = session.run(image, ["scores", "boxes"])
    assert scores.shape == (1, tiny.CELLS, 2) and boxes.shape == (1, tiny.CELLS, 4)
    (alone,) = session.run(image, ["boxes"])
    np.testing.assert_array_equal(alone, boxes)


@needs_gpu
def test_copies_and_inference_are_told_apart_to_whoever_asks_and_the_result_is_the_same(graph: Path) -> None:
    session = opened(graph)
    (image,) = tiny.pictures(1)
    told: list[str] = []
    (scores,) = session.run(image, ["scores"], told.append)
    assert told == ["h2d", "infer", "d2h"]
    np.testing.assert_array_equal(scores, session.run(image, ["scores"])[0])


@needs_gpu
def test_a_result_stays_what_it_was_when_the_next_picture_is_run(graph: Path) -> None:
    session = opened(graph)
    first, second = tiny.pictures(2)
    (scores,) = session.run(first, ["scores"])
    before = scores.copy()
    session.run(second, ["scores"])
    np.testing.assert_array_equal(scores, before)


@needs_gpu
def test_as_many_threads_as_there_are_streams_run_at_once_and_each_gets_its_own_result(graph: Path) -> None:
    session = opened(graph, streams=3)
    pictures = tiny.pictures(60, seed=7)
    expected = [by_onnxruntime(graph, image)[1] for image in pictures]
    with ThreadPoolExecutor(max_workers=3) as pool:
        results = list(pool.map(lambda image: session.run(image, ["scores"])[0], pictures))
    for ours, theirs in zip(results, expected, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-4)


@needs_gpu
def test_the_second_start_builds_nothing(graph: Path, cache: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    opened(graph)
    assert "building the TensorRT engine of tiny.onnx" in caplog.text
    (file,) = cache.glob("*.engine")
    made = file.stat().st_ino
    caplog.clear()
    opened(graph).run(tiny.pictures(1)[0], OUTPUTS)
    assert "building" not in caplog.text
    assert file.stat().st_ino == made


@needs_gpu
def test_an_engine_of_another_gpu_is_not_loaded(
    graph: Path, cache: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    opened(graph)
    (ours,) = cache.glob("*.engine")
    real = tensorrt_cuda.driver().gpu()
    with monkeypatch.context() as patch:
        patch.setattr(Driver, "gpu", lambda self: dataclasses.replace(real, name="Another"))
        opened(graph)
    (theirs,) = cache.glob("*.engine")
    assert theirs != ours
    # As if somebody had copied it from another device, under the name that it has here.
    theirs.rename(ours)
    opened(graph).run(tiny.pictures(1)[0], OUTPUTS)
    assert f"was made for gpu 'Another', not {real.name!r}" in caplog.text


@needs_gpu
def test_an_input_of_another_name_is_refused_with_both_names(graph: Path) -> None:
    with pytest.raises(EngineError, match=r"\['image'\].*'picture'"):
        TensorRtEngine().open(graph, input_name="picture", threads=1)
    opened(graph)
    with pytest.raises(EngineError, match=r"\['image'\].*'picture'"):
        TensorRtEngine().open(graph, input_name="picture", threads=1)


@needs_gpu
def test_an_input_of_another_shape_is_an_error_and_not_an_empty_result(graph: Path) -> None:
    session = opened(graph)
    with pytest.raises(EngineError, match="inference failed"):
        session.run(np.zeros((1, 3, 64, 64), np.float32), OUTPUTS)
    assert session.run(tiny.pictures(1)[0], ["scores"])[0].shape == (1, tiny.CELLS, 2)


@needs_gpu
def test_an_output_that_the_graph_lacks_is_an_error(graph: Path) -> None:
    with pytest.raises(EngineError, match="nothing"):
        opened(graph).run(tiny.pictures(1)[0], ["nothing"])


@needs_gpu
def test_nothing_spins_between_two_pictures() -> None:
    session = opened(DETECTOR)
    image = np.zeros((1, 3, 384, 512), np.float32)
    session.run(image, OUTPUTS)
    before = time.process_time()
    time.sleep(0.3)
    assert time.process_time() - before < 0.03
