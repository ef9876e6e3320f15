"""YOLOv9 as its authors' own training code saves it: MegaDetector v1000 cedar. Modules `models.*`, like YOLOv5's.

The auxiliary branch, which only training needs, is checked like the rest and left out.
"""

from __future__ import annotations

from edge_runtime.bundles.manifest import Task
from export_tools.checkpoints.reading import Checkpoint
from export_tools.loaders import yolo_checkpoint
from export_tools.loaders.describing import NOT_STATED
from export_tools.loaders.yolo_checkpoint import Family
from export_tools.model import Model, Request

_FAMILY = Family("yolov9", "megadetector", overlap=0.45, release="mdv6", long_side=640, licence=NOT_STATED)


class YoloV9Loader:
    """Networks of `models.*` whose head gives distances, with or without an auxiliary head."""

    family = "yolov9"
    task: Task = "detector"
    tested_on = "the layout as the paper and its key names have it, weights made here; no public file could be had"

    def recognises(self, checkpoint: Checkpoint) -> bool:
        head = yolo_checkpoint.head_of(yolo_checkpoint.pickled_network(checkpoint))
        return head is not None and ".models.yolo." in f".{head.path}" and "dfl" in head.children

    def load(self, checkpoint: Checkpoint, request: Request) -> Model:
        return yolo_checkpoint.model(checkpoint, request, _FAMILY)
