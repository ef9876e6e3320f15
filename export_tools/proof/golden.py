"""Golden samples: pictures that a bundle carries with what it decides on them (`edge_runtime.models.selftest`).

Whoever publishes a bundle publishes these pictures. They are at the size of the model's input, without metadata, and
never a photo on which the detector sees a person or a vehicle. They are JPEG, as a camera's are: the device's own way
of decoding is replayed too, and eight PNG of 640 pixels would weigh more than an INT8 graph.

Only pictures on which every variant of the bundle decides alike are taken, none of them close to a threshold: a golden
sample asks whether a graph is whole, not how good it is.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec
import numpy as np
from PIL import Image

from edge_runtime.bundles.bundle import Bundle
from edge_runtime.models import selftest
from edge_runtime.models.classifier import Classifier
from edge_runtime.models.detector import Detector
from edge_runtime.models.embedder import Embedder
from edge_runtime.models.selftest import Golden, GoldenBox, GoldenSample
from edge_runtime.values import Box, Crop, Detection, Frame, Pixels
from export_tools.looks import Look, small
from export_tools.proof.classifiers import SURE
from export_tools.proof.objects import HAIR
from export_tools.samples import progress

LIST = "golden/golden.json"
COUNT = 8
BYTES = 100_000
"""A picture's size at most, where a lower quality can bring it there."""
_EMPTY = 2
"""Pictures without boxes at most: they fail only a graph that sees too much."""
_QUALITIES = (92, 85, 75, 60)
_LOOKED_AT = 8
"""So many times the pictures wanted are looked at."""
_WHOLE = Detection("animal", 1.0, Box(0.0, 0.0, 1.0, 1.0))


def make(
    reference: Bundle, variants: Sequence[Bundle], looks: Sequence[Look], *, count: int = COUNT
) -> dict[str, bytes]:
    """The list and its pictures, name to content, for `bundle_writer.write(texts=...)`; empty where no picture serves.

    Args:
        reference: decides what is expected.
        variants: what the bundle will hold, each on trial, as far as it can be run here.
        looks: photos or crops, in the order in which they are preferred.

    Raises:
        EngineError, BundleError, UnreadablePhotoError: a graph or a photo cannot be used.
    """
    expect = _Expecting(reference)
    samples: list[GoldenSample] = []
    files: dict[str, bytes] = {}
    for look in progress(looks[: count * _LOOKED_AT], "choosing golden samples"):
        shown = (
            look.frame().pixels if reference.manifest.task == "detector" else look.crop(reference.manifest.crop).pixels
        )
        data = _jpeg(_at_input_size(shown, reference))
        name = f"{len(samples) + 1}.jpg"
        frame = selftest.picture(data, Path(name))
        sample = expect(name, frame)
        if sample is None or _too_many_empty(sample, samples) or not _all_agree(variants, sample, frame):
            continue
        samples.append(sample)
        files[f"golden/{name}"] = data
        if len(samples) == count:
            break
    if not any(sample.boxes is None or sample.boxes for sample in samples):
        return {}
    return {LIST: msgspec.json.format(msgspec.json.encode(Golden(golden=1, samples=tuple(samples)))), **files}


class _Expecting:
    """What the reference decides on a picture; None where the picture must not or should not be taken."""

    def __init__(self, reference: Bundle) -> None:
        manifest = reference.manifest
        self._confident = manifest.thresholds.confident
        self._detector = Detector(reference, threads=1) if manifest.task == "detector" else None
        self._classifier = Classifier(reference, threads=1) if manifest.task == "classifier" else None
        self._embedder = Embedder(reference, threads=1) if manifest.task == "embedder" else None

    def __call__(self, name: str, frame: Frame) -> GoldenSample | None:
        if self._detector is not None:
            return self._boxes(name, self._detector.detect(frame))
        crop = Crop(_WHOLE, frame.pixels)
        if self._classifier is not None:
            return self._label(name, self._classifier, crop)
        assert self._embedder is not None
        return GoldenSample(file=name, vector=selftest.encode(self._embedder.embed([crop])[0].vector))

    def _boxes(self, name: str, found: Sequence[Detection]) -> GoldenSample | None:
        if any(one.category != "animal" or abs(one.confidence - self._confident) < HAIR for one in found):
            return None
        sure = [one for one in found if one.confidence >= self._confident]
        boxes = tuple(
            GoldenBox(
                category=one.category,
                confidence=round(one.confidence, 4),
                box=(round(one.box.x1, 5), round(one.box.y1, 5), round(one.box.x2, 5), round(one.box.y2, 5)),
            )
            for one in sure
        )
        return GoldenSample(file=name, boxes=boxes)

    def _label(self, name: str, classifier: Classifier, crop: Crop) -> GoldenSample | None:
        probabilities = classifier.probabilities(crop)
        second, best = np.sort(probabilities)[-2:]
        if best - second < SURE:
            return None
        label = (*classifier.taxonomy.labels, "")[int(probabilities.argmax())]
        return GoldenSample(file=name, label=label, probability=round(min(float(best), 1.0), 4))


def _all_agree(variants: Iterable[Bundle], sample: GoldenSample, frame: Frame) -> bool:
    return not any(
        selftest.replay_sample(bundle, bundle.manifest.variants[0], sample, frame).problem for bundle in variants
    )


def _too_many_empty(sample: GoldenSample, samples: Sequence[GoldenSample]) -> bool:
    return sample.boxes == () and sum(one.boxes == () for one in samples) >= _EMPTY


def _at_input_size(pixels: Pixels, bundle: Bundle) -> Pixels:
    spec, rule = bundle.manifest.input, bundle.manifest.preprocess
    longest = max(spec.width, spec.height)
    if rule.resize == "centre-crop":
        height, width = pixels.shape[:2]
        longest = round(max(longest, rule.short_side or 0) * max(height, width) / min(height, width))
    return small(pixels, longest)


def _jpeg(pixels: Pixels) -> bytes:
    data = b""
    for quality in _QUALITIES:
        stream = io.BytesIO()
        Image.fromarray(pixels).save(stream, "JPEG", quality=quality)
        data = stream.getvalue()
        if len(data) <= BYTES:
            break
    return data
