"""Photos out of the ordinary through the command: each has a result, and a bomb is refused."""

from __future__ import annotations

import io
import json
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from edge_runtime import cli
from tests.colour_detector import COLOURS


def scene(width: int, height: int) -> np.ndarray:
    """Grey, with one red cell (an animal) at the top left: a quarter of the longer side."""
    pixels = np.full((height, width, 3), 120, np.uint8)
    side = max(width, height) // 4
    pixels[:side, :side] = COLOURS["animal"]
    return pixels


def jpeg(pixels: np.ndarray, **options: object) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "JPEG", quality=90, **options)
    return stream.getvalue()


def turned(orientation: int) -> bytes:
    """A photo whose pixels lie as the sensor had them; upright it is the scene."""
    back = {3: 2, 6: 1, 8: 3}[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    return jpeg(np.ascontiguousarray(np.rot90(scene(512, 384), back)), exif=exif)


def cmyk() -> bytes:
    stream = io.BytesIO()
    Image.fromarray(scene(512, 512)).convert("CMYK").save(stream, "JPEG", quality=95)
    return stream.getvalue()


def deep(extension: str) -> bytes:
    # 16 bits a channel: the low byte is noise that must not matter.
    pixels = scene(512, 512)[..., ::-1].astype(np.uint16) * 256 + 17
    return cv2.imencode(extension, pixels)[1].tobytes()


def bomb() -> bytes:
    """A PNG of some hundred bytes that unpacks to 50,000 x 50,000 pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 50_000, 50_000, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")
    )


WITH_ANIMAL: dict[str, Callable[[], bytes]] = {
    "cmyk.jpg": cmyk,
    "12_megapixels.jpg": lambda: jpeg(scene(4000, 3000)),
    "40_megapixels.jpg": lambda: jpeg(scene(7296, 5472)),
    "progressive.jpg": lambda: jpeg(scene(640, 480), progressive=True),
    "upside_down.jpg": lambda: turned(3),
    "portrait.jpg": lambda: turned(6),
    "portrait_other_way.jpg": lambda: turned(8),
    "sixteen_bits.png": lambda: deep(".png"),
    "sixteen_bits.tif": lambda: deep(".tif"),
}
EMPTY: dict[str, Callable[[], bytes]] = {
    "grey.jpg": lambda: jpeg(scene(512, 512)[..., 0]),
    "one_pixel.png": lambda: cv2.imencode(".png", np.full((1, 1, 3), 99, np.uint8))[1].tobytes(),
    "sixteen_bits_grey.png": lambda: cv2.imencode(".png", np.full((64, 64), 30_000, np.uint16))[1].tobytes(),
}


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory, colour_bundle: Path) -> dict[str, dict]:
    folder = tmp_path_factory.mktemp("odd")
    for name, make in {**WITH_ANIMAL, **EMPTY, "bomb.png": bomb}.items():
        (folder / name).write_bytes(make())
    output = folder.parent / "odd.json"
    models = ["--detector", str(colour_bundle), "--classifier", "none"]
    assert cli.main(["process", str(folder), "-o", str(output), *models]) == 0
    return {image["file"]: image for image in json.loads(output.read_text())["images"]}


@pytest.mark.parametrize("name", WITH_ANIMAL)
def test_the_animal_is_found_at_the_top_left(images: dict[str, dict], name: str) -> None:
    (found,) = images[name]["detections"]
    x, y, width, height = found["bbox"]
    assert found["category"] == "1" and x < 0.06 and y < 0.08, found
    longer = max(images[name]["width"], images[name]["height"])
    assert abs(width * images[name]["width"] / longer - 0.25) < 0.06
    assert abs(height * images[name]["height"] / longer - 0.25) < 0.06


@pytest.mark.parametrize("name", EMPTY)
def test_nothing_is_found_where_nothing_is(images: dict[str, dict], name: str) -> None:
    assert images[name]["detections"] == []


def test_a_bomb_is_refused_and_reported(images: dict[str, dict]) -> None:
    assert images["bomb.png"]["failure"] == "image access failure" and images["bomb.png"]["detections"] is None


def test_sizes_are_those_that_a_person_sees(images: dict[str, dict]) -> None:
    assert (images["portrait.jpg"]["width"], images["portrait.jpg"]["height"]) == (512, 384)
    assert (images["40_megapixels.jpg"]["width"], images["40_megapixels.jpg"]["height"]) == (7296, 5472)
