"""ultralytics checkpoints: MegaDetector v6 (YOLOv9, v10, RT-DETR), v1000 larch and sorrel (YOLO11), DeepFaune.

The file is a dict with a pickled network of `ultralytics.nn.*`, `train_args`, `version` and `license`. Nothing of that
package is imported: layers are rebuilt from what the pickle says of them, and connected by code of this project.

YOLOv10's one-to-one head, and that of YOLO26, gives each object one box: `thresholds.overlap` is then 1, so the
reader's suppression lets every box pass, and the head's own choice of the best 300 is the reader's limit of 300. So
it is for RT-DETR, which also stretches photos to its square instead of letterboxing them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from edge_runtime.bundles.manifest import Task
from export_tools.checkpoints.reading import Checkpoint
from export_tools.loaders import yolo_checkpoint
from export_tools.loaders.describing import NOT_STATED
from export_tools.loaders.yolo_checkpoint import Family
from export_tools.model import Model, Request

_FAMILY = Family("ultralytics", "ultralytics", overlap=0.7, release="mdv6", long_side=640, licence=NOT_STATED)


class UltralyticsLoader:
    """Detectors of `ultralytics.nn.tasks`.

    The input size is the one of the training (`train_args.imgsz`). MegaDetector v6's compact files say 640 there, but
    Pytorch-Wildlife runs them at 1280: `--size 1280x1280` does the same.
    """

    family = "ultralytics"
    task: Task = "detector"
    tested_on = (
        "YOLOv8, v9, v10, 11, 26 and RT-DETR of the original code, weights made here; no public file was at hand"
    )

    def recognises(self, checkpoint: Checkpoint) -> bool:
        network = yolo_checkpoint.pickled_network(checkpoint)
        return network is not None and network.path.startswith(("ultralytics.nn.", "ultralytics.models."))

    def load(self, checkpoint: Checkpoint, request: Request) -> Model:
        licence = yolo_checkpoint.stated_licence(checkpoint.content) or NOT_STATED
        family = replace(_FAMILY, licence=licence)
        return yolo_checkpoint.model(checkpoint, request, family, long_side=_trained_at(checkpoint))


def _trained_at(checkpoint: Checkpoint) -> int | None:
    content = checkpoint.content
    arguments = content.get("train_args") if isinstance(content, dict) else None
    side = arguments.get("imgsz") if isinstance(arguments, Mapping) else None
    if isinstance(side, (list, tuple)) and side:
        side = max((one for one in side if isinstance(one, int)), default=None)
    return side if isinstance(side, int) and side > 0 else None
