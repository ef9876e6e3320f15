"""From a bundle's name in the settings to a loaded model."""

from __future__ import annotations

from pathlib import Path

from edge_runtime.bundles import bundle as bundles
from edge_runtime.journal.runs import Run
from edge_runtime.models.classifier import Classifier
from edge_runtime.models.detector import Detector
from edge_runtime.models.embedder import Embedder

DEFAULT_DETECTOR = bundles.DEFAULTS / "detector"
DEFAULT_CLASSIFIER = bundles.DEFAULTS / "efficientnet-lite0"
DEFAULT_EMBEDDER = DEFAULT_CLASSIFIER
"""The classifier's features: they stand in for an embedder made for individuals."""


def load_detector(name: str, *, threads: int, streams: int = 1) -> Detector:
    """Load the detector called `name`: `default`, or a bundle's folder.

    Raises:
        BundleError, ConfigError, EngineError: it cannot be used; says why.
    """
    folder = DEFAULT_DETECTOR if name == "default" else Path(name)
    return Detector(bundles.load(folder, task="detector"), threads=threads, streams=streams)


def load_classifier(name: str, *, threads: int, streams: int = 1) -> Classifier | None:
    """Load the classifier called `name`: `default`, a bundle's folder, or `none` for no classifier.

    Raises:
        BundleError, ConfigError, EngineError: it cannot be used; says why.
    """
    if name == "none":
        return None
    folder = DEFAULT_CLASSIFIER if name == "default" else Path(name)
    return Classifier(bundles.load(folder, task="classifier"), threads=threads, streams=streams)


def load_embedder(name: str, *, threads: int, streams: int = 1) -> Embedder:
    """Load the embedder called `name`: `default`, or the folder of a bundle with an `embedding` part.

    Raises:
        BundleError, ConfigError, EngineError: it cannot be used; says why.
    """
    folder = DEFAULT_EMBEDDER if name == "default" else Path(name)
    return Embedder(bundles.load(folder, task="embedder"), threads=threads, streams=streams)


def run(
    detector: Detector, classifier: Classifier | None, embedder: Embedder | None, *, confident: float, time_zone: str
) -> Run:
    """What the journal notes of how photos are read.

    Args:
        confident: least confidence of a detection that counts.
        time_zone: of the cameras' clocks.
    """
    return Run(
        detector=detector.bundle.title,
        classifier=classifier.bundle.title if classifier else None,
        embedder=embedder.bundle.title if embedder else None,
        confident=confident,
        keep=detector.bundle.manifest.thresholds.keep,
        time_zone=time_zone,
        lineages=dict(classifier.taxonomy.lineages) if classifier else {},
    )


def titles(detector: Detector, classifier: Classifier | None) -> dict[str, str]:
    """Task to bundle title, as reports and codebooks name the models."""
    named = {"detector": detector.bundle.title}
    if classifier is not None:
        named["classifier"] = classifier.bundle.title
    return named
