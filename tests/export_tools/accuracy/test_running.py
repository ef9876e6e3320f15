"""Detectors over photos: what is found, with which threshold, and how long it takes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edge_runtime.bundles import bundle as bundles
from edge_runtime.bundles.bundle import Bundle
from edge_runtime.errors import CamtrapEdgeError, UnreadablePhotoError
from edge_runtime.models.detector import Detector
from edge_runtime.values import Frame
from export_tools.accuracy import latency, running
from export_tools.accuracy.average_precision import average_precision
from export_tools.accuracy.photos import evaluation
from export_tools.accuracy.strata import strata
from tests import colour_detector
from tests.export_tools.accuracy import assets_folder


@pytest.fixture(scope="module")
def bundle(colour_bundle: Path) -> Bundle:
    return bundles.load(colour_bundle, task="detector")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return assets_folder.write(tmp_path_factory.mktemp("accuracy") / "assets")


def test_a_detector_that_is_right_everywhere_is_perfect_in_every_stratum(bundle: Bundle, folder: Path) -> None:
    photos = evaluation(folder).labelled
    found = running.run({"one": bundle}, photos)["one"]
    assert len(found) == len(photos)
    seen = 0
    for stratum in strata(photos):
        chosen = [(one, photo.truth) for one, photo in zip(found, photos, strict=True) if stratum.includes(photo)]
        some, truths = zip(*chosen, strict=True)
        value = average_precision(some, truths, classes=stratum.classes, area=stratum.area)
        assert value == pytest.approx(1.0) or np.isnan(value), stratum.name
        seen += value == value
    assert seen >= 8


def test_much_less_is_kept_than_the_bundle_asks_for(bundle: Bundle) -> None:
    pixels = np.full((512, 512, 3), 120, np.uint8)
    pixels[:128, :128] = (135, 65, 66)  # red by 4 of 160: a score of .025, where the bundle keeps .05
    assert Detector(bundle, threads=1).detect(Frame(pixels)) == ()
    found = running.as_found(Detector(running.keeping_all(bundle), threads=1).detect(Frame(pixels)))
    assert found.scores.tolist() == pytest.approx([0.025])
    assert found.classes.tolist() == [0]


def test_another_graph_runs_under_the_same_manifest(bundle: Bundle, folder: Path) -> None:
    graph = bundle.path(bundle.manifest.variants[0])
    photos = evaluation(folder).labelled
    both = running.run({"one": bundle, "other": running.with_graph(bundle, graph)}, photos)
    for one, other in zip(both["one"], both["other"], strict=True):
        assert (one.scores == other.scores).all()
        assert (one.boxes == other.boxes).all()


def test_a_missing_graph_and_a_broken_photo_are_named(bundle: Bundle, tmp_path: Path) -> None:
    with pytest.raises(CamtrapEdgeError, match=r"float\.onnx: no such graph"):
        running.with_graph(bundle, tmp_path / "float.onnx")
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"no picture")
    for photo in (broken, tmp_path / "gone.jpg"):
        with pytest.raises(UnreadablePhotoError, match=photo.name):
            running.read(photo)


def test_every_detector_is_timed_alone_and_whole_in_every_round(bundle: Bundle, tmp_path: Path) -> None:
    photo = tmp_path / "photo.jpg"
    photo.write_bytes(colour_detector.photo({(0, 0): "animal"}))
    timings = latency.measure({"one": bundle, "other": bundle}, [running.read(photo)] * 2, rounds=7)
    with_onnxruntime = {(t.detector, t.what): t for t in timings if t.engine == "onnxruntime"}
    assert set(with_onnxruntime) == {(name, what) for name in ("one", "other") for what in ("model", "detect")}
    for timing in with_onnxruntime.values():
        assert timing.runs == 7
        assert 0 < timing.least_ms <= timing.median_ms
    for name in ("one", "other"):
        assert with_onnxruntime[name, "model"].least_ms < with_onnxruntime[name, "detect"].least_ms
