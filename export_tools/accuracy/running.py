"""Detectors over photos, by the runtime's own way of a photo."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import msgspec
import numpy as np

from edge_runtime.bundles.bundle import Bundle, sha256_of
from edge_runtime.bundles.manifest import Variant
from edge_runtime.errors import CamtrapEdgeError, UnreadablePhotoError
from edge_runtime.intake import decode
from edge_runtime.models.detector import Detector
from edge_runtime.values import CATEGORIES, Detection, Frame
from export_tools.accuracy.average_precision import Found
from export_tools.accuracy.photos import LabelledPhoto

KEEP = 0.001
"""Low enough that the curve's end does not matter."""
_MAX_PIXELS = 100_000_000


def keeping_all(bundle: Bundle) -> Bundle:
    """The same bundle with its `keep` threshold lowered to `KEEP`.

    What a higher threshold would keep is unchanged: suppression works from the surest box down.
    """
    thresholds = msgspec.structs.replace(bundle.manifest.thresholds, keep=KEEP)
    return dataclasses.replace(bundle, manifest=msgspec.structs.replace(bundle.manifest, thresholds=thresholds))


def with_graph(bundle: Bundle, graph: Path) -> Bundle:
    """The same bundle with the float ONNX graph in the file `graph` in place of its own.

    Raises:
        CamtrapEdgeError: there is no such file.
    """
    if not graph.is_file():
        raise CamtrapEdgeError(f"{graph}: no such graph")
    variant = Variant(
        name="float",
        engine="onnxruntime",
        precision="fp32",
        file=str(graph.resolve()),
        bytes=graph.stat().st_size,
        sha256=sha256_of(graph),
    )
    return dataclasses.replace(bundle, manifest=msgspec.structs.replace(bundle.manifest, variants=(variant,)))


def run(bundles: Mapping[str, Bundle], photos: Iterable[LabelledPhoto]) -> dict[str, list[Found]]:
    """What each detector finds on each photo, down to a score of `KEEP`; each photo is decoded once.

    Raises:
        CamtrapEdgeError: a photo or a graph cannot be used; names the file.
    """
    detectors = {name: Detector(keeping_all(bundle), threads=1) for name, bundle in bundles.items()}
    found: dict[str, list[Found]] = {name: [] for name in detectors}
    for photo in photos:
        frame = read(photo.file)
        for name, detector in detectors.items():
            found[name].append(as_found(detector.detect(frame)))
    return found


def read(photo: Path) -> Frame:
    """Decode a photo as the device does.

    Raises:
        UnreadablePhotoError: it cannot be read or decoded.
    """
    try:
        data = photo.read_bytes()
    except OSError as error:
        raise UnreadablePhotoError(photo, f"cannot be read ({error.strerror})") from error
    return decode.decode(data, decode.open_photo(data, photo, max_pixels=_MAX_PIXELS), photo)


def as_found(detections: Sequence[Detection]) -> Found:
    """Detections as arrays."""
    boxes = [(d.box.x1, d.box.y1, d.box.x2, d.box.y2) for d in detections]
    return Found(
        boxes=np.array(boxes, np.float32).reshape(-1, 4),
        classes=np.array([CATEGORIES.index(d.category) for d in detections], np.intp),
        scores=np.array([d.confidence for d in detections], np.float32),
    )
