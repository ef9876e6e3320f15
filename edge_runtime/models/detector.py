"""The detector: a frame in, animals, people and vehicles out."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_runtime import engines
from edge_runtime.bundles.bundle import Bundle
from edge_runtime.errors import BundleError
from edge_runtime.laps import Lap, no_lap
from edge_runtime.models.heads import BOX_HEADS
from edge_runtime.models.preprocess import prepare, resized_to
from edge_runtime.values import CATEGORIES, Box, Detection, Frame

MAX_DETECTIONS = 300
"""As the `megadetector` package keeps at most."""
_MIN_SIDE = 1e-4


class Detector:
    """A detector bundle, loaded.

    Args:
        threads: CPU threads of one inference.
        streams: inferences at once.

    Raises:
        BundleError: the bundle's head is unknown, or no installed engine runs any of its variants.
        EngineError: the graph cannot be loaded.
    """

    def __init__(self, bundle: Bundle, *, threads: int, streams: int = 1) -> None:
        self.bundle = bundle
        manifest = bundle.manifest
        if manifest.output.head not in BOX_HEADS:
            raise BundleError(bundle.folder, f"unknown head '{manifest.output.head}'", hint=", ".join(BOX_HEADS))
        self._head = BOX_HEADS[manifest.output.head]
        self._graph = engines.open_graph(bundle, threads=threads, streams=streams)
        kinds = [label.kind for label in bundle.labels]
        self._columns = [np.array([i for i, kind in enumerate(kinds) if kind == name]) for name in CATEGORIES]

    def resized_to(self, width: int, height: int) -> tuple[int, int]:
        """Width and height, pixels, at which the detector looks at a photo of `width` x `height`."""
        return resized_to(width, height, self.bundle.manifest.input, self.bundle.manifest.preprocess)

    def detect(self, frame: Frame, lap: Lap = no_lap) -> tuple[Detection, ...]:
        """All detections at or above the bundle's `keep` threshold, most confident first, at most 300.

        Args:
            lap: called at the end of `prepare`, and as `Session.run` does.

        Raises:
            EngineError: the inference failed; the photo is *not* empty.
        """
        manifest = self.bundle.manifest
        tensor, placement = prepare(frame.pixels, manifest.input, manifest.preprocess)
        lap("prepare")
        outputs = self._graph.run(tensor, manifest.output.tensors, lap)
        try:
            found = self._head(outputs, width=manifest.input.width, height=manifest.input.height)
            scores = self._by_category(found.scores)
        except (ValueError, IndexError) as error:
            raise self._graph.error(f"unexpected output: {error}") from error
        if not (np.isfinite(scores).all() and np.isfinite(found.boxes).all()):
            raise self._graph.error("the output holds NaN or infinite values")
        category = scores.argmax(axis=1)
        best = scores[np.arange(len(scores)), category]
        likely = np.flatnonzero(best >= manifest.thresholds.keep)
        kept = suppress(found.boxes[likely], best[likely], category[likely], overlap=manifest.thresholds.overlap)
        order = likely[kept]
        boxes = placement.to_fractions(found.boxes[order])
        return tuple(
            Detection(CATEGORIES[category[index]], min(float(best[index]), 1.0), Box(*map(float, box)))
            for index, box in zip(order, boxes, strict=True)
            if box[2] - box[0] > _MIN_SIDE and box[3] - box[1] > _MIN_SIDE
        )

    def _by_category(self, scores: NDArray[np.float32]) -> NDArray[np.float32]:
        if scores.shape[1] != len(self.bundle.labels):
            raise ValueError(f"{scores.shape[1]} classes, but {len(self.bundle.labels)} labels")
        result = np.zeros((len(scores), len(CATEGORIES)), np.float32)
        for column, members in enumerate(self._columns):
            if len(members):
                result[:, column] = scores[:, members].max(axis=1)
        return result


def suppress(
    boxes: NDArray[np.float32], scores: NDArray[np.float32], category: NDArray[np.intp], *, overlap: float
) -> NDArray[np.intp]:
    """Greedy non-maximum suppression inside each category.

    Args:
        boxes: [N, 4] `xyxy`, any unit.
        scores: [N].
        category: [N] of small integers.
        overlap: a box whose IoU with a stronger one of its category is above this goes.

    Returns the indices that stay, strongest first, at most `MAX_DETECTIONS`.
    """
    if not len(boxes):
        return np.zeros(0, np.intp)
    xywh = np.concatenate([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]], axis=1).astype(np.float64)
    kept = cv2.dnn.NMSBoxesBatched(xywh.tolist(), scores.tolist(), category.tolist(), 0.0, overlap)
    indices = np.asarray(kept, np.intp).reshape(-1)
    return indices[np.argsort(-scores[indices], kind="stable")][:MAX_DETECTIONS]
