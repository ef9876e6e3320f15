"""Crops of animals out of a folder of training photos: for calibration, and with known species for the proof.

The folder holds `manifest.jsonl`, one JSON object per photo: `file`, `source`, `path` (where the photo came from),
`group` (photos that belong together) and the boxes `boxes_xyxy` (`[class, x1, y1, x2, y2]`, fractions of the photo)
and `teacher_xyxy` (the same and a score), of which `boxes_xyxy` wins.
"""

from __future__ import annotations

import hashlib
import json
import random
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from edge_runtime.bundles.manifest import CropRule
from edge_runtime.models.crops import cut
from edge_runtime.values import Box, Detection, Pixels
from export_tools.accuracy import running

SEED = 20240
CALIBRATION = 256
"""About as many crops calibrate the quantization; the rest is held back."""
LEAST_SIDE = 48
"""Pixels: smaller boxes say nothing about a species."""
LEAST_TEACHER = 0.5

# What the sources are known to show, in the names of `imagenet_animals.csv`; an empty tuple is an animal that
# ImageNet does not have (`LACKING`). Several names: the source does not tell them apart.
BY_SOURCE: dict[str, tuple[str, ...]] = {
    "elephant": ("elephant",),
    "lion": ("lion",),
    "raccoon": (),
}
LACKING: dict[str, tuple[str, ...]] = {
    "crow": ("Aves", "Passeriformes", "Corvidae"),
    "deer": ("Mammalia", "Artiodactyla", "Cervidae"),
    "donkey": ("Mammalia", "Perissodactyla", "Equidae", "Equus"),
    "goat": ("Mammalia", "Artiodactyla", "Bovidae", "Capra"),
    "mouse": ("Mammalia", "Rodentia"),
    "raccoon": ("Mammalia", "Carnivora", "Procyonidae"),
}
"""Animals that ImageNet does not have: their lineage (`Label.lineage`), so that a group can be right for them."""
BY_FILE: dict[str, tuple[str, ...]] = {
    "butterfly": ("butterfly",),
    "cat": ("domestic cat",),
    "cow": ("cattle",),
    "crab": ("crab", "hermit crab"),
    "crow": (),
    "dog": ("domestic dog",),
    "donkey": (),
    "duck": ("duck", "merganser"),
    "fox": ("red fox", "kit fox", "arctic fox", "grey fox"),
    "goat": (),
    "hamster": ("hamster",),
    "horse": ("horse",),
    "leopard": ("leopard",),
    "lion": ("lion",),
    "mouse": (),
    "panda": ("giant panda", "red panda"),
    "pig": ("domestic pig", "wild boar"),
    "snake": (
        "snake",
        "boa constrictor",
        "python",
        "cobra",
        "green mamba",
        "sea snake",
        "horned viper",
        "rattlesnake",
    ),
    "turtle": ("sea turtle", "freshwater turtle", "box turtle"),
    "wolf": ("grey wolf", "red wolf"),
}
EVALUATION: dict[str, tuple[str, ...]] = {
    "bobcat": ("lynx",),
    "burrowing owl": ("owl",),
    "cougar": ("cougar",),
    "coyote": ("coyote",),
    "deer": (),
    "fox": ("red fox", "kit fox", "arctic fox", "grey fox"),
    "jaguar": ("jaguar",),
    "rabbit": ("rabbit", "hare"),
    "squirrel": ("squirrel",),
    "wolf": ("grey wolf", "red wolf"),
}


@dataclass(frozen=True)
class KnownCrop:
    """One animal in one photo."""

    photo: Path
    name: str
    """Photo and box, the same on every machine."""
    group: str
    origin: str
    """The source, or the part of it, whose photos show one kind of animal."""
    box: Box
    kind: str
    """What the source calls it."""
    species: tuple[str, ...] | None
    """Names that are right; empty where ImageNet lacks the animal; None where nobody knows what it is."""
    side: int
    """Pixels of the box' shorter side, in the photo."""
    infrared: bool = False
    """The photo is grey."""

    def pixels(self, rule: CropRule) -> Pixels:
        """Decode the photo and cut the crop."""
        return cut(running.read(self.photo), Detection("animal", 1.0, self.box), rule).pixels


def listed(training: Path) -> list[KnownCrop]:
    """The largest animal of each photo of the folder, in the manifest's order; small ones are left out."""
    crops = []
    for line in (training / "manifest.jsonl").read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        boxes = [b[1:5] for b in row["boxes_xyxy"] if b[0] == "animal"]
        boxes = boxes or [b[1:5] for b in row["teacher_xyxy"] if b[0] == "animal" and b[5] >= LEAST_TEACHER]
        large = [Box(*box) for box in boxes if _side(Box(*box), row) >= LEAST_SIDE]
        if large:
            box = max(large, key=lambda box: box.area)
            name = f"{row['file']}:{box.x1},{box.y1},{box.x2},{box.y2}"
            origin, kind, species = _origin(row)
            side = _side(box, row)
            crops.append(KnownCrop(training / row["file"], name, row["group"], origin, box, kind, species, side))
    return crops


def evaluated(assets: Path) -> list[KnownCrop]:
    """Every animal box of an evaluation folder: `truth/manifest.json`, a list of photos with `path`, `species` and
    `boxes` (`class`, `xywh_norm`: fractions of the photo)."""
    crops = []
    for row in json.loads((assets / "truth" / "manifest.json").read_text(encoding="utf-8")):
        for entry in row.get("boxes", []):
            x, y, width, height = entry["xywh_norm"]
            if entry["class"] == "animal" and width > 0 and height > 0:
                box = Box(max(0.0, x), max(0.0, y), min(1.0, x + width), min(1.0, y + height))
                kind = row.get("species") or ""
                name = f"{row['path']}:{x},{y},{width},{height}"
                photo, grey = assets / row["path"], bool(row["grey"])
                right = EVALUATION.get(kind)
                crops.append(KnownCrop(photo, name, row["path"], kind, box, kind, right, _side(box, row), grey))
    return crops


def sources(training: Path) -> list[dict[str, Any]]:
    """Where the photos of the listed crops come from: `source`, `repository`, `licence`, `photos`."""
    rows = [json.loads(line) for line in (training / "manifest.jsonl").read_text(encoding="utf-8").splitlines()]
    used = {crop.photo.relative_to(training).as_posix() for crop in listed(training)}
    keys = ("source", "repository", "licence")
    counted = Counter(tuple(row.get(key, "") for key in keys) for row in rows if row["file"] in used)
    return [{**dict(zip(keys, key, strict=True)), "photos": number} for key, number in counted.most_common()]


def capped(crops: Sequence[KnownCrop], per_origin: int) -> list[int]:
    """Places of at most `per_origin` crops of each origin, so that a large source does not speak for all; crops of
    unknown species are left out."""
    seen: Counter[str] = Counter()
    places = []
    for place, crop in enumerate(crops):
        seen[crop.origin] += 1
        if crop.species is not None and seen[crop.origin] <= per_origin:
            places.append(place)
    return places


def split(crops: Sequence[KnownCrop], calibration: int = CALIBRATION) -> tuple[list[KnownCrop], list[KnownCrop]]:
    """Shuffle by `SEED` and part into about `calibration` crops and the rest; a group is never on both sides."""
    groups = sorted({crop.group for crop in crops})
    random.Random(SEED).shuffle(groups)
    order = {group: place for place, group in enumerate(groups)}
    ranked = sorted(crops, key=lambda crop: (order[crop.group], crop.name))
    taken = {crop.group for crop in ranked[:calibration]}
    return [c for c in ranked if c.group in taken], [c for c in ranked if c.group not in taken]


def fingerprint(crops: Sequence[KnownCrop]) -> str:
    """SHA-256 over the names of the crops, 64 hex digits."""
    return hashlib.sha256("\n".join(crop.name for crop in crops).encode()).hexdigest()


def infrared_look(pixels: Pixels, seed: int) -> Pixels:
    """The picture as an infrared flash would show it: grey, other gamma, darker towards the edge, some noise."""
    random_state = np.random.default_rng(seed)
    grey = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY).astype(np.float32) / 255
    grey **= random_state.uniform(0.7, 1.6)
    rows, columns = np.ogrid[-1 : 1 : grey.shape[0] * 1j, -1 : 1 : grey.shape[1] * 1j]
    grey *= 1 - random_state.uniform(0, 0.35) * np.minimum(rows**2 + columns**2, 2) / 2
    grey += random_state.normal(0, 0.02, grey.shape)
    flat = np.clip(grey * 255, 0, 255).astype(np.uint8)
    return np.repeat(flat[..., None], 3, axis=2)


def _side(box: Box, row: Mapping[str, Any]) -> int:
    return int(min((box.x2 - box.x1) * row["width"], (box.y2 - box.y1) * row["height"]))


def _origin(row: Mapping[str, Any]) -> tuple[str, str, tuple[str, ...] | None]:
    """The origin of a photo, what it shows, and the names that are right."""
    source = row["source"]
    if source in BY_SOURCE:
        return source, source, BY_SOURCE[source]
    start = re.match(r"[a-z]+(?=_\d)", Path(row["path"]).name)
    if start and source == "animal20":
        return f"animal20 {start[0]}", start[0], BY_FILE.get(start[0])
    return source, "", None
