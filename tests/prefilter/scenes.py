"""Bursts of composed scenes: what a fixed camera would have taken, with noise, wind, light and a printed clock."""

from __future__ import annotations

import io

import cv2
import numpy as np
from PIL import Image

from edge_runtime.prefilter import glance
from edge_runtime.prefilter.glance import Glance
from edge_runtime.tryout.scenes import HEIGHT, STRIP, Place, Role, compose


def shoot(
    place: Place = "meadow",
    *cast: Role,
    night: bool = False,
    wind: int = 0,
    light: float = 1.0,
    sway: int = 0,
    clock: str = "06:00:00",
    seed: int = 1,
) -> Glance:
    """A glance at one photo; `sway` in pixels of the photo, 1280 wide."""
    pixels, _ = compose(place, cast, shot=wind, night=night)
    moved = np.array([[1, 0, sway], [0, 1, 0]], np.float32)
    noisy = cv2.warpAffine(
        pixels, moved, pixels.shape[1::-1], borderMode=cv2.BORDER_REFLECT
    ) * light + np.random.default_rng(seed).normal(0, 4, (*pixels.shape[:2], 1))
    shown = np.clip(noisy, 0, 255).astype(np.uint8)
    shown[HEIGHT - STRIP :] = 16
    cv2.putText(shown, clock, (290, HEIGHT - 13), cv2.FONT_HERSHEY_SIMPLEX, 0.9, (230, 230, 230), 2, cv2.LINE_AA)
    return seen(shown)


def seen(pixels: np.ndarray, quality: int = 85) -> Glance:
    """A glance at these pixels as a JPEG."""
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "JPEG", quality=quality)
    taken = glance.take(stream.getvalue(), Image.open(stream))
    assert taken is not None
    return taken
