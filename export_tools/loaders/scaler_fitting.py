"""Fitting the active-learning project's scaler: the range of each feature over the training images."""

from __future__ import annotations

import hashlib
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tqdm import tqdm

from edge_runtime.errors import CamtrapEdgeError, UnreadablePhotoError
from edge_runtime.models.preprocess import prepare
from export_tools.accuracy import running
from export_tools.bundle_writer import Description

if TYPE_CHECKING:
    from torch import Tensor, nn

log = logging.getLogger(__name__)

SUFFIXES = frozenset((".jpg", ".jpeg", ".png", ".tif", ".tiff", ".bmp", ".webp"))
LEAST = 2
"""Images: one has no range."""


@dataclass(frozen=True, eq=False)
class Fitted:
    """The range of each feature, [dimensions]."""

    least: Tensor
    most: Tensor
    images: int
    sha256: str
    """Over the files' own hashes, in order of their names."""


def fit(embedding: nn.Module, folder: Path, description: Description) -> Fitted:
    """Embed every image below `folder`, one at a time, decoded and prepared as the device does it.

    Files that cannot be read are left out, and the log names them.

    Raises:
        CamtrapEdgeError: there are fewer than two images that can be read.
    """
    import torch

    files = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES and path.is_file())
    digest, used = hashlib.sha256(), 0
    least = most = None
    for file in tqdm(files, desc="fitting the scaler", unit="image", disable=None):
        try:
            pixels = running.read(file).pixels
        except UnreadablePhotoError as error:
            log.warning("left out: %s", error)
            continue
        tensor, _ = prepare(pixels, description.input, description.preprocess)
        with torch.inference_mode():
            features = embedding(torch.from_numpy(tensor))[0]
        least = features if least is None else torch.minimum(least, features)
        most = features if most is None else torch.maximum(most, features)
        digest.update(hashlib.sha256(file.read_bytes()).digest())
        used += 1
    if least is None or most is None or used < LEAST:
        raise CamtrapEdgeError(
            f"{folder}: {used} of its {len(files)} images can be read, the scaler needs at least {LEAST}; name the "
            "folder that the classifier was trained on"
        )
    # Tensors made in inference mode cannot become part of a network.
    return Fitted(least.clone(), most.clone(), used, digest.hexdigest())
