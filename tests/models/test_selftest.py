"""What a list of golden samples may say; what a replay finds is in tests/export_tools/proof/test_golden.py."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from PIL import Image

from edge_runtime.bundles import bundle as bundles
from edge_runtime.bundles.bundle import Bundle
from edge_runtime.errors import BundleError, ConfigError
from edge_runtime.models import selftest
from tests import colour_classifier


def with_list(source: Path, folder: Path, content: dict[str, Any]) -> Bundle:
    """A copy of a bundle with this list of golden samples and one picture, `1.png`, of a lynx."""
    shutil.copytree(source, folder)
    (folder / "golden").mkdir()
    (folder / "golden" / "golden.json").write_text(json.dumps(content))
    Image.fromarray(np.full((32, 32, 3), colour_classifier.SHADES["lynx"], np.uint8)).save(folder / "golden" / "1.png")
    manifest = yaml.safe_load((folder / "manifest.yaml").read_text())
    for name in ("golden/golden.json", "golden/1.png"):
        data = (folder / name).read_bytes()
        digest = hashlib.sha256(data).hexdigest()
        manifest.setdefault("files", []).append({"file": name, "bytes": len(data), "sha256": digest})
    manifest["golden"] = "golden/golden.json"
    (folder / "manifest.yaml").write_text(yaml.safe_dump(manifest))
    return bundles.load(folder, task=manifest["task"])


@pytest.fixture
def cats(tmp_path: Path) -> Path:
    return colour_classifier.build_bundle(tmp_path / "cats").folder


def one(**sample: Any) -> dict[str, Any]:
    return {"golden": 1, "samples": [{"file": "1.png", **sample}]}


@pytest.mark.parametrize(
    ("sample", "problem"),
    [
        ({"label": "lynx", "probability": 1.0}, ""),
        ({"label": "lynx", "probability": 0.5}, "probability 1.00, expected 0.50"),
        ({"label": "cougar", "probability": 1.0}, "is 'lynx', expected 'cougar'"),
        ({"vector": "AAAA"}, "no expected label"),
    ],
)
def test_a_classifiers_sample_is_compared_by_label_and_probability(
    cats: Path, tmp_path: Path, sample: dict[str, Any], problem: str
) -> None:
    (replayed,) = selftest.replay(with_list(cats, tmp_path / "golden", one(**sample)))
    assert problem in replayed.problem and bool(problem) == bool(replayed.problem)


@pytest.mark.parametrize(
    ("vector", "problem"),
    [
        (selftest.encode(np.array([1, 0, 0], np.float32)), ""),
        (selftest.encode(np.array([0, 1, 0], np.float32)), "cosine 0.000"),
        (selftest.encode(np.array([1, 0], np.float32)), "2 numbers"),
        (selftest.encode(np.array([np.nan, 0, 0], np.float32)), "numbers"),
        ("no base64!", "cannot be read"),
    ],
)
def test_an_embedders_sample_is_compared_by_cosine(tmp_path: Path, vector: str, problem: str) -> None:
    embedder = colour_classifier.build_bundle(tmp_path / "red", task="embedder").folder
    (replayed,) = selftest.replay(with_list(embedder, tmp_path / "golden", one(vector=vector)))
    assert problem in replayed.problem and bool(problem) == bool(replayed.problem)


def test_a_bundle_without_golden_samples_replays_nothing(cats: Path) -> None:
    assert selftest.replay(bundles.load(cats, task="classifier")) == []


def test_variants_whose_engine_is_not_here_are_left_out(cats: Path, tmp_path: Path) -> None:
    bundle = with_list(cats, tmp_path / "golden", one(label="lynx", probability=1.0))
    assert selftest.replay(bundle, {"abacus"}) == []


def test_a_graph_that_cannot_be_loaded_fails_each_sample(cats: Path, tmp_path: Path) -> None:
    bundle = with_list(cats, tmp_path / "golden", one(label="lynx", probability=1.0))
    # Behind the reader's back: the hashes were right when it was loaded.
    bundle.path(bundle.manifest.variants[0]).write_bytes(b"no graph")
    (replayed,) = selftest.replay(bundle)
    assert "cannot load the graph" in replayed.problem


@pytest.mark.parametrize("file", ["2.png", "../manifest.yaml", "/etc/passwd"])
def test_a_picture_that_the_bundle_does_not_list_is_refused(cats: Path, tmp_path: Path, file: str) -> None:
    content = {"golden": 1, "samples": [{"file": file, "label": "lynx", "probability": 1.0}]}
    with pytest.raises(BundleError, match="not listed"):
        selftest.replay(with_list(cats, tmp_path / "golden", content))


@pytest.mark.parametrize("content", [{}, {"golden": 2, "samples": []}, one(label="lynx", probability=7.0), one(x=1)])
def test_a_list_that_says_something_else_is_refused(cats: Path, tmp_path: Path, content: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        selftest.replay(with_list(cats, tmp_path / "golden", content))
