"""How well embeddings find another picture of the same animal: few photos, so few figures, all with their n."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edge_runtime.bundles.bundle import Bundle
from edge_runtime.models.crops import cut
from edge_runtime.models.embedder import Embedder
from edge_runtime.values import Box, Crop, Detection
from export_tools.accuracy import running
from export_tools.default_models import known_crops
from export_tools.default_models.proof import Share, neighbours, wilson

TURTLES = "photos/wildlife_tools"
JAGUARS = "photos/animl_jaguar"
_WHOLE = Detection("animal", 1.0, Box(0.0, 0.0, 1.0, 1.0))


@dataclass(frozen=True)
class Retrieval:
    """One set of pictures whose individuals are known."""

    title: str
    individuals: int
    rank1: Share
    """Of the pictures, those whose most alike other picture shows the same individual."""
    same: float
    other: float
    """Mean cosine of two pictures of the same and of different individuals."""


def report(bundle: Bundle, assets: Path) -> list[Retrieval]:
    """Retrieval within the individuals of the evaluation folder.

    Raises:
        BundleError, EngineError: the bundle cannot be used.
        PhotoError: a photo cannot be read.
    """
    embedder = Embedder(bundle, threads=2)
    rule = bundle.manifest.crop
    # `identity_a__image_1.JPG`: the photo is the head, so the whole of it is the crop.
    turtles = sorted((assets / TURTLES).glob("identity_*.JPG"))
    heads = [cut(running.read(photo), _WHOLE, rule) for photo in turtles]
    # `RL 10_20051003_1721.jpg`: place and minute; two cameras that fired at one minute show one animal from both sides.
    jaguars = [crop for crop in known_crops.evaluated(assets) if crop.name.startswith(JAGUARS)]
    flanks = [cut(running.read(crop.photo), Detection("animal", 1.0, crop.box), rule) for crop in jaguars]
    return [
        _retrieve(embedder, "sea turtle heads", heads, [photo.name.split("__")[0] for photo in turtles]),
        _retrieve(
            embedder,
            "jaguars, the two cameras of one minute",
            flanks,
            [crop.photo.stem.split("_", 1)[1] for crop in jaguars],
        ),
    ]


def _retrieve(embedder: Embedder, title: str, crops: Sequence[Crop], individuals: Sequence[str]) -> Retrieval:
    vectors = np.stack([found.vector for found in embedder.embed(crops)]).astype(np.float64)
    nearest = neighbours(vectors, [str(place) for place in range(len(crops))])
    names = np.array(individuals)
    alike, cosines = names[:, None] == names[None], vectors @ vectors.T
    pairs = ~np.eye(len(names), dtype=bool)
    return Retrieval(
        title=title,
        individuals=len(set(individuals)),
        rank1=wilson(int(np.count_nonzero(names[nearest] == names)), len(names)),
        same=round(float(cosines[alike & pairs].mean()), 3),
        other=round(float(cosines[~alike].mean()), 3),
    )
