"""The thumbnails of a contact sheet, and how much can be recognised on them."""

from __future__ import annotations

import base64
import io
import re

import cv2
import numpy as np
from PIL import Image

from edge_runtime.reports import thumbnails
from edge_runtime.values import Box, Pixels


def pictures(page: str) -> list[Pixels]:
    """The page's thumbnails, decoded, in order."""
    found = re.findall(r'src="data:image/jpeg;base64,([^"]+)"', page)
    jpegs = [base64.b64decode(text) for text in found]
    assert not any(b"Exif" in jpeg or b"SECRET" in jpeg for jpeg in jpegs)
    return [np.asarray(Image.open(io.BytesIO(jpeg)).convert("RGB")) for jpeg in jpegs]


def detail(pixels: Pixels, box: Box) -> float:
    """Mean strength of what is finer than a few pixels, inside the box: of the Laplacian, gray levels."""
    height, width = pixels.shape[:2]
    part = pixels[round(box.y1 * height) : round(box.y2 * height), round(box.x1 * width) : round(box.x2 * width)]
    gray = cv2.cvtColor(np.ascontiguousarray(part), cv2.COLOR_RGB2GRAY).astype(np.float32)
    return float(np.abs(cv2.Laplacian(gray, cv2.CV_32F)).mean())


def shown_without_care(content: bytes) -> Pixels:
    """The photo's thumbnail with everybody in it."""
    pixels = np.asarray(Image.open(io.BytesIO(content)).convert("RGB"))
    return np.asarray(Image.open(io.BytesIO(thumbnails.encoded(pixels, (480, 320), ()))))
