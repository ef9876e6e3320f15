"""The bursts: as cameras took them, and made of single photos and of the sample card's scenes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np

from benchmarks.bars.prefilter.retouching import Picture, cover, disturb, encode, paint_over
from benchmarks.bars.prefilter.truth import boxed_photos, held_out, largest_area, read_boxes
from edge_runtime.tryout.cutouts import Subject
from edge_runtime.tryout.scenes import Place, Role, compose

SQUIRRELS = ("squirrels_seq/*frame102*", "squirrels_seq/*frame105*")
"""Frames of one fixed camera, half a second to a second apart, with a small animal in each."""
REAL = (
    *("serengeti_burst/*", "animl_peru_burst/*", "animl_video_frames/*cougar*", "animl_video_frames/*coyote*"),
    *SQUIRRELS,
)
"""Of one camera each; the photos' own times part them into bursts."""
SEED = 23


@dataclass(frozen=True)
class Shot:
    """One photo of a burst."""

    jpeg: bytes
    area: float | None
    """Of the largest boxed subject, as a fraction of the photo; 0 where it is empty, None where nobody has looked."""


def real_bursts(assets: Path) -> Iterator[list[Shot]]:
    """Bursts as cameras took them."""
    areas = {path: largest_area(boxes) for path, boxes in read_boxes(assets).items()}
    for pattern in REAL:
        files = sorted((assets / "photos").glob(pattern))
        if files:
            yield [Shot(file.read_bytes(), areas.get(str(file.relative_to(assets)))) for file in files]
    for film in sorted((assets / "videos").rglob("*chimp.mp4")):
        yield [Shot(encode(frame, 90), None) for frame in _frames(film)]


def emptied_bursts(assets: Path) -> Iterator[list[Shot]]:
    """Bursts of three made of the frames of a fixed camera: empty, empty, and as it was."""
    boxes = read_boxes(assets)
    for pattern in SQUIRRELS:
        files = sorted((assets / "photos").glob(pattern))
        frames = [(np.asarray(cv2.imread(str(file)), np.uint8), boxes[str(file.relative_to(assets))]) for file in files]
        for (first, first_boxes), (second, second_boxes) in pairwise(frames):
            yield [
                Shot(encode(cover(first, first_boxes, frames), 92), 0.0),
                Shot(encode(cover(second, second_boxes, frames), 92), 0.0),
                Shot(encode(second, 92), largest_area(second_boxes)),
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
            burst.append(Shot(disturb(np.ascontiguousarray(pixels[..., ::-1]), chance), area))
        yield burst


def staged_bursts(assets: Path, count: int) -> Iterator[list[Shot]]:
    """Bursts of three made of single photos: empty, empty, and as it was."""
    chance = np.random.default_rng(SEED)
    for picture, boxes in [*boxed_photos(assets), *held_out(assets, count, seed=SEED)]:
        empty = paint_over(picture, boxes)
        yield [
            Shot(disturb(empty, chance), 0.0),
            Shot(disturb(empty, chance), 0.0),
            Shot(disturb(picture, chance), largest_area(boxes)),
        ]


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
