"""Do two programs find the same? Boxes matched one to one, photo by photo."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

IOU = 0.99
CONFIDENCE = 0.01


@dataclass(frozen=True)
class Found:
    """One detection."""

    category: int
    """0 animal, 1 person, 2 vehicle."""
    confidence: float
    box: tuple[float, float, float, float]
    """`xyxy`, fractions of the photo."""


Findings = Mapping[str, Sequence[Found]]
"""Of each photo, by its file name."""


@dataclass(frozen=True)
class Agreement:
    """What two programs find in the same photos."""

    ours: int
    theirs: int
    same: int
    """Pairs of one category with IoU >= .99 and confidences within .01."""
    counted: int
    """`same`, and every other box on either side (a pair that is not the same counts once), but for those that only
    one side has and that are within .01 of the threshold."""
    lowest_iou: float | None
    """Of the pairs with IoU >= .5."""
    largest_difference: float | None
    """Of the confidences of those pairs."""

    @property
    def share(self) -> float | None:
        return self.same / self.counted if self.counted else None


def compare(ours: Findings, theirs: Findings, *, threshold: float) -> Agreement:
    """Compare two programs' findings at or above `threshold`.

    Raises:
        ValueError: they have not read the same photos.
    """
    if set(ours) != set(theirs):
        raise ValueError(f"{len(set(ours) ^ set(theirs))} photos were read by one side only")
    same = pairs = lone = 0
    overlaps, differences = [], []
    for file, mine in ours.items():
        left = list(theirs[file])
        for one in sorted(mine, key=lambda found: -found.confidence):
            other = max(left, key=lambda found, one=one: _likeness(one, found), default=None)
            iou = overlap(one.box, other.box) if other and other.category == one.category else 0.0
            if other is None or iou < 0.5:
                lone += one.confidence >= threshold + CONFIDENCE
                continue
            left.remove(other)
            difference = abs(one.confidence - other.confidence)
            overlaps.append(iou)
            differences.append(difference)
            pairs += 1
            same += iou >= IOU and difference <= CONFIDENCE
        lone += sum(found.confidence >= threshold + CONFIDENCE for found in left)
    counts = (sum(map(len, side.values())) for side in (ours, theirs))
    return Agreement(*counts, same, pairs + lone, min(overlaps, default=None), max(differences, default=None))


def overlap(one: Sequence[float], other: Sequence[float]) -> float:
    """Intersection over union of two `xyxy` boxes."""
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    common = max(width, 0.0) * max(height, 0.0)
    areas = sum((box[2] - box[0]) * (box[3] - box[1]) for box in (one, other))
    return common / (areas - common) if common > 0 else 0.0


def read_megadetector(results: Path, *, threshold: float) -> Findings:
    """Read a MegaDetector results file; its categories "1", "2", "3" are animal, person, vehicle.

    Raises:
        ValueError: a photo in it has failed.
    """
    findings = {}
    for image in json.loads(results.read_text())["images"]:
        if image.get("failure"):
            raise ValueError(f"{image['file']}: {image['failure']}")
        rows = [(int(one["category"]) - 1, one["conf"], one["bbox"]) for one in image["detections"]]
        findings[Path(image["file"]).name] = [
            Found(category, conf, (x, y, x + width, y + height))
            for category, conf, (x, y, width, height) in rows
            if conf >= threshold
        ]
    return findings


def read_plain(results: Path, categories: Sequence[int | None], *, threshold: float) -> Findings:
    """Read what `with_sparrow.py` and `with_torch.py` write.

    Args:
        categories: of each class of the graph, None where it is none of ours.
    """
    findings = {}
    for image in json.loads(results.read_text()):
        rows = [(categories[one["class"]], one["conf"], tuple(one["xyxy"])) for one in image["detections"]]
        findings[image["file"]] = [Found(*row) for row in rows if row[0] is not None and row[1] >= threshold]
    return findings


def _likeness(one: Found, other: Found) -> float:
    return overlap(one.box, other.box) - 2 * (one.category != other.category)
