"""What is known of families of graphs, so that nobody has to type it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from edge_runtime.bundles.manifest import Preprocess, Task
from export_tools import import_layouts as layouts


@dataclass(frozen=True)
class Preset:
    """One family."""

    task: Task
    head: str
    layout: layouts.LayoutReader
    preprocess: Preprocess
    colour: Literal["rgb", "bgr"]
    description: str


PRESETS = {
    # Megvii's own export (release 0.1.1rc0): BGR, 0..255 as it is, resized to fit at the top left, padded with 114.
    "yolox": Preset(
        "detector",
        "yolox",
        layouts.first_output,
        Preprocess(resize="letterbox-corner", scale=1.0),
        "bgr",
        "YOLOX detector, imported",
    ),
    "decoded": Preset(
        "detector",
        "decoded",
        layouts.boxes_and_scores,
        Preprocess(resize="letterbox"),
        "rgb",
        "Detector that decodes its own boxes, imported",
    ),
    "ultralytics": Preset(
        "detector",
        "decoded",
        layouts.ultralytics,
        Preprocess(resize="letterbox"),
        "rgb",
        "Detector in the layout of YOLOv8 and later, imported",
    ),
    "yolov5": Preset(
        "detector",
        "decoded",
        layouts.yolov5,
        Preprocess(resize="letterbox"),
        "rgb",
        "Detector in the layout of YOLOv5 and MegaDetector v5, imported",
    ),
    # As the OpenVINO demo feeds it: BGR, 0..255 (mean and scale are inside), centred, padded with black.
    "nanodet": Preset(
        "detector",
        "decoded",
        layouts.nanodet,
        Preprocess(resize="letterbox", scale=1.0, pad=0),
        "bgr",
        "NanoDet detector, imported",
    ),
    "softmax": Preset(
        "classifier",
        "softmax",
        layouts.first_output,
        Preprocess(resize="stretch", mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225)),
        "rgb",
        "Classifier with ImageNet normalisation, imported",
    ),
}
