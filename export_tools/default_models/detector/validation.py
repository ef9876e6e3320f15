"""How well the network does on held-back photos while it learns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from edge_runtime.models.detector import suppress
from export_tools.accuracy.average_precision import Found, Truth, average_precision
from export_tools.default_models.detector import scenes, staging
from export_tools.default_models.detector.camera_look import camera_look
from export_tools.default_models.detector.material import Material
from export_tools.default_models.detector.network import DetectorNetwork
from export_tools.default_models.detector.photos import Photo, Scene

KEEP, OVERLAP = 0.02, 0.5


@dataclass(frozen=True)
class Check:
    """A fixed list of scenes, all of one size, and the name of its column in the curves."""

    name: str
    made: Sequence[Scene]

    def run(self, network: DetectorNetwork) -> float:
        """AP50 over all classes."""
        return average_precision([found(network, scene) for scene in self.made], [truth(scene) for scene in self.made])


def held_back(photos: Sequence[Photo], *, width: int, height: int) -> Check:
    """The photos themselves, as the device would see them."""
    return Check("photos_ap50", [letterboxed(photo.scene, width, height) for photo in photos])


def staged(material: Material, count: int, *, width: int, height: int) -> Check:
    """Scenes staged from held-back photos and cutouts, as a camera trap might have taken them."""
    made = []
    for place in range(count):
        random = np.random.default_rng([7, place])
        made.append(camera_look(staging.staged(material, random, width=width, height=height), random))
    return Check("staged_ap50", made)


def letterboxed(scene: Scene, width: int, height: int) -> Scene:
    """Fit a scene into the input, centred, as `letterbox` of BUNDLE.md does."""
    rows, columns = scene.pixels.shape[:2]
    ratio = min(width / columns, height / rows)
    inner = int(columns * ratio), int(rows * ratio)
    left, top = (width - inner[0]) // 2, (height - inner[1]) // 2
    canvas = np.full((height, width, 3), scenes.PAD, np.uint8)
    canvas[top : top + inner[1], left : left + inner[0]] = cv2.resize(
        scene.pixels, inner, interpolation=cv2.INTER_LINEAR
    )
    offset = np.array([left, top, left, top], np.float32)
    return Scene(canvas, scene.boxes * ratio + offset, scene.classes, scene.ignored * ratio + offset)


@torch.no_grad()
def found(network: DetectorNetwork, scene: Scene) -> Found:
    """What the network finds in one scene; boxes in fractions."""
    pixels = torch.from_numpy(scene.pixels).permute(2, 0, 1)[None].float() / 127.5 - 1
    logits, boxes = network(pixels.contiguous(memory_format=torch.channels_last))
    scores = logits[0].sigmoid().numpy()
    category = scores.argmax(axis=1)
    best = scores.max(axis=1)
    likely = np.flatnonzero(best >= KEEP)
    all_boxes = boxes[0].numpy()
    kept = likely[suppress(all_boxes[likely], best[likely], category[likely], overlap=OVERLAP)]
    return Found(all_boxes[kept] / _size(scene), category[kept], best[kept])


def truth(scene: Scene) -> Truth:
    """A scene's labels; boxes in fractions."""
    return Truth(scene.boxes / _size(scene), scene.classes.astype(np.intp), scene.ignored / _size(scene))


def _size(scene: Scene) -> NDArray[np.float32]:
    height, width = scene.pixels.shape[:2]
    return np.array([width, height, width, height], np.float32)
