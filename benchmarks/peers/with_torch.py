"""Runs inside the PyTorch peers' own environment, never in ours: makes their model, and reads photos with them.

    python with_torch.py make FOLDER
    python with_torch.py ultralytics MODEL.pt PHOTOS RESULTS.json THRESHOLD OVERLAP
    python with_torch.py megadetector MODEL.pt PHOTOS RESULTS.json THRESHOLD

`ultralytics` is AGPL-3.0. It imports nothing of camtrap-edge, and camtrap-edge imports nothing of it.
"""

from __future__ import annotations

import json
import os
import runpy
import sys
from pathlib import Path

os.environ.setdefault("YOLO_OFFLINE", "true")
os.environ.setdefault("YOLO_AUTOINSTALL", "false")

SIZE = 640
CLASSES = 3
NAMES = ("animal", "person", "vehicle")
SEED = 11
COARSE = (SIZE // 32) ** 2
_KEPT: list[object] = []
"""Operators live as long as their library."""


def main() -> None:
    command, *rest = sys.argv[1:]
    import_torchvision()
    if command == "make":
        make(Path(rest[0]))
    elif command == "ultralytics":
        ultralytics(rest[0], Path(rest[1]), Path(rest[2]), float(rest[3]), float(rest[4]))
    elif command == "megadetector":
        model, photos, results, threshold = rest
        module = "megadetector.detection.run_detector_batch"
        sys.argv = [module, model, photos, results, "--threshold", threshold, "--quiet"]
        runpy.run_module(module, run_name="__main__")


def import_torchvision() -> None:
    """Import torchvision; where its compiled operators were built for another torch, with ultralytics' own NMS."""
    import torch

    try:
        import torchvision

        torchvision.extension._assert_has_ops()
    except RuntimeError:
        for name in [name for name in sys.modules if name.split(".")[0] == "torchvision"]:
            del sys.modules[name]
    else:
        return
    library = torch.library.Library("torchvision", "FRAGMENT")
    for name in ("nms", "qnms"):
        library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    import torchvision
    from ultralytics.utils.nms import TorchNMS

    library.impl("nms", TorchNMS.nms, "CPU")
    torchvision.extension._has_ops = lambda: True
    _KEPT.append(library)


def make(folder: Path) -> None:
    import torch
    from torch.nn.functional import interpolate
    from ultralytics.nn.modules import Conv
    from ultralytics.nn.tasks import DetectionModel

    torch.manual_seed(SEED)
    model = DetectionModel("yolo11n.yaml", nc=CLASSES, verbose=False)
    model.names = dict(enumerate(NAMES))
    noise = [interpolate(torch.rand(4, 3, side, side), (SIZE, SIZE), mode="bicubic") for side in (4, 20, 100, SIZE)]
    pictures = sum(noise) / len(noise)
    # As they are made, the weights let every picture fade to nothing on its way through.
    for module in model.modules():
        if isinstance(module, Conv):
            torch.nn.init.kaiming_normal_(module.conv.weight)
    with torch.no_grad():
        scores = model.eval()(pictures)[1]["scores"][:, :, -COARSE:]
        # Only the coarsest cells speak: from anywhere in the padding their boxes reach into the picture, as
        # sparrow-engine wants every box to.
        for branch in model.model[-1].cv3[:2]:
            branch[-1].bias.fill_(-20.0)
        last = model.model[-1].cv3[2][-1]
        gain = 1 / scores.std()
        last.weight.mul_(gain)
        last.bias.copy_(-3.5 - gain * (scores.mean((0, 2)) - last.bias))
    checkpoint = {"model": model.half(), "train_args": {"imgsz": SIZE, "task": "detect"}, "epoch": -1}
    plain = folder / "plain.pt"
    torch.save(checkpoint, plain)

    from megadetector.detection.pytorch_detector import add_metadata_to_megadetector_model_file

    metadata = {"model_type": "ultralytics", "image_size": SIZE, "metadata_format_version": "1.0"}
    add_metadata_to_megadetector_model_file(str(plain), str(folder / "yolo11n.pt"), metadata)
    plain.unlink()


def ultralytics(model: str, photos: Path, results: Path, threshold: float, overlap: float) -> None:
    """As a user calls it, but for two things that make it comparable.

    `rect=False`, because the ONNX graph that all others run is square; all CPUs, because by itself it takes one less.
    """
    import torch
    from ultralytics import YOLO

    found = []
    yolo = YOLO(model)
    yolo.add_callback("on_predict_start", lambda _: torch.set_num_threads(os.cpu_count() or 1))
    for one in yolo.predict(
        str(photos), imgsz=SIZE, conf=threshold, iou=overlap, rect=False, device="cpu", stream=True, verbose=False
    ):
        rows = zip(one.boxes.cls.tolist(), one.boxes.conf.tolist(), one.boxes.xyxyn.tolist(), strict=True)
        detections = [{"class": int(kind), "conf": sure, "xyxy": box} for kind, sure, box in rows]
        found.append({"file": Path(one.path).name, "detections": detections})
    results.write_text(json.dumps(found))


if __name__ == "__main__":
    main()
