"""What a camera trap does to a picture: infrared, night, blur, noise, compression, a caption. Labels stay."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_runtime.errors import CamtrapEdgeError
from edge_runtime.values import Pixels
from export_tools.default_models.detector.photos import Scene

INFRARED = 0.4

Picture = NDArray[np.float32]
"""[H, W, 3] or, for what is multiplied with one, [H, W, 1]; 0..1."""


def camera_look(scene: Scene, random: np.random.Generator) -> Scene:
    """The scene as some camera trap might have taken it."""
    picture: Picture = scene.pixels.astype(np.float32) / np.float32(255)
    infrared = random.random() < INFRARED
    picture = _grey(picture, random) if infrared else _coloured(picture, random)
    if random.random() < (0.7 if infrared else 0.2):
        picture *= _vignette(picture.shape[:2], random)
    if random.random() < 0.35:
        picture = _blurred(picture, random)
    if random.random() < (0.7 if infrared else 0.35):
        noise = random.normal(0, random.uniform(0.005, 0.05), picture.shape[:2]).astype(np.float32)
        picture = picture + noise[..., None]
    pixels = np.clip(picture * 255, 0, 255).astype(np.uint8)
    if random.random() < 0.3:
        pixels = _compressed(pixels, int(random.integers(25, 80)))
    if random.random() < 0.3:
        _caption(pixels, random)
    return Scene(pixels, scene.boxes, scene.classes, scene.ignored)


def _grey(picture: Picture, random: np.random.Generator) -> Picture:
    weights = random.dirichlet((2.0, 3.0, 2.0)).astype(np.float32)
    grey = (picture @ weights) ** random.uniform(0.6, 1.7) * random.uniform(0.5, 1.2)
    tint = 1 + random.normal(0, 0.01, 3) if random.random() < 0.7 else 1 + random.normal(0, 0.06, 3)
    return grey[..., None] * tint.astype(np.float32)


def _coloured(picture: Picture, random: np.random.Generator) -> Picture:
    mean = picture.mean(axis=2, keepdims=True)
    picture = mean + (picture - mean) * random.uniform(0.3, 1.3)
    gain = random.uniform(0.6, 1.3) * (1 + random.normal(0, 0.05, 3))
    picture = np.clip(picture * gain.astype(np.float32), 0, 1) ** random.uniform(0.7, 1.4)
    middle = float(picture.mean())
    return middle + (picture - middle) * random.uniform(0.6, 1.25)


def _vignette(shape: tuple[int, int], random: np.random.Generator) -> Picture:
    """The cone of a flash: bright somewhere near the middle, dark towards the edge."""
    rows, columns = (np.linspace(-1, 1, side, dtype=np.float32) for side in shape)
    far = (rows[:, None] - random.uniform(-0.4, 0.4)) ** 2 + (columns - random.uniform(-0.4, 0.4)) ** 2
    return (1 - random.uniform(0.1, 0.6) * np.minimum(far, 1.6) / 1.6)[..., None].astype(np.float32)


def _blurred(picture: Picture, random: np.random.Generator) -> Picture:
    if random.random() < 0.6:
        return np.asarray(cv2.GaussianBlur(picture, (0, 0), random.uniform(0.4, 1.5)), np.float32)
    length = int(random.integers(3, 9))
    kernel = np.zeros((length, length), np.float32)
    kernel[length // 2] = 1 / length
    turn = cv2.getRotationMatrix2D((length / 2 - 0.5, length / 2 - 0.5), random.uniform(0, 180), 1)
    turned = np.asarray(cv2.warpAffine(kernel, turn, (length, length)), np.float32)
    turned /= max(float(turned.sum()), 1e-6)
    return np.asarray(cv2.filter2D(picture, -1, turned), np.float32)


def _compressed(pixels: Pixels, quality: int) -> Pixels:
    written, data = cv2.imencode(".jpg", pixels, [int(cv2.IMWRITE_JPEG_QUALITY), quality])
    pixels_again = cv2.imdecode(data, cv2.IMREAD_COLOR) if written else None
    if pixels_again is None:
        raise CamtrapEdgeError("OpenCV cannot write or read JPEG here")
    return pixels_again.astype(np.uint8, copy=False)


def _caption(pixels: Pixels, random: np.random.Generator) -> None:
    """The strip with date, temperature and make that most cameras print."""
    height, width = pixels.shape[:2]
    strip = int(height * random.uniform(0.03, 0.08))
    top = height - strip if random.random() < 0.75 else 0
    shade = int(random.choice((0, 255, 20)))
    if random.random() < 0.8:
        pixels[top : top + strip] = shade
    warmth, month, day, year = (random.integers(*ends) for ends in ((0, 40), (1, 13), (1, 29), (10, 26)))
    hour, minute, second, camera = (random.integers(*ends) for ends in ((0, 24), (0, 60), (0, 60), (1, 99)))
    text = f"{warmth}C {month:02d}/{day:02d}/20{year} {hour:02d}:{minute:02d}:{second:02d} CAM{camera}"
    at = (int(random.uniform(0, width * 0.4)), top + int(strip * 0.8))
    cv2.putText(pixels, text, at, cv2.FONT_HERSHEY_SIMPLEX, strip / 32, (255 - shade,) * 3, 1, cv2.LINE_AA)
