"""Golden samples: made so that every whole variant passes them, and a damaged one does not."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper
from PIL import Image

from edge_runtime.bundles import bundle as bundles
from edge_runtime.bundles.bundle import Bundle
from edge_runtime.bundles.manifest import Task
from edge_runtime.models import selftest
from export_tools import bundle_writer, samples
from export_tools.bundle_writer import Description, Graph
from export_tools.looks import Look
from export_tools.proof import golden, inspection, trial
from tests import colour_classifier, colour_detector
from tests.export_tools.proof import colours


def with_golden(bundle: Bundle, folder: Path, texts: dict[str, bytes], graph: Path | None = None) -> Bundle:
    """The bundle with golden samples, and with another graph where one is given."""
    manifest = bundle.manifest
    return bundle_writer.write(
        folder,
        Description(**{name: getattr(manifest, name) for name in Description.__dataclass_fields__}),
        [Graph(graph or bundle.path(manifest.variants[0]), "fp32", "onnxruntime", "fp32")],
        labels=bundle.folder / manifest.labels if manifest.labels else None,
        taxa=bundle.folder / manifest.taxa if manifest.taxa else None,
        texts=texts,
        golden=golden.LIST,
    )


def looks(folder: Path) -> list[Look]:
    return [Look(sample) for sample in samples.choose(folder, 50)]


@pytest.fixture
def detector(colour_bundle: Path) -> Bundle:
    return bundles.load(colour_bundle, task="detector")


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    cells = [{(0, 0): "animal"}, {(2, 1): "animal", (0, 3): "animal"}, {(1, 1): "person"}, {}, {}, {}, {}]
    for number, one in enumerate(cells):
        (folder / f"{number}.jpg").write_bytes(colour_detector.photo(one, seed=number))
    return folder


def test_a_detectors_golden_samples_pass_on_the_bundle_that_brings_them(
    detector: Bundle, photos: Path, tmp_path: Path
) -> None:
    texts = golden.make(detector, [detector], looks(photos))
    bundle = with_golden(detector, tmp_path / "golden", texts)
    replayed = selftest.replay(bundle)
    assert len(replayed) == 4  # two with animals, two of the empty ones, nobody's portrait
    assert not [one for one in replayed if one.problem]
    assert "4 golden samples" in inspection.as_text(bundle)


def test_no_photo_with_a_person_is_published(detector: Bundle, photos: Path) -> None:
    texts = golden.make(detector, [], looks(photos))
    categories = [box["category"] for one in json.loads(texts[golden.LIST])["samples"] for box in one["boxes"]]
    assert sorted(categories) == ["animal"] * 3


def test_pictures_are_small_and_carry_no_metadata(detector: Bundle, photos: Path, tmp_path: Path) -> None:
    texts = golden.make(detector, [], looks(photos))
    for name, data in texts.items():
        if name.endswith(".jpg"):
            (tmp_path / "one.jpg").write_bytes(data)
            with Image.open(tmp_path / "one.jpg") as image:
                assert max(image.size) == 128 and not image.getexif()
            assert len(data) < golden.BYTES


@pytest.mark.parametrize(("factors", "says"), [((0.5, 1, 1), "confidence"), ((0, 1, 1), "not found")])
def test_a_damaged_detector_fails_its_golden_samples(
    detector: Bundle, photos: Path, tmp_path: Path, factors: tuple[float, float, float], says: str
) -> None:
    texts = golden.make(detector, [detector], looks(photos))
    colours.changed(detector, tmp_path / "damaged.onnx", factors)
    bundle = with_golden(detector, tmp_path / "golden", texts, tmp_path / "damaged.onnx")
    assert sum(says in one.problem for one in selftest.replay(bundle)) == 2


def test_a_detector_that_sees_everything_everywhere_fails(detector: Bundle, photos: Path, tmp_path: Path) -> None:
    texts = golden.make(detector, [detector], looks(photos))
    model = onnx.load(str(detector.path(detector.manifest.variants[0])))
    low = next(tensor for tensor in model.graph.initializer if tensor.name == "low")
    low.CopyFrom(numpy_helper.from_array(np.array(0.95, np.float32), "low"))
    onnx.save(model, str(tmp_path / "mad.onnx"))
    bundle = with_golden(detector, tmp_path / "golden", texts, tmp_path / "mad.onnx")
    assert any("boxes that nobody expects" in one.problem for one in selftest.replay(bundle))


def test_a_picture_on_which_a_variant_decides_otherwise_is_not_taken(
    detector: Bundle, photos: Path, tmp_path: Path
) -> None:
    blind = colours.changed(detector, tmp_path / "blind.onnx", (0, 0, 0))
    assert golden.make(detector, [detector, blind], looks(photos)) == {}


@pytest.fixture
def shades(tmp_path: Path) -> Path:
    folder = tmp_path / "shades"
    folder.mkdir()
    for name, shade in colour_classifier.SHADES.items():
        Image.fromarray(np.full((64, 64, 3), shade, np.uint8)).save(folder / f"{name}.png")
    return folder


@pytest.mark.parametrize(("task", "count"), [("classifier", 2), ("embedder", 3)])
def test_a_damaged_classifier_or_embedder_fails_and_a_whole_one_passes(
    tmp_path: Path, shades: Path, task: Task, count: int
) -> None:
    whole = colour_classifier.build_bundle(tmp_path / "whole", task=task)
    texts = golden.make(whole, [whole], looks(shades))
    bundle = with_golden(whole, tmp_path / "golden", texts)
    assert [one.problem for one in selftest.replay(bundle)] == [""] * count
    model = onnx.load(str(whole.path(whole.manifest.variants[0])))
    model.graph.node[0].op_type = "GlobalMaxPool"
    for tensor in model.graph.initializer:
        if tensor.name == "weights":
            tensor.CopyFrom(numpy_helper.from_array(-numpy_helper.to_array(tensor), "weights"))
    if task == "embedder":
        model.graph.node[1].output[0] = "straight"
        constant = onnx.helper.make_node("Neg", ["straight"], ["features"])
        model.graph.node.insert(2, constant)
    onnx.save(model, str(tmp_path / "damaged.onnx"))
    damaged = with_golden(whole, tmp_path / "golden-damaged", texts, tmp_path / "damaged.onnx")
    assert all(one.problem for one in selftest.replay(damaged))


def test_a_variant_on_trial_is_the_bundle_with_another_graph(detector: Bundle) -> None:
    graph = detector.path(detector.manifest.variants[0])
    made = trial.with_variant(detector, graph, engine="onnxruntime", precision="fp16")
    assert [variant.precision for variant in made.manifest.variants] == ["fp16"]
    assert made.path(made.manifest.variants[0]) == graph.resolve()
