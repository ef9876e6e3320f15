"""Golden samples: small pictures whose decisions a bundle brings with it, replayed to see that it still decides so.

They show that a graph, its engine and its pre-processing work together on this machine. They say nothing of how good a
model is.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Annotated, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from edge_runtime import checked_yaml, engines
from edge_runtime.bundles.bundle import Bundle
from edge_runtime.bundles.manifest import Fraction, Part, Text, Variant
from edge_runtime.errors import BundleError, EngineError
from edge_runtime.intake import decode
from edge_runtime.models.classifier import Classifier
from edge_runtime.models.detector import Detector
from edge_runtime.models.embedder import Embedder
from edge_runtime.values import Box, Category, Crop, Detection, Frame

OVERLAP = 0.8
"""Least IoU of an expected box with the one that is found."""
CONFIDENCE = 0.1
"""Largest difference of a confidence or a probability."""
COSINE = 0.99
MAX_PIXELS = 4_000_000
_WHOLE = Detection("animal", 1.0, Box(0.0, 0.0, 1.0, 1.0))


class GoldenBox(Part, frozen=True, kw_only=True):
    category: Category
    confidence: Fraction
    box: tuple[Fraction, Fraction, Fraction, Fraction]
    """`xyxy`, fractions of the picture."""


class GoldenSample(Part, frozen=True, kw_only=True):
    """One picture and what is expected of it: `boxes` of a detector, `label` and `probability` of a classifier,
    `vector` of an embedder (float16, little-endian, base64)."""

    file: Text
    boxes: tuple[GoldenBox, ...] | None = None
    label: str | None = None
    """Empty: no animal."""
    probability: Fraction | None = None
    vector: Text | None = None


class Golden(Part, frozen=True, kw_only=True):
    golden: Literal[1]
    samples: Annotated[tuple[GoldenSample, ...], msgspec.Meta(min_length=1, max_length=64)]


@dataclass(frozen=True, slots=True)
class Replayed:
    """One golden sample by one variant."""

    variant: str
    file: str
    problem: str
    """What was decided otherwise; empty where everything is as expected."""


def read(bundle: Bundle) -> Golden | None:
    """The bundle's golden samples; None where it brings none.

    Raises:
        ConfigError, BundleError: the list is not as BUNDLE.md says, or names a picture that the bundle does not list.
    """
    name = bundle.manifest.golden
    if not name:
        return None
    golden = checked_yaml.read(bundle.folder / name, Golden)
    listed = {entry.file for entry in bundle.manifest.files}
    for sample in golden.samples:
        if _beside(name, sample.file) not in listed:
            raise BundleError(bundle.folder, f"its golden picture '{sample.file}' is not listed under 'files'")
    return golden


def replay(bundle: Bundle, available: Collection[str] | None = None) -> list[Replayed]:
    """Run the golden samples through every variant that an engine of this machine runs.

    Args:
        available: names of engines; None for all that are installed.

    Returns one entry a variant and sample; none where the bundle has no golden samples or no engine is here.

    Raises:
        BundleError, ConfigError, UnreadablePhotoError: the golden samples cannot be used.
    """
    golden = read(bundle)
    known = engines.available() if available is None else frozenset(available)
    variants = [variant for variant in bundle.manifest.variants if variant.engine in known]
    return [one for variant in variants for one in _replay(bundle, variant, golden)] if golden else []


def replay_sample(bundle: Bundle, variant: Variant, sample: GoldenSample, picture: Frame) -> Replayed:
    """Run one golden sample, whose picture is at hand, through one variant."""
    try:
        problem = _checker(bundle, variant)(sample, picture)
    except EngineError as error:
        problem = str(error)
    return Replayed(variant.name, sample.file, problem)


def encode(vector: NDArray[np.float32]) -> str:
    """An embedding as `GoldenSample.vector` has it."""
    return base64.b64encode(vector.astype("<f2").tobytes()).decode("ascii")


def picture(data: bytes, file: Path) -> Frame:
    """Decode a golden picture.

    Raises:
        UnreadablePhotoError: it cannot be decoded.
    """
    return decode.decode(data, decode.open_photo(data, file, max_pixels=MAX_PIXELS), file)


def _replay(bundle: Bundle, variant: Variant, golden: Golden) -> list[Replayed]:
    try:
        check = _checker(bundle, variant)
    except EngineError as error:
        return [Replayed(variant.name, sample.file, str(error)) for sample in golden.samples]
    replayed = []
    for sample in golden.samples:
        file = bundle.folder / _beside(bundle.manifest.golden, sample.file)
        try:
            problem = check(sample, picture(file.read_bytes(), file))
        except EngineError as error:
            problem = str(error)
        replayed.append(Replayed(variant.name, sample.file, problem))
    return replayed


def _beside(golden: str, file: str) -> str:
    return (PurePosixPath(golden).parent / file).as_posix()


def _checker(bundle: Bundle, variant: Variant) -> Callable[[GoldenSample, Frame], str]:
    """What compares one picture's decisions with the expected ones: the difference in words, or nothing."""
    alone, manifest = bundle.only(variant.name), bundle.manifest
    if manifest.task == "detector":
        detector = Detector(alone, threads=1)
        return lambda sample, frame: _compare_boxes(sample, detector.detect(frame), manifest.thresholds.confident)
    if manifest.task == "classifier":
        classifier = Classifier(alone, threads=1)
        return lambda sample, frame: _compare_label(sample, classifier, Crop(_WHOLE, frame.pixels))
    embedder = Embedder(alone, threads=1)
    return lambda sample, frame: _compare_vector(sample, embedder.embed([Crop(_WHOLE, frame.pixels)])[0].vector)


def _compare_boxes(sample: GoldenSample, found: tuple[Detection, ...], confident: float) -> str:
    if sample.boxes is None:
        return "has no expected boxes"
    left = list(found)
    for expected in sample.boxes:
        match = next((one for one in left if one.category == expected.category and _same_place(one, expected)), None)
        where = "{} at {:.2f}, {:.2f}".format(expected.category, *expected.box[:2])
        if match is None:
            return f"{where}: not found"
        if abs(match.confidence - expected.confidence) > CONFIDENCE:
            return f"{where}: confidence {match.confidence:.2f}, expected {expected.confidence:.2f}"
        left.remove(match)
    # What stood just below the threshold may stand just above it here.
    surplus = [one for one in left if one.confidence >= min(confident + CONFIDENCE, 1.0)]
    return f"{len(surplus)} boxes that nobody expects" if surplus else ""


def _same_place(found: Detection, expected: GoldenBox) -> bool:
    box, other = found.box, Box(*expected.box)
    across = min(box.x2, other.x2) - max(box.x1, other.x1)
    down = min(box.y2, other.y2) - max(box.y1, other.y1)
    common = max(across, 0.0) * max(down, 0.0)
    return common >= OVERLAP * (box.area + other.area - common) > 0


def _compare_label(sample: GoldenSample, classifier: Classifier, crop: Crop) -> str:
    if sample.label is None or sample.probability is None:
        return "has no expected label"
    names = (*classifier.taxonomy.labels, "")
    probabilities = classifier.probabilities(crop)
    best = int(probabilities.argmax())
    if names[best] != sample.label:
        return f"is '{names[best]}', expected '{sample.label}'"
    if abs(float(probabilities[best]) - sample.probability) > CONFIDENCE:
        return f"'{sample.label}': probability {probabilities[best]:.2f}, expected {sample.probability:.2f}"
    return ""


def _compare_vector(sample: GoldenSample, vector: NDArray[np.float32]) -> str:
    if sample.vector is None:
        return "has no expected vector"
    try:
        expected = np.frombuffer(base64.b64decode(sample.vector, validate=True), "<f2").astype(np.float64)
    except (binascii.Error, ValueError):
        return "its expected vector cannot be read"
    if expected.shape != vector.shape or not np.isfinite(expected).all():
        return f"its expected vector has {len(expected)} numbers, the embedding has {len(vector)}"
    cosine = float(vector @ expected) / max(float(np.linalg.norm(expected)), 1e-12)
    return "" if cosine >= COSINE else f"cosine {cosine:.3f} with the expected vector"
