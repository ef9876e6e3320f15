"""Runs the original YOLOv5 code (package `yolov5`, 7.0.14) in a python of its own; only its public calls are used.

    python original_yolov5.py WEIGHTS PHOTOS.npz ANSWERS.npz

PHOTOS holds pictures as uint8 RGB [H, W, 3]. ANSWERS gets, per picture, `NAME_input` (what its letterbox makes of it,
[3, h, w], uint8), `NAME_raw` (the network's output [A, 5 + classes]) and `NAME_boxes` ([n, 6]: `xyxy` in pixels of the
picture, confidence, class), as its own detection script computes them.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import torch
import yolov5
from torch import nn
from yolov5.utils.augmentations import letterbox
from yolov5.utils.general import non_max_suppression, scale_boxes

LONG_SIDE = 640


def main(weights: str, photos: str, answers: str) -> None:
    torch.set_num_threads(1)
    # The pickle names the modules by where they stood in the original repository.
    sys.path.insert(0, str(Path(yolov5.__file__).parent))
    model = torch.load(weights, map_location="cpu", weights_only=False)["model"].float().fuse().eval()
    for module in model.modules():
        if isinstance(module, nn.Upsample):
            module.recompute_scale_factor = None
    stride = int(model.stride.max())
    found = {}
    for name, pixels in np.load(photos).items():
        picture = np.ascontiguousarray(letterbox(pixels, LONG_SIDE, stride=stride, auto=True)[0].transpose(2, 0, 1))
        with torch.no_grad():
            raw = model(torch.from_numpy(picture)[None].float() / 255)[0]
        (boxes,) = non_max_suppression(raw, conf_thres=0.05, iou_thres=0.45, multi_label=False, max_det=300)
        boxes[:, :4] = scale_boxes(picture.shape[1:], boxes[:, :4], pixels.shape)
        found |= {f"{name}_input": picture, f"{name}_raw": raw[0].numpy(), f"{name}_boxes": boxes.numpy()}
    np.savez(answers, **found)


if __name__ == "__main__":
    main(*sys.argv[1:])
