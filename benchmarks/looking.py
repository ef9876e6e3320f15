"""One model looks at a photo, from its bytes to its answer, and tells the time of each stage."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from benchmarks.document.schema import Stage
from edge_runtime.bundles.bundle import Bundle
from edge_runtime.intake import decode, exif, identity
from edge_runtime.laps import Lap, no_lap
from edge_runtime.laps import Stage as RuntimeStage
from edge_runtime.models.classifier import Classifier
from edge_runtime.models.detector import Detector
from edge_runtime.models.embedder import Embedder
from edge_runtime.models.preprocess import resized_to
from edge_runtime.values import Box, Crop, Detection, Embedding, FileStamp, Frame, Species

MAX_PIXELS = 200_000_000
Answer = tuple[Detection, ...] | Species | Embedding | None
_NAMES: dict[RuntimeStage, Stage] = {
    "read": "read",
    "decode": "decode",
    "prepare": "preprocess",
    "h2d": "h2d",
    "infer": "infer",
    "d2h": "d2h",
    "boxes": "postprocess",
}
_WHOLE_FRAME = Box(0.0, 0.0, 1.0, 1.0)


class Split:
    """Nanoseconds of each stage of one look, by one thread; a `Lap`."""

    def __init__(self) -> None:
        self.ns: dict[Stage, int] = {}
        self.start_ns = self._since = time.monotonic_ns()

    def __call__(self, stage: RuntimeStage) -> None:
        now = time.monotonic_ns()
        name = _NAMES[stage]
        self.ns[name] = self.ns.get(name, 0) + now - self._since
        self._since = now

    @property
    def whole_ns(self) -> int:
        """From the start to the last lap."""
        return self._since - self.start_ns


@dataclass(frozen=True, slots=True)
class Looker:
    """A loaded model, for any number of threads.

    A classifier and an embedder are given the whole photo as their crop.
    """

    bundle: Bundle
    model: Detector | Classifier | Embedder
    answer: Callable[[Frame, Lap], Answer]

    def look(self, stamp: FileStamp, lap: Lap = no_lap) -> Answer:
        """Look at one photo, decoded to as many pixels as the model sees.

        Raises:
            PhotoError, CardGoneError, EngineError: it cannot be read or inferred.
        """
        data = identity.read(stamp)
        lap("read")
        path, manifest = stamp.full_path, self.bundle.manifest
        with decode.open_photo(data, path, max_pixels=MAX_PIXELS) as image:
            width, height = image.size[::-1] if exif.orientation(image) >= 5 else image.size
            enough = resized_to(width, height, manifest.input, manifest.preprocess)
            frame = decode.decode(data, image, path, at_least=enough)
        lap("decode")
        answer = self.answer(frame, lap)
        lap("boxes")
        return answer


def load(bundle: Bundle, *, threads: int, streams: int) -> Looker:
    """Load a bundle of any task.

    Raises:
        BundleError, EngineError: it cannot be used; says why.
    """
    task = bundle.manifest.task
    if task == "detector":
        detector = Detector(bundle, threads=threads, streams=streams)
        return Looker(bundle, detector, detector.detect)
    if task == "classifier":
        classifier = Classifier(bundle, threads=threads, streams=streams)
        return Looker(bundle, classifier, lambda frame, lap: classifier.answer(_crop(frame), lap)[0])
    embedder = Embedder(bundle, threads=threads, streams=streams)
    return Looker(bundle, embedder, lambda frame, lap: embedder.embed_one(_crop(frame), lap))


def _crop(frame: Frame) -> Crop:
    return Crop(Detection("animal", 1.0, _WHOLE_FRAME), frame.pixels)
