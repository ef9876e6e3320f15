"""Whether detector and classifier answer as well from the pixels that they look at as from all of a photo.

    python -m benchmarks.bars.decoding --assets DIR [--detector BUNDLE ...] [--json]

Average precision on the labelled evaluation photos both ways, with the paired 95 % interval of its difference
(bootstrap over sequences); what is right and false at the bundle's threshold; how far boxes and confidences move; how
many animals the default classifier names alike. DIR holds `photos/` and `truth/`, which judge only: nothing is tuned
by them.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from edge_runtime.bundles.bundle import Bundle
from edge_runtime.intake import decode, exif
from edge_runtime.models import crops
from edge_runtime.models.classifier import Classifier
from edge_runtime.models.detector import Detector
from edge_runtime.models.loading import DEFAULT_CLASSIFIER, load_classifier, load_detector
from edge_runtime.settings import Decode
from edge_runtime.values import Detection, Frame
from export_tools.accuracy import intervals, photos
from export_tools.accuracy.average_precision import (
    AtThreshold,
    Found,
    Truth,
    area_under,
    at_threshold,
    match_all,
    ranking,
)
from export_tools.accuracy.photos import LabelledPhoto
from export_tools.accuracy.running import as_found, keeping_all
from export_tools.columns import aligned
from export_tools.proof import changes
from export_tools.proof.objects import objects

MAX_PIXELS = 200_000_000
MODES: tuple[Decode, ...] = ("full", "reduced")


@dataclass(frozen=True)
class Mode:
    """What one way gives against the truth."""

    ap50: float
    recall: float
    right: int
    false: int
    """The last three at the bundle's threshold."""


@dataclass(frozen=True)
class Judged:
    """One detector, both ways."""

    detector: str
    photos: int
    reduced_photos: int
    """Of these, photos that were decoded smaller than they are."""
    truths: int
    full: Mode
    reduced: Mode
    ap50_difference: intervals.Estimate
    """reduced - full."""
    boxes: int
    """At the bundle's threshold, of `full`; what follows is said of `reduced`."""
    missed: int
    extra: int
    iou_median: float
    iou_least: float
    confidence_change_mean: float
    """Over the objects of the truth that both find at any confidence."""
    animals: int
    """Boxes of `full` that the classifier was shown."""
    named_alike: int
    named_alike_at_the_detectors_scale: int
    """Had no photo been decoded once more for its crops."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the comparison and print it."""
    parser = argparse.ArgumentParser(prog="benchmarks.bars.decoding", description=__doc__.split("\n")[0])
    parser.add_argument("--assets", type=Path, required=True, metavar="DIR")
    parser.add_argument("--detector", action="append", metavar="BUNDLE", help="repeatable; the package's own if none")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args(argv)
    labelled = photos.evaluation(arguments.assets).labelled
    classifier = load_classifier(str(DEFAULT_CLASSIFIER), threads=1)
    if classifier is None:
        raise SystemExit("the package's classifier is missing")
    bundles = [load_detector(name, threads=1).bundle for name in arguments.detector or ("default",)]
    judged = [judge(bundle, classifier, labelled) for bundle in bundles]
    print(json.dumps([asdict(one) for one in judged]) if arguments.json else "\n\n".join(map(table, judged)))
    return 0


def judge(bundle: Bundle, classifier: Classifier, labelled: Sequence[LabelledPhoto]) -> Judged:
    """Run one detector over the photos, both ways."""
    detector = Detector(keeping_all(bundle), threads=1)
    confident = bundle.manifest.thresholds.confident
    found: dict[Decode, list[tuple[Detection, ...]]] = {mode: [] for mode in MODES}
    names: list[tuple[str, str, str]] = []
    reduced_photos = 0
    for photo in tqdm(labelled, desc=bundle.title, unit="photo", disable=not sys.stderr.isatty()):
        full, reduced = (_frame(photo.file, detector, mode) for mode in MODES)
        found["full"].append(detector.detect(full))
        found["reduced"].append(detector.detect(reduced))
        reduced_photos += reduced.scale < full.scale
        names += _names(found["full"][-1], full, reduced, classifier, confident)
    before, after = ([as_found(one) for one in found[mode]] for mode in MODES)
    truths = [photo.truth for photo in labelled]
    ranked = [ranking(match_all(one, truths)) for one in (before, after)]
    drawn = intervals.draws([photo.sequence for photo in labelled])
    resampled = [np.array([area_under(one, weights=weights) for weights in drawn]) for one in ranked]
    ap = [area_under(one) for one in ranked]
    at = [at_threshold(one, confident) for one in ranked]
    moved = changes.between(before, after, confident)
    return Judged(
        detector=bundle.title,
        photos=len(labelled),
        reduced_photos=reduced_photos,
        truths=at[0].truths,
        full=_mode(ap[0], at[0]),
        reduced=_mode(ap[1], at[1]),
        ap50_difference=intervals.difference(ap[1], ap[0], resampled[1], resampled[0]),
        boxes=moved.before,
        missed=moved.missed,
        extra=moved.extra,
        iou_median=float(np.median(moved.overlaps)),
        iou_least=float(moved.overlaps.min()),
        confidence_change_mean=float(_confidence_changes(truths, before, after).mean()),
        animals=len(names),
        named_alike=sum(one == other for one, other, _ in names),
        named_alike_at_the_detectors_scale=sum(one == other for one, _, other in names),
    )


def table(judged: Judged) -> str:
    """The figures as text."""
    rows = [["", "AP50", "recall", "right", "false"]]
    for name, mode in (("full", judged.full), ("reduced", judged.reduced)):
        rows.append([name, f"{mode.ap50:.3f}", f"{mode.recall:.3f}", str(mode.right), str(mode.false)])
    difference = judged.ap50_difference
    return "\n".join(
        [
            f"{judged.detector}: {judged.photos} photos with {judged.truths} objects, "
            f"{judged.reduced_photos} photos decoded smaller",
            *aligned(rows),
            f"  AP50 reduced - full: {difference.value:+.3f} ({difference.low:+.3f} to {difference.high:+.3f})",
            f"  of {judged.boxes} boxes {judged.missed} missed, {judged.extra} more; IoU of the others median "
            f"{judged.iou_median:.3f}, least {judged.iou_least:.3f}; confidence {judged.confidence_change_mean:+.3f}",
            f"  {judged.named_alike} of {judged.animals} animals are named alike "
            f"({judged.named_alike_at_the_detectors_scale} without a second decoding)",
        ]
    )


def _frame(file: Path, detector: Detector, mode: Decode) -> Frame:
    data = file.read_bytes()
    with decode.open_photo(data, file, max_pixels=MAX_PIXELS) as image:
        width, height = image.size
        if exif.orientation(image) >= 5:
            width, height = height, width
        enough = detector.resized_to(width, height) if mode == "reduced" else None
        return decode.decode(data, image, file, at_least=enough)


def _names(
    detections: Sequence[Detection], full: Frame, reduced: Frame, classifier: Classifier, confident: float
) -> list[tuple[str, str, str]]:
    """What the animals are called: from all pixels, as the device does it, and from the detector's frame alone."""
    animals = [one for one in detections if one.category == "animal" and one.confidence >= confident]
    manifest = classifier.bundle.manifest
    shown = (
        crops.cut_all(full, animals, manifest),
        crops.cut_all(reduced, animals, manifest),
        [crops.cut(reduced, one, manifest.crop) for one in animals],
    )
    called = [[answer.name if answer else "" for answer in classifier.classify(each)] for each in shown]
    return list(zip(*called, strict=True))


def _confidence_changes(
    truths: Sequence[Truth], before: Sequence[Found], after: Sequence[Found]
) -> NDArray[np.float64]:
    both = objects(truths, before, after)
    seen = (both.before > 0) & (both.after > 0)
    return both.after[seen] - both.before[seen]


def _mode(ap50: float, at: AtThreshold) -> Mode:
    return Mode(ap50, at.recall, at.right, at.false)


if __name__ == "__main__":
    sys.exit(main())
