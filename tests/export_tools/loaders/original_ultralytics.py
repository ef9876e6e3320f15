"""Makes checkpoints with the original code (package `ultralytics`) in a python of its own, and answers with it.

    python original_ultralytics.py PHOTOS.npz FOLDER NAME...

PHOTOS holds network inputs [N, 3, H, W], 0..1: `calibration` and `asked`. Per NAME of a network ("yolov8n") FOLDER
gets `NAME.pt`, saved as the training code saves it but in single precision, and `NAME.npz`: `boxes` [N, A, 4] `xyxy`
in pixels and `scores` [N, A, classes] in double precision, and `noise_boxes`, `noise_scores`: how far its own single
precision is from that.
"""

from __future__ import annotations

import copy
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
import ultralytics
from torch import nn
from ultralytics import RTDETR, YOLO


def main(photos: str, folder: str, *names: str) -> None:
    torch.set_num_threads(1)
    given = np.load(photos)
    calibration, asked = (torch.from_numpy(given[key]) for key in ("calibration", "asked"))
    for name in names:
        torch.manual_seed(0)
        kind = RTDETR if name.startswith("rtdetr") else YOLO
        model = kind(f"{name}.yaml").model
        calibrate(model, calibration)
        exact = copy.deepcopy(model).double()
        boxes, scores = answer(model, asked)
        true_boxes, true_scores = answer(exact, asked.double())
        np.savez(
            Path(folder) / f"{name}.npz",
            boxes=true_boxes,
            scores=true_scores,
            noise_boxes=np.abs(true_boxes - boxes).max(),
            noise_scores=np.abs(true_scores - scores).max(),
        )
        arguments = {"imgsz": 640, "task": "detect", "model": f"{name}.yaml"}
        saved = {"model": model, "ema": None, "train_args": arguments, "version": ultralytics.__version__}
        saved["license"] = "AGPL-3.0 License (https://ultralytics.com/license)"
        torch.save(saved, Path(folder) / f"{name}.pt")


def calibrate(model: nn.Module, images: torch.Tensor) -> None:
    """Batch norms from the photos, with factors below one: else random layers blow up every rounding error."""
    model.eval()
    norms = [module for module in model.modules() if isinstance(module, nn.BatchNorm2d)]
    for norm in norms:
        norm.reset_running_stats()
        momentum, norm.momentum = norm.momentum, None
        nn.init.uniform_(norm.weight, 0.3, 0.7)
        norm.train()
    with torch.no_grad():
        model(images)
    for norm in norms:
        norm.momentum = momentum
    model.eval()
    head = model.model[-1]
    if hasattr(head, "one2one_cv2"):
        head.end2end = True
    # A new head says "nothing" everywhere; this one says something.
    for branch in ("cv3", "one2one_cv3", "dec_score_head"):
        for level in getattr(head, branch, None) or ():
            last = level[-1] if isinstance(level, nn.Sequential) else level
            nn.init.normal_(last.weight, std=0.2)
            nn.init.zeros_(last.bias)


def answer(model: nn.Module, images: torch.Tensor) -> tuple[np.ndarray, np.ndarray]:
    """All candidates, before the choice of the best."""
    head = model.model[-1]
    with torch.no_grad():
        if type(head).__name__ == "RTDETRDecoder":
            boxes, logits = (part.squeeze(0) for part in model(images)[1][:2])
            height, width = images.shape[2:]
            return corners(boxes * boxes.new_tensor([width, height] * 2)), logits.sigmoid().numpy()
        if getattr(head, "end2end", False):
            found = head._inference(model(images)[1]["one2one"]).transpose(1, 2)
            # The one-to-one head decodes to corners already.
            return found[..., :4].numpy(), found[..., 4:].numpy()
        found: Any = model(images)[0].transpose(1, 2)
    return corners(found[..., :4]), found[..., 4:].numpy()


def corners(boxes: torch.Tensor) -> np.ndarray:
    half = boxes[..., 2:] / 2
    return torch.cat([boxes[..., :2] - half, boxes[..., :2] + half], -1).numpy()


if __name__ == "__main__":
    main(*sys.argv[1:])
