"""YOLOv5 checkpoints: real weights against the original code, and MegaDetector's layouts with weights made here."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from edge_runtime.intake import decode as decoding  # noqa: E402
from edge_runtime.models.detector import suppress  # noqa: E402
from edge_runtime.models.preprocess import prepare  # noqa: E402
from edge_runtime.values import Pixels  # noqa: E402
from export_tools.checkpoints.reading import Checkpoint, read  # noqa: E402
from export_tools.loaders.yolov5 import YoloV5Loader  # noqa: E402
from export_tools.model import Model, Request  # noqa: E402

SCRIPT = Path(__file__).with_name("original_yolov5.py")
PHOTOS = (
    "animl_buow/IMG_1160.JPG",
    "animl_jaguar/*.[Jj][Pp]*[Gg]",
    "animl_southwest/*.[Jj][Pp]*[Gg]",
    "serengeti_burst/*.[Jj][Pp]*[Gg]",
    "squirrels_seq/*.[Jj][Pp]*[Gg]",
    "animl_peru_burst/*.[Jj][Pp]*[Gg]",
    "generic/*.[Jj][Pp]*[Gg]",
)
"""Per pattern the first two that decode."""


@pytest.fixture(scope="module")
def real(assets: Path) -> Checkpoint:
    weights = assets / "weights" / "yolov5n" / "yolov5n.pt"
    if not weights.is_file():
        pytest.skip(f"no YOLOv5n weights: {weights} is missing")
    return read(weights)


@pytest.fixture(scope="module")
def photos(assets: Path) -> dict[str, Pixels]:
    found = {}
    for pattern in PHOTOS:
        files = [file for file in sorted((assets / "photos").glob(pattern)) if file.stat().st_size > 0]
        for file in files[:2]:
            data = file.read_bytes()
            image = decoding.open_photo(data, file, max_pixels=100_000_000)
            found[f"{file.parent.name}-{file.stem}".replace(".", "-")] = decoding.decode(data, image, file).pixels
    return found


@pytest.fixture(scope="module")
def original(real: Checkpoint, photos: dict[str, Pixels], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    python = os.environ.get("CAMTRAP_EDGE_YOLOV5_PYTHON")
    if not python:
        pytest.skip("no original code: name a python that has yolov5==7.0.14 with CAMTRAP_EDGE_YOLOV5_PYTHON")
    work = tmp_path_factory.mktemp("original")
    np.savez(work / "photos.npz", **photos)
    # The package looks for settings beside the working directory and writes them there.
    done = subprocess.run(
        [python, str(SCRIPT), str(real.path), "photos.npz", "answers.npz"],
        cwd=work,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return dict(np.load(work / "answers.npz"))


def load(checkpoint: Checkpoint, **asked: object) -> Model:
    return YoloV5Loader().load(checkpoint, Request(checkpoint.path, "detector", **asked))


def detect(model: Model, pixels: Pixels) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """The input tensor, boxes in pixels of the photo, confidences, classes: suppressed as the runtime does."""
    description = model.description
    tensor, placement = prepare(pixels, description.input, description.preprocess)
    with torch.no_grad():
        boxes, scores = (output[0].numpy() for output in model.network(torch.from_numpy(tensor)))
    classes, best = scores.argmax(1), scores.max(1)
    likely = np.flatnonzero(best > description.thresholds.keep)
    kept = likely[suppress(boxes[likely], best[likely], classes[likely], overlap=description.thresholds.overlap)]
    height, width = pixels.shape[:2]
    return tensor, placement.to_fractions(boxes[kept]) * [width, height, width, height], best[kept], classes[kept]


def test_real_weights_give_the_original_codes_boxes(
    real: Checkpoint, photos: dict[str, Pixels], original: dict[str, np.ndarray]
) -> None:
    models: dict[tuple[int, int], Model] = {}
    boxes = 0
    worst_box = worst_score = worst_raw = 0.0
    for name, pixels in photos.items():
        expected = original[f"{name}_boxes"]
        size = original[f"{name}_input"].shape[2], original[f"{name}_input"].shape[1]
        model = models.setdefault(size, load(real, size=size))
        tensor, found, confidences, classes = detect(model, pixels)
        assert np.array_equal(np.rint(tensor[0] * 255), original[f"{name}_input"])
        with torch.no_grad():
            all_boxes, all_scores = (output[0].numpy() for output in model.network(torch.from_numpy(tensor)))
        raw = original[f"{name}_raw"]
        half = raw[:, 2:4] / 2
        corners = np.concatenate([raw[:, :2] - half, raw[:, :2] + half], 1)
        assert np.abs(corners - all_boxes).max() < 0.05
        worst_raw = max(worst_raw, float(np.abs(raw[:, 4:5] * raw[:, 5:] - all_scores).max()))
        assert len(found) == len(expected)
        for *box, confidence, label in expected:
            same = np.flatnonzero(classes == label)
            away = np.abs(found[same] - box).max(1) if len(same) else np.array([np.inf])
            nearest = int(away.argmin())
            worst_box = max(worst_box, float(away[nearest]))
            worst_score = max(worst_score, abs(float(confidences[same[nearest]]) - confidence))
            boxes += 1
    print(f"{boxes} boxes: {worst_box:.4f} px, {worst_score:.6f} confidence, raw scores {worst_raw:.2e}")
    assert boxes >= 30 and worst_box < 1 and worst_score < 0.01 and worst_raw < 1e-4
