"""The embedder, with a graph whose features are known and with the packaged bundle."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from skimage import data

from edge_runtime.bundles import bundle as bundles
from edge_runtime.errors import BundleError, ConfigError, EngineError
from edge_runtime.models.embedder import Embedder
from edge_runtime.models.loading import load_embedder
from edge_runtime.values import Box, Crop, Detection, Pixels
from tests import colour_classifier

WHOLE = Detection("animal", 1.0, Box(0.0, 0.0, 1.0, 1.0))


def crop(red: int, green: int, blue: int) -> Crop:
    return Crop(WHOLE, np.full((40, 60, 3), (red, green, blue), np.uint8))


def vector(embedder: Embedder, pixels: Pixels) -> np.ndarray:
    (embedding,) = embedder.embed([Crop(WHOLE, pixels)])
    return embedding.vector


@pytest.mark.parametrize("task", ["classifier", "embedder"])
def test_embeddings_are_the_features_with_length_one(tmp_path: Path, task: bundles.Task) -> None:
    colour_classifier.build_bundle(tmp_path / "colours", task=task)
    embedder = load_embedder(str(tmp_path / "colours"), threads=1)
    first, second = embedder.embed([crop(30, 0, 40), crop(200, 0, 0)])
    assert first.vector.dtype == np.float32
    assert np.allclose(first.vector, [0.6, 0.0, 0.8], atol=1e-6)
    assert np.allclose(second.vector, [1.0, 0.0, 0.0], atol=1e-6)
    assert embedder.embed([]) == []


def test_a_bundle_without_an_embedding_is_no_embedder(colour_bundle: Path) -> None:
    with pytest.raises(BundleError, match="is a detector, not an embedder, and has no 'embedding' part"):
        load_embedder(str(colour_bundle), threads=1)
    with pytest.raises(BundleError, match="has no 'embedding' part"):
        Embedder(bundles.load(colour_bundle, task="detector"), threads=1)


def test_an_embedder_is_no_classifier(tmp_path: Path) -> None:
    colour_classifier.build_bundle(tmp_path / "colours", task="embedder")
    with pytest.raises(BundleError, match="is an embedder, not a classifier"):
        bundles.load(tmp_path / "colours", task="classifier")


@pytest.mark.parametrize(
    ("task", "key"), [("embedder", "embedding"), ("classifier", "output"), ("classifier", "labels")]
)
def test_each_task_needs_its_parts(tmp_path: Path, task: bundles.Task, key: str) -> None:
    colour_classifier.build_bundle(tmp_path / "colours", task=task)
    manifest = tmp_path / "colours" / "manifest.yaml"
    blocks = manifest.read_text().split("\n")
    start = next(place for place, line in enumerate(blocks) if line.startswith(f"{key}:"))
    end = next(place for place in range(start + 1, len(blocks)) if not blocks[place].startswith((" ", "-")))
    manifest.write_text("\n".join(blocks[:start] + blocks[end:]))
    with pytest.raises(ConfigError, match=f"missing required field `{key}`"):
        bundles.load(tmp_path / "colours", task=task)


def test_another_number_of_dimensions_than_the_manifest_says_is_an_error(tmp_path: Path) -> None:
    embedder = Embedder(colour_classifier.build_bundle(tmp_path / "colours", dimensions=4), threads=1)
    with pytest.raises(EngineError, match=r"shape \(1, 3\), not \(1, 4\)"):
        embedder.embed([crop(1, 2, 3)])


def test_a_picture_without_any_direction_is_an_error_and_no_vector_of_nan(tmp_path: Path) -> None:
    embedder = Embedder(colour_classifier.build_bundle(tmp_path / "colours"), threads=1)
    with pytest.raises(EngineError, match="only zeros"):
        embedder.embed([crop(0, 0, 0)])


def test_the_packaged_features_find_the_same_cat_in_another_light_and_cut() -> None:
    embedder = load_embedder("default", threads=1)
    cat, coffee = np.asarray(data.chelsea()), np.asarray(data.coffee())
    first = vector(embedder, cat)
    assert first.shape == (1280,) and np.linalg.norm(first) == pytest.approx(1, abs=1e-5)
    darker = vector(embedder, (cat[20:, 30:] * 0.7).astype(np.uint8))
    assert float(first @ darker) > 0.8 > 0.5 > float(first @ vector(embedder, coffee))
