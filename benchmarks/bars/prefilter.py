"""What `prefilter: burst` passes over, what it loses and what it saves.

    python -m benchmarks.bars.prefilter [--assets DIR] [--detector BUNDLE] [--staged 300] [--composed 120] [--json]

**Real bursts**: photos that a camera took one after the other, and frames of a camera-trap film at one a second.
There are few real ones at hand, and fewer empty. **Emptied bursts**: where a camera's frames are boxed, each animal is
covered with what another frame shows there, which makes bursts of three: empty, empty, and as it was. All of it lives
as it did, grass, light and all. **Staged bursts**: the same of single photos, whose subjects are painted over from what
is around them; each is disturbed anew by noise, light, sway and JPEG. Their background does not live, so the share
passed over is too good, while what is lost by size is what they are for. **Composed bursts**: the sample card's scenes
with a small subject anywhere, in wind. With these the prefilter's limits were chosen, so they are no proof.

Each burst goes through the whole pipeline with the prefilter off and on, in turn. **Lost** is a photo in which the
detector finds something when it is shown it and which the prefilter passed over. No limit of the prefilter was chosen
with any of the real photos (edge_runtime/prefilter/glance.py says how).
"""

from __future__ import annotations

import argparse
import json
import math
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

import cv2
import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from edge_runtime.intake import scan
from edge_runtime.journal.journal import Journal
from edge_runtime.models import loading
from edge_runtime.models.detector import Detector
from edge_runtime.pipeline import Pipeline
from edge_runtime.rules import Rules
from edge_runtime.tryout.cutouts import Subject
from edge_runtime.tryout.scenes import Place, Role, compose

Picture = NDArray[np.uint8]
BoxXYXY = tuple[float, float, float, float]
"""In fractions of the picture."""

SIZES = ((0.0, 0.0025), (0.0025, 0.01), (0.01, 0.05), (0.05, 1.01))
"""Area of the largest subject, as a fraction of the photo."""
SQUIRRELS = ("squirrels_seq/*frame102*", "squirrels_seq/*frame105*")
"""Frames of one fixed camera, half a second to a second apart, with a small animal in each."""
REAL = (
    *("serengeti_burst/*", "animl_peru_burst/*", "animl_video_frames/*cougar*", "animl_video_frames/*coyote*"),
    *SQUIRRELS,
)
"""Of one camera each; the photos' own times part them into bursts."""
LONG_SIDE = 1600
"""Staged photos are no larger, pixels."""
FIRST_S = 1_750_000_000
SEED = 23


@dataclass(frozen=True)
class Shot:
    """One photo of a burst."""

    jpeg: bytes
    area: float | None
    """Of the largest boxed subject, as a fraction of the photo; 0 where it is empty, None where nobody has looked."""


@dataclass(frozen=True)
class Share:
    """`count` of `of`, with Wilson's 95 % interval."""

    count: int
    of: int
    low: float
    high: float

    def __str__(self) -> str:
        if not self.of:
            return "none to count"
        return f"{self.count} of {self.of} = {self.count / self.of:.1%} (95 %: {self.low:.1%} to {self.high:.1%})"


@dataclass(frozen=True)
class Result:
    """One kind of bursts."""

    bursts: int
    photos: int
    passed_over: Share
    """Of all photos."""
    passed_over_empty: Share
    """Of the photos in which the detector finds nothing that counts and nobody has boxed anything."""
    lost: Share
    """Of the photos in which the detector finds something that counts."""
    lost_by_area: dict[str, Share]
    """The same of those with a boxed subject, by its area."""
    boxed_passed_over: dict[str, Share]
    """Of all photos with a boxed subject, by its area, whether the detector finds it or not."""
    seconds_off: float
    seconds_on: float
    saved: float
    """Median over the rounds of 1 - on / off, each within its round."""


@dataclass(frozen=True)
class Seen:
    """What one run made of a photo."""

    found: bool
    passed_over: bool


def main(argv: Sequence[str] | None = None) -> int:
    """Run the measurement; always exit code 0: there is no limit to break, only a choice to make."""
    parser = argparse.ArgumentParser(prog="benchmarks.bars.prefilter", description=__doc__.split("\n")[0])
    assets = os.environ.get("CAMTRAP_EDGE_ASSETS", "../shared/assets")
    parser.add_argument("--assets", type=Path, default=Path(assets), metavar="DIR", help="photos, truth and films")
    parser.add_argument("--detector", default="default", metavar="BUNDLE")
    parser.add_argument(
        "--staged", type=int, default=300, metavar="N", help="photos to stage bursts with (default 300)"
    )
    parser.add_argument("--composed", type=int, default=120, metavar="N", help="bursts of the sample card's scenes")
    parser.add_argument("--rounds", type=int, default=3, metavar="N")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args(argv)
    if not (arguments.assets / "photos").is_dir():
        sys.exit(f"bench-prefilter: {arguments.assets}: no folder 'photos'; set --assets")
    detector = loading.load_detector(arguments.detector, threads=1, streams=2)
    kinds = {
        "real bursts": list(real_bursts(arguments.assets)),
        "emptied bursts": list(emptied_bursts(arguments.assets)),
        "composed bursts": list(composed_bursts(arguments.composed)),
        "staged bursts": list(staged_bursts(arguments.assets, arguments.staged)),
    }
    load = os.getloadavg()[0]
    results = {name: measure(bursts, detector, rounds=arguments.rounds) for name, bursts in kinds.items() if bursts}
    if arguments.json:
        print(json.dumps({"load_before": load, **{name: asdict(result) for name, result in results.items()}}))
    else:
        print(f"detector {detector.bundle.title}; load before: {load:.1f}")
        for name, result in results.items():
            print(table(name, result))
    return 0


def measure(bursts: Sequence[Sequence[Shot]], detector: Detector, *, rounds: int) -> Result:
    """Take the bursts through the pipeline with the prefilter off and on, in turn."""
    seconds: dict[str, list[float]] = {"off": [], "burst": []}
    seen: dict[str, dict[str, Seen]] = {}
    with tempfile.TemporaryDirectory(prefix="camtrap-edge-prefilter-") as name:
        card = Path(name) / "card"
        areas = _write(card, bursts)
        for _ in tqdm(range(rounds), unit="round", disable=not sys.stderr.isatty(), leave=False):
            for prefilter in ("off", "burst"):
                seen[prefilter], spent = _run(card, Path(name), detector, prefilter)
                seconds[prefilter].append(spent)
    off, on = seen["off"], seen["burst"]
    passed = {path for path, each in on.items() if each.passed_over}
    found = {path for path, each in off.items() if each.found}
    boxed = {path: area for path, area in areas.items() if area}
    return Result(
        bursts=len(bursts),
        photos=len(off),
        passed_over=share(passed, off),
        passed_over_empty=share(passed, off.keys() - found - boxed.keys()),
        lost=share(passed, found),
        lost_by_area=_by_area(passed, {path: area for path, area in boxed.items() if path in found}),
        boxed_passed_over=_by_area(passed, boxed),
        seconds_off=statistics.median(seconds["off"]),
        seconds_on=statistics.median(seconds["burst"]),
        saved=statistics.median(1 - b / a for a, b in zip(seconds["off"], seconds["burst"], strict=True)),
    )


def share(these: set[str], of: Iterable[str]) -> Share:
    """How many of `of` are in `these` (Wilson 1927)."""
    among = set(of)
    count, total, z = len(these & among), len(among), 1.96
    if not total:
        return Share(0, 0, 0.0, 1.0)
    rate, spread = count / total, z * z / total
    middle = (rate + spread / 2) / (1 + spread)
    half = z * math.sqrt(rate * (1 - rate) / total + spread / (4 * total)) / (1 + spread)
    return Share(count, total, max(0.0, middle - half), min(1.0, middle + half))


def real_bursts(assets: Path) -> Iterator[list[Shot]]:
    """Bursts as cameras took them."""
    areas = {path: _area(boxes) for path, boxes in _boxes(assets).items()}
    for pattern in REAL:
        files = sorted((assets / "photos").glob(pattern))
        if files:
            yield [Shot(file.read_bytes(), areas.get(str(file.relative_to(assets)))) for file in files]
    for film in sorted((assets / "videos").rglob("*chimp.mp4")):
        yield [Shot(_jpeg(frame, 90), None) for frame in _frames(film)]


def emptied_bursts(assets: Path) -> Iterator[list[Shot]]:
    """Bursts of three made of the frames of a fixed camera: empty, empty, and as it was."""
    boxes = _boxes(assets)
    for pattern in SQUIRRELS:
        files = sorted((assets / "photos").glob(pattern))
        frames = [(np.asarray(cv2.imread(str(file)), np.uint8), boxes[str(file.relative_to(assets))]) for file in files]
        for (first, first_boxes), (second, second_boxes) in pairwise(frames):
            yield [
                Shot(_jpeg(_covered(first, first_boxes, frames), 92), 0.0),
                Shot(_jpeg(_covered(second, second_boxes, frames), 92), 0.0),
                Shot(_jpeg(second, 92), _area(second_boxes)),
            ]


def composed_bursts(count: int) -> Iterator[list[Shot]]:
    """Bursts of three of the sample card's scenes: empty, empty, and with a small subject."""
    chance = np.random.default_rng(SEED)
    subjects: tuple[Subject, ...] = ("cat", "astronaut", "photographer")
    places: tuple[Place, ...] = ("meadow", "track")
    for number in range(count):
        place, night = places[number % 2], number // 2 % 2 == 1
        left, lift = int(chance.integers(0, 1100)), int(chance.integers(0, 400))
        scale, shade = float(np.exp(chance.uniform(np.log(0.06), np.log(0.5)))), float(chance.uniform(0.6, 1))
        role = Role(subjects[number % 3], left, scale, lift=lift, shade=shade)
        burst = []
        for cast in ((), (), (role,)):
            pixels, truth = compose(place, cast, shot=int(chance.integers(4)), night=night)
            area = truth[0][1].area if truth else 0.0
            burst.append(Shot(_disturbed(np.ascontiguousarray(pixels[..., ::-1]), chance), area))
        yield burst


def staged_bursts(assets: Path, count: int) -> Iterator[list[Shot]]:
    """Bursts of three made of single photos: empty, empty, and as it was."""
    chance = np.random.default_rng(SEED)
    for picture, boxes in [*_boxed_photos(assets), *_held_out(assets, count)]:
        empty = _emptied(picture, boxes)
        yield [
            Shot(_disturbed(empty, chance), 0.0),
            Shot(_disturbed(empty, chance), 0.0),
            Shot(_disturbed(picture, chance), _area(boxes)),
        ]


def table(name: str, result: Result) -> str:
    """What people read."""
    lines = [
        f"{name}: {result.photos} photos in {result.bursts} bursts",
        f"  passed over               {result.passed_over}",
        f"  of the empty ones         {result.passed_over_empty}",
        f"  lost of those found       {result.lost}",
    ]
    for title, by_area in (("lost", result.lost_by_area), ("passed over, boxed", result.boxed_passed_over)):
        lines += [f"  {title + ', ' + area:51} {each}" for area, each in by_area.items() if each.of]
    times = f"{result.seconds_off:.2f} s, {result.seconds_on:.2f} s with it: {result.saved:.0%} saved"
    lines.append(f"  time                      {times}")
    return "\n".join(lines)


def _by_area(passed: set[str], areas: dict[str, float]) -> dict[str, Share]:
    return {
        f"{low:.2%} to {min(high, 1):.2%} of the photo": share(
            passed, {path for path, area in areas.items() if low <= area < high}
        )
        for low, high in SIZES
    }


def _run(card: Path, work: Path, detector: Detector, prefilter: str) -> tuple[dict[str, Seen], float]:
    confident = detector.bundle.manifest.thresholds.confident
    rules = Rules(ZoneInfo("UTC"), (), 200_000_000, gap_s=60, confident=confident)
    with tempfile.TemporaryDirectory(dir=work) as folder:
        journal = Journal(Path(folder) / "journal.sqlite", device="bench")
        chosen = replace(rules, prefilter="burst") if prefilter == "burst" else rules
        pipeline = Pipeline(journal, detector, None, chosen, workers=3)
        photos = [(stamp, True) for stamp in scan.scan(card).photos]
        started = time.perf_counter()
        for _ in pipeline.take_all(photos):
            pass
        spent = time.perf_counter() - started
        seen = {
            str(result.path): Seen(not rules.empty(result.detections), result.passed_over)
            for result in journal.ledger.results()
            if result.failure is None
        }
        journal.close()
    return seen, spent


def _write(card: Path, bursts: Sequence[Sequence[Shot]]) -> dict[str, float | None]:
    """Each burst is a camera of its own; where a photo tells no time its file's does. Returns the areas by path."""
    areas = {}
    for number, burst in enumerate(bursts):
        for index, shot in enumerate(burst):
            file = card / f"CAM{number:04d}" / f"IMG_{index:04d}.JPG"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(shot.jpeg)
            os.utime(file, (FIRST_S + number * 1000 + index,) * 2)
            areas[str(file.relative_to(card))] = shot.area
    return areas


def _boxes(assets: Path) -> dict[str, list[BoxXYXY]]:
    """Of each photo in which somebody has boxed something, by its path in the assets."""
    boxes = {}
    for record in json.loads((assets / "truth" / "manifest.json").read_text()):
        if record.get("boxes"):
            sides = [box["xywh_norm"] for box in record["boxes"]]
            boxes[record["path"]] = [(x, y, x + w, y + h) for x, y, w, h in sides]
    return boxes


def _area(boxes: Sequence[BoxXYXY]) -> float:
    return max((x2 - x1) * (y2 - y1) for x1, y1, x2, y2 in boxes)


def _boxed_photos(assets: Path) -> Iterator[tuple[Picture, list[BoxXYXY]]]:
    for path, boxes in _boxes(assets).items():
        picture = cv2.imread(str(assets / path))
        if picture is not None:
            yield _smaller(np.asarray(picture, np.uint8)), boxes


def _held_out(assets: Path, count: int) -> Iterator[tuple[Picture, list[BoxXYXY]]]:
    """Photos that the package's detector was not trained with."""
    file = assets / "training" / "manifest.jsonl"
    lines = file.read_text().splitlines() if file.is_file() else []
    records = [each for each in map(json.loads, lines) if each["split"] != "train" and each["boxes_xyxy"]]
    chance = np.random.default_rng(SEED)
    for index in sorted(chance.permutation(len(records))[:count]):
        record = records[index]
        picture = cv2.imread(str(file.parent / record["file"]))
        if picture is not None:
            yield np.asarray(picture, np.uint8), [tuple(box[1:]) for box in record["boxes_xyxy"]]


def _smaller(picture: Picture) -> Picture:
    ratio = LONG_SIDE / max(picture.shape[:2])
    if ratio >= 1:
        return picture
    return np.asarray(cv2.resize(picture, None, fx=ratio, fy=ratio, interpolation=cv2.INTER_AREA), np.uint8)


def _emptied(picture: Picture, boxes: Sequence[BoxXYXY]) -> Picture:
    """The subjects painted over from what is around them (Telea 2004)."""
    height, width = picture.shape[:2]
    small = cv2.resize(picture, None, fx=0.25, fy=0.25, interpolation=cv2.INTER_AREA)
    hole = np.zeros(small.shape[:2], np.uint8)
    for x1, y1, x2, y2 in boxes:
        high, wide = hole.shape
        hole[int(y1 * high) : math.ceil(y2 * high) + 1, int(x1 * wide) : math.ceil(x2 * wide) + 1] = 255
    painted = cv2.resize(cv2.inpaint(small, hole, 3, cv2.INPAINT_TELEA), (width, height), interpolation=cv2.INTER_CUBIC)
    where = cv2.resize(hole, (width, height), interpolation=cv2.INTER_NEAREST)[..., np.newaxis] > 0
    return np.asarray(np.where(where, painted, picture), np.uint8)


def _covered(picture: Picture, boxes: Sequence[BoxXYXY], frames: Sequence[tuple[Picture, list[BoxXYXY]]]) -> Picture:
    """The subjects covered with what the first other frame shows there in which nothing is there."""
    covered = np.array(picture, np.uint8)
    height, width = picture.shape[:2]
    for x1, y1, x2, y2 in boxes:
        around = (max(0.0, x1 - 0.01), max(0.0, y1 - 0.01), min(1.0, x2 + 0.01), min(1.0, y2 + 0.01))
        other = next(frame for frame, others in frames if not any(_overlap(around, each) for each in others))
        rows = slice(int(around[1] * height), math.ceil(around[3] * height))
        columns = slice(int(around[0] * width), math.ceil(around[2] * width))
        covered[rows, columns] = other[rows, columns]
    return covered


def _overlap(one: BoxXYXY, other: BoxXYXY) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def _disturbed(picture: Picture, chance: np.random.Generator) -> bytes:
    """The same view a second later."""
    height, width = picture.shape[:2]
    sway = np.array([[1, 0, chance.uniform(-1, 1) * width / 320], [0, 1, chance.uniform(-1, 1) * width / 320]])
    moved = cv2.warpAffine(picture, sway, (width, height), borderMode=cv2.BORDER_REFLECT).astype(np.float32)
    noisy = moved * chance.uniform(0.95, 1.05) + chance.normal(0, 4, (height, width, 1))
    return _jpeg(np.clip(noisy, 0, 255).astype(np.uint8), 85)


def _jpeg(picture: Picture, quality: int) -> bytes:
    _, data = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return bytes(data)


def _frames(film: Path) -> Iterator[Picture]:
    """One frame a second."""
    reader = cv2.VideoCapture(str(film))
    step = max(1, round(reader.get(cv2.CAP_PROP_FPS)))
    index = 0
    while True:
        whole, frame = reader.read()
        if not whole:
            return
        if index % step == 0:
            yield np.asarray(frame, np.uint8)
        index += 1


if __name__ == "__main__":
    sys.exit(main())
