"""The networks on trial: every family of checkpoints, at the sizes that are published. Small ones first."""

from __future__ import annotations

import json
import os
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any, Literal

from edge_runtime.bundles import bundle as bundles
from edge_runtime.bundles.bundle import Bundle
from export_tools import building, default_models, import_graph, loaders, onnx_export
from export_tools.checkpoints import reading
from export_tools.model import Request
from tests.export_tools.matrix.trying import NothingToBuildError, Subject

ROOT = Path(__file__).resolve().parents[3]
QUICK = (128, 128)
"""Width and height of inputs that may be small."""

Make = Callable[[Path, tuple[int, int] | None], Subject]


@dataclass(frozen=True)
class Network:
    """One row of the table. `make` takes a folder, and a size where the published one is not wanted."""

    name: str
    family: str
    network: str
    weights: Literal["random", "real"]
    make: Make


def _loaded(request: Request, work: Path) -> Subject:
    model = loaders.load(reading.read(request.checkpoint, trust_pickle=request.trust_pickle), request)
    graph = work / "float.onnx"
    return Subject(model, graph, onnx_export.export(model, graph))


def _of_bundle(bundle: Bundle, work: Path) -> Subject:
    if not any(one.engine == "onnxruntime" and one.precision == "fp32" for one in bundle.manifest.variants):
        raise NothingToBuildError("imported from an OpenVINO IR: no ONNX graph, so no TensorRT variant")
    graph = work / "float.onnx"
    return Subject(building._model(bundle), graph, building._take_graph(bundle, graph))


def _pickled(
    module: str, maker: str, argument: str | None, said: dict[str, Any], work: Path, size: tuple[int, int] | None
) -> Subject:
    """A pickled YOLO network; `said` is what stands beside it in the file, `info` in megadetector_info.json."""
    from tests.export_tools.loaders import yolo_pickles

    make = getattr(import_module(f"tests.export_tools.matrix.{module}"), maker)
    beside = {key: value for key, value in said.items() if key != "info"}
    file = yolo_pickles.save(work / "checkpoint.pt", make(argument) if argument else make(), size=(128, 128), **beside)
    if info := said.get("info"):
        with zipfile.ZipFile(file, "a") as archive:
            root = archive.namelist()[0].partition("/")[0]
            archive.writestr(f"{root}/megadetector_info.json", json.dumps(info))
    return _loaded(Request(file, "detector", size=size), work)


def _mit_yolo(plan: str, work: Path, size: tuple[int, int] | None) -> Subject:
    import torch

    from export_tools.loaders.mit_yolo import MitYolo
    from export_tools.networks import gelan
    from tests.export_tools.loaders import reacting

    torch.manual_seed(1)
    shape = getattr(gelan, plan)
    network = gelan.Gelan(shape, 3, auxiliary=True)
    # Its convolutions are still apart; the grids come from one that is ready to run.
    ready = gelan.Gelan(shape, 3, auxiliary=False)
    ready.settle(*QUICK)
    for name, buffer in ready.named_buffers(recurse=False):
        network.register_buffer(name, buffer, persistent=False)
    reacting.calibrate(network, reacting.photos(*QUICK, MitYolo.preprocess))
    state = {f"model.model.{key}": value for key, value in network.layers.state_dict().items()}
    torch.save({"epoch": 3, "pytorch-lightning_version": "2.4.0", "state_dict": state}, work / "last.ckpt")
    return _loaded(Request(work / "last.ckpt", "detector", size=size), work)


def _rtdetr_v2(plan: str, work: Path, size: tuple[int, int] | None) -> Subject:
    import torch

    from export_tools.loaders.rtdetr import RtDetrV2
    from export_tools.networks import rtdetr
    from tests.export_tools.loaders import reacting
    from tests.export_tools.loaders.test_rtdetr import published

    torch.manual_seed(1)
    network = rtdetr.RtDetr(getattr(rtdetr, plan), 3)
    denoising = network.decoder.denoising_class_embed
    network.lay_out(*QUICK)
    reacting.calibrate(network, reacting.photos(*QUICK, RtDetrV2.preprocess))
    network.decoder.denoising_class_embed = denoising
    torch.save({"ema": {"module": published(network)}, "last_epoch": 3}, work / "best.pth")
    return _loaded(Request(work / "best.pth", "detector", size=size), work)


def _pytorch_wildlife(architecture: str, outputs: int, work: Path, size: tuple[int, int] | None) -> Subject:
    import torch

    from tests.export_tools.loaders.test_classifiers import published

    torch.save({"epoch": 3, "state_dict": published(architecture, outputs).state_dict()}, work / "model.ckpt")
    return _loaded(Request(work / "model.ckpt", "classifier", size=size), work)


def _miewid(work: Path, size: tuple[int, int] | None) -> Subject:
    import torch

    from tests.export_tools.loaders import random_networks
    from tests.export_tools.loaders.test_embedders import published

    network = published("efficientnetv2_rw_m", random_networks.pictures(128, 128)[::2])
    torch.save(network.state_dict(), work / "model.bin")
    return _loaded(Request(work / "model.bin", "embedder", size=size), work)


def _megadescriptor(backbone: str, work: Path, size: tuple[int, int] | None) -> Subject:
    """Its windows fix the size."""
    import torch

    from export_tools.networks.packages import need

    torch.manual_seed(1)
    network = need("timm").create_model(backbone, num_classes=0)
    torch.save(network.state_dict(), work / "pytorch_model.bin")
    return _loaded(Request(work / "pytorch_model.bin", "embedder"), work)


def _lite0(work: Path, size: tuple[int, int] | None) -> Subject:
    from export_tools.loaders.efficientnet_lite0 import packaged_weights

    return _loaded(Request(packaged_weights(), "classifier", size=size), work)


def _active_learning(work: Path, size: tuple[int, int] | None) -> Subject:
    """256 numbers and the perceptron's published layers, fitted to a few photos in one step."""
    import warnings

    import numpy as np
    from PIL import Image
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.neural_network import MLPClassifier

    from tests.export_tools.loaders import active_learning_folder, random_networks

    training = work / "training"
    for place, pixels in enumerate(random_networks.photographs()):
        home = training / ("badger", "empty", "lynx")[place % 3]
        home.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(home / f"{place:02}.png")
    perceptron = MLPClassifier((230, 100), max_iter=1, random_state=1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        perceptron.fit(np.random.default_rng(1).random((12, 256)), [place % 3 for place in range(12)])
    folder = work / "export"
    network = active_learning_folder.embedding(256)
    active_learning_folder.write(folder, network, perceptron, ["badger", "empty", "lynx"])
    return _loaded(Request(folder, "classifier", training_images=training), work)


def _by_architecture(family: str, name: str, work: Path, size: tuple[int, int] | None) -> Subject:
    """A torchvision or timm classifier of three classes."""
    import torch

    from export_tools.networks.packages import need
    from tests.export_tools.loaders import random_networks

    def build() -> Any:
        if family == "timm":
            return need("timm").create_model(name, num_classes=3)
        return need("torchvision.models").get_model(name, weights=None, num_classes=3)

    network = random_networks.seeded(build)
    random_networks.calibrate(network, random_networks.pictures(64, 64))
    content: dict[str, Any] = {"state_dict": network.state_dict(), "classes": ["lynx", "wolf", "empty"]}
    torch.save(content, work / "model.pt")
    return _loaded(Request(work / "model.pt", "classifier", family=f"{family}:{name}", size=size), work)


def assets(name: str) -> Path:
    """A file of the assets folder (CAMTRAP_EDGE_ASSETS).

    Raises:
        NothingToBuildError: it is not there.
    """
    folder = Path(os.environ.get("CAMTRAP_EDGE_ASSETS") or ROOT.parent / "shared" / "assets")
    file = (folder if folder.is_absolute() else ROOT / folder) / "weights" / name
    if not file.is_file():
        raise NothingToBuildError(f"{name} is not at hand: set CAMTRAP_EDGE_ASSETS")
    return file


def _imported(preset: str, file: str, work: Path, size: tuple[int, int] | None) -> Subject:
    bundle = import_graph.import_graph(
        assets(file),
        work / "imported",
        preset=import_graph.PRESETS[preset],
        name=preset,
        version="1",
        labels=import_graph.LABEL_TABLES / "coco80.csv",
        licence="Apache-2.0",
        source="the assets folder",
    )
    return _of_bundle(bundle, work)


def _real_yolov5(work: Path, size: tuple[int, int] | None) -> Subject:
    return _loaded(Request(assets("yolov5n/yolov5n.pt"), "detector", size=size), work)


def _default_detector(work: Path, size: tuple[int, int] | None) -> Subject:
    """The float graph that the package's own detector is quantized from, with that bundle's description."""
    bundle = bundles.load(Path(bundles.__file__).parent / "default" / "detector", task="detector")
    graph = work / "float.onnx"
    onnx_export.take(Path(default_models.__file__).parent / "detector" / "float.onnx", graph)
    return Subject(building._model(bundle), graph, onnx_export.last_layers(graph))


def _v1000(model_type: str, side: int) -> dict[str, Any]:
    return {"info": {"image_size": side, "model_type": model_type}}


def _v6(side: int) -> dict[str, Any]:
    return {"train_args": {"imgsz": side}, "version": "8.1.45", "license": "AGPL-3.0"}


def _row(name: str, family: str, network: str, make: Callable[..., Subject], *fixed: Any) -> Network:
    weights: Literal["random", "real"] = "real" if make in _REAL else "random"
    return Network(name, family, network, weights, partial(make, *fixed))


def _v1000(name: str, network: str, maker: str, scale: str | None, model_type: str, side: int) -> Network:
    """Of the MegaDetector package, which leaves a note in the file."""
    said = {"info": {"image_size": side, "model_type": model_type}}
    return _row(name, "MegaDetector v1000", network, _pickled, "published_yolos", maker, scale, said)


def _v6(name: str, network: str, maker: str, scale: str | None, side: int) -> Network:
    """Of the ultralytics releases."""
    module = "published_rtdetr" if maker == "rtdetr_l" else "published_yolos"
    said = {"train_args": {"imgsz": side}, "version": "8.1.45", "license": "AGPL-3.0"}
    return _row(name, "MegaDetector v6", network, _pickled, module, maker, scale, said)


_REAL = (_default_detector, _imported, _lite0, _real_yolov5)
_ROWS = (
    _row("default", "package's own detector", "EfficientNet-Lite0", _default_detector),
    _row("yolox-nano", "import", "YOLOX-nano", _imported, "yolox", "yolox_nano/yolox_nano_416_opencvzoo.onnx"),
    _row("nanodet-m", "import", "NanoDet-m", _imported, "nanodet", "nanodet_m/nanodet_m.xml"),
    _row("lite0", "EfficientNet-Lite", "EfficientNet-Lite0", _lite0),
    _row("active-learning", "active learning", "ResNet-18 + MLP", _active_learning),
    _row("torchvision", "torchvision", "MobileNetV3-small", _by_architecture, "torchvision", "mobilenet_v3_small"),
    _row("timm", "timm", "ResNet-10t", _by_architecture, "timm", "resnet10t"),
    _row("serengeti", "Pytorch-Wildlife", "ResNet-18, 10 classes", _pytorch_wildlife, "resnet18", 10),
    _row("opossum", "Pytorch-Wildlife", "ResNet-50, one logit", _pytorch_wildlife, "resnet50", 1),
    _row("amazon", "Pytorch-Wildlife", "ResNet-50, 36 classes", _pytorch_wildlife, "resnet50", 36),
    _row("yolov5n", "YOLOv5", "YOLOv5n, COCO", _real_yolov5),
    _v6("v6-yolov10-c", "YOLOv10n", "yolov10", "n", 640),
    _v1000("spruce", "YOLOv5s", "yolov5s", None, "yolov5", 640),
    _v1000("sorrel", "YOLO11s", "yolo11", "s", "ultralytics", 960),
    _row("v6-mit-c", "MegaDetector v6, MIT", "YOLOv9-S", _mit_yolo, "SMALL"),
    _row("v6-apache-c", "MegaDetector v6, Apache", "RT-DETRv2 R18vd", _rtdetr_v2, "R18"),
    _v1000("larch", "YOLO11l", "yolo11", "l", "ultralytics", 640),
    _v1000("cedar", "YOLOv9c", "yolov9c_dual", None, "yolov9", 640),
    _v6("v6-yolov9-c", "YOLOv9c", "yolov9c", None, 640),
    _row("v6-mit-e", "MegaDetector v6, MIT", "YOLOv9-C", _mit_yolo, "COMPACT"),
    _v6("v6-rtdetr-c", "RT-DETR-L", "rtdetr_l", None, 640),
    _row("miewid", "MiewID", "EfficientNetV2-RW-M", _miewid),
    _row("v6-apache-e", "MegaDetector v6, Apache", "RT-DETRv2 R101vd", _rtdetr_v2, "R101"),
    _v6("v6-yolov10-e", "YOLOv10x", "yolov10", "x", 1280),
    _v6("v6-yolov9-e", "YOLOv9e", "yolov9e", None, 1280),
    _row("megadescriptor", "MegaDescriptor", "Swin-L, 384", _megadescriptor, "swin_large_patch4_window12_384"),
    _row("v5", "MegaDetector v5 a, b; v1000 redwood", "YOLOv5x6", _pickled, "published_yolos", "yolov5x6", None, {}),
)
NETWORKS = {row.name: row for row in _ROWS}
"""By the name that `--only` takes."""
