"""MegaDetector v5 a/b, the YOLOv5 models of MegaDetector v1000 (redwood, spruce), and any other YOLOv5 detector.

The file is a dict whose `model` (or `ema`) is a pickled network of the modules `models.*`, weights in half precision.
A score is objectness times class score: what MegaDetector calls a detection's confidence.
"""

from __future__ import annotations

from edge_runtime.bundles.manifest import Task
from export_tools.checkpoints.reading import Checkpoint
from export_tools.loaders import yolo_checkpoint
from export_tools.loaders.describing import NOT_STATED
from export_tools.loaders.yolo_checkpoint import Family
from export_tools.model import Model, Request

_LARGE_SIDE = 1280
_FAMILY = Family("yolov5", "megadetector", overlap=0.45, release="mdv5", long_side=640, licence=NOT_STATED)


class YoloV5Loader:
    """Networks whose head has anchors. Those with four strides were trained at 1280 pixels, the others at 640."""

    family = "yolov5"
    task: Task = "detector"
    tested_on = "real YOLOv5n weights against the original code; MegaDetector's layout with weights made here"

    def recognises(self, checkpoint: Checkpoint) -> bool:
        head = yolo_checkpoint.head_of(yolo_checkpoint.pickled_network(checkpoint))
        return head is not None and head.path.endswith("models.yolo.Detect") and "m" in head.children

    def load(self, checkpoint: Checkpoint, request: Request) -> Model:
        head = yolo_checkpoint.head_of(yolo_checkpoint.pickled_network(checkpoint))
        large = head is not None and head.attributes.get("nl") == 4
        return yolo_checkpoint.model(checkpoint, request, _FAMILY, long_side=_LARGE_SIDE if large else None)
