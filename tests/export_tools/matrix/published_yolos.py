"""The YOLO networks that MegaDetector and its kin are published as, at full size.

Widths, depths and connections: the papers' tables (YOLOv9 arXiv:2402.13616, YOLOv10 arXiv:2405.14458) and the releases'
descriptions; `test_matrix.py` counts their weights.
"""

from __future__ import annotations

from typing import Any

from torch import nn

from tests.export_tools.loaders.yolo_pickles import CLASSES, NAMES, ULTRALYTICS, V5, layer
from tests.export_tools.matrix.layers import Layers

_DETECTION = "ultralytics.nn.tasks.DetectionModel"


def _stem_of_v5(net: Layers) -> None:
    net.conv_(64, 6, image=True)
    for module in net._rows[0][1].modules():
        if isinstance(module, nn.Conv2d):
            module.padding = (2, 2)
    net.conv_(128)
    net.c3_(128, 3, add=True)
    net.conv_(256)
    net.c3_(256, 6, add=True)
    net.conv_(512)
    net.c3_(512, 9, add=True)


def yolov5s(classes: tuple[str, ...] = CLASSES) -> nn.Module:
    """YOLOv5s, three strides: spruce."""
    net = Layers(V5, depth=0.33, width=0.5)
    _stem_of_v5(net)
    net.conv_(1024)
    net.c3_(1024, 3, add=True)
    net.pyramid(1024)
    for channels, source in ((512, 6), (256, 4)):
        net.conv_(channels, 1, 1)
        net.enlarged(source)
        net.c3_(channels)
    for channels, source in ((256, 14), (512, 10)):
        net.conv_(channels)
        net.join(-1, source)
        net.c3_(2 * channels)
    net.anchored([17, 20, 23], len(classes))
    return net.build("models.yolo.DetectionModel", list(classes))


def yolov5x6(classes: tuple[str, ...] = CLASSES) -> nn.Module:
    """YOLOv5x6, four strides: MegaDetector v5 a and b, redwood."""
    net = Layers(V5, depth=1.33, width=1.25)
    _stem_of_v5(net)
    for channels in (768, 1024):
        net.conv_(channels)
        net.c3_(channels, 3, add=True)
    net.pyramid(1024)
    for channels, source in ((768, 8), (512, 6), (256, 4)):
        net.conv_(channels, 1, 1)
        net.enlarged(source)
        net.c3_(channels)
    for channels, source, outputs in ((256, 20, 512), (512, 16, 768), (768, 12, 1024)):
        net.conv_(channels)
        net.join(-1, source)
        net.c3_(outputs)
    net.anchored([23, 26, 29, 32], len(classes))
    return net.build("models.yolo.Model", list(classes))


def _gelan_c(net: Layers) -> None:
    """Backbone and neck of YOLOv9c."""
    net.conv_(64, image=True)
    net.conv_(128)
    net.elan(256, 128, 64, 1)
    for channels, outputs, inner in ((256, 512, 256), (512, 512, 512), (512, 512, 512)):
        net.halved(channels)
        net.elan(outputs, inner, inner // 2, 1)
    net.elan_pyramid(512, 256)


def _neck_of_v9(net: Layers, sources: tuple[int, int], first: int, repeats: int, last: tuple[int, int]) -> None:
    """Up and down again; `first` is the place of the spatial pyramid."""
    net.enlarged(sources[0])
    net.elan(512, 512, 256, repeats)
    net.enlarged(sources[1])
    net.elan(256, 256, 128, repeats)
    net.halved(256)
    net.join(-1, first + 3)
    net.elan(512, 512, 256, repeats)
    net.halved(512)
    net.join(-1, first)
    net.elan(512, last[0], last[1], repeats)


def yolov9c() -> nn.Module:
    """YOLOv9c of the ultralytics releases: MegaDetector v6 compact."""
    net = Layers(ULTRALYTICS)
    _gelan_c(net)
    _neck_of_v9(net, (6, 4), 9, 1, (512, 256))
    net.distances([15, 18, 21], len(NAMES))
    return net.build(_DETECTION, dict(NAMES))


def yolov9c_dual() -> nn.Module:
    """YOLOv9-C as its authors' code saves it, with the branch of the training: cedar."""
    net = Layers(V5)
    net.put(layer("models.common.Silence"), 3)
    _gelan_c(net)
    _neck_of_v9(net, (7, 5), 10, 1, (512, 256))
    net.spread_out(5, 256)
    net.spread_out(7, 256, 512)
    net.spread_out(9, 256, 512, 512)
    net.put(net.conv(3, 64, 3, 2), 64, 0)
    net.conv_(128)
    net.elan(256, 128, 64, 1)
    for place, (channels, outputs, inner) in enumerate(((256, 512, 256), (512, 512, 512), (512, 512, 512))):
        net.halved(channels)
        net.fused([23, 24, 25][place:], place)
        net.elan(outputs, inner, inner // 2, 1)
    net.two_heads([31, 34, 37, 16, 19, 22], len(CLASSES))
    return net.build("models.yolo.DetectionModel", list(CLASSES))


def yolov9e() -> nn.Module:
    """YOLOv9e: MegaDetector v6 extra."""
    net = Layers(ULTRALYTICS)
    net.put(layer(f"{ULTRALYTICS}.conv.Silence"), 3)
    net.conv_(64, image=True)
    net.conv_(128)
    stages = ((256, 512, 256), (512, 1024, 512), (1024, 1024, 512))
    net.elan(256, 128, 64, 2)
    for channels, outputs, inner in stages:
        net.halved(channels)
        net.elan(outputs, inner, inner // 2, 2)
    spread = (64, 128, 256, 512, 1024)
    for count, source in enumerate((1, 3, 5, 7, 9), 1):
        net.spread_out(source, *spread[:count])
    net.put(net.conv(3, 64, 3, 2), 64, 0)
    net.fused([10, 11, 12, 13, 14], 0)
    net.conv_(128)
    net.fused([11, 12, 13, 14], 1)
    net.elan(256, 128, 64, 2)
    for place, (channels, outputs, inner) in enumerate(stages, 2):
        net.halved(channels)
        net.fused([12, 13, 14][place - 2 :], place)
        net.elan(outputs, inner, inner // 2, 2)
    net.elan_pyramid(512, 256)
    _neck_of_v9(net, (25, 22), 29, 2, (1024, 512))
    net.distances([35, 38, 41], len(NAMES))
    return net.build(_DETECTION, dict(NAMES))


def yolov10(scale: str) -> nn.Module:
    """YOLOv10 `n` or `x`: MegaDetector v6 compact and extra."""
    small = scale == "n"
    net = Layers(ULTRALYTICS, *((0.33, 0.25, 1024) if small else (1.0, 1.25, 512)))

    def plain(add: bool) -> Any:
        return lambda width: net.narrow(width, width, 3, add)

    def inverted(width: int) -> Any:
        made = net.cib(width)
        if not small:
            steps = made.cv1
            steps[2] = net.conv(2 * width, 2 * width, 3, groups=2 * width)
        return made

    def block(channels: int, repeats: int, compact: bool, add: bool = True) -> None:
        net.kept("C2fCIB" if compact else "C2f", channels, repeats, inverted if compact else plain(add))

    def down(channels: int) -> None:
        net.put(net.sc_down(net.inputs(), net.wide(channels)), net.wide(channels))

    net.conv_(64, image=True)
    net.conv_(128)
    block(128, 3, False)
    net.conv_(256)
    block(256, 6, False)
    down(512)
    block(512, 6, not small)
    down(1024)
    block(1024, 3, not small)
    net.pyramid(1024)
    width = net.inputs()
    parts = {"cv1": net.conv(width, width), "cv2": net.conv(width, width)} | net.attending(width // 2)
    net.put(layer(f"{ULTRALYTICS}.block.PSA", parts, c=width // 2), width)
    net.enlarged(6)
    block(512, 3, not small, add=False)
    net.enlarged(4)
    block(256, 3, False, add=False)
    net.conv_(256)
    net.join(-1, 13)
    block(512, 3, not small, add=False)
    down(512)
    net.join(-1, 10)
    block(1024, 3, True)
    net.distances([16, 19, 22], len(NAMES), "v10Detect", thin=True)
    return net.build("ultralytics.nn.tasks.YOLOv10DetectionModel", dict(NAMES))


def yolo11(scale: str) -> nn.Module:
    """YOLO11 `s` or `l`: sorrel and larch."""
    small = scale == "s"
    net = Layers(ULTRALYTICS, *((0.5, 0.5, 1024) if small else (1.0, 1.0, 512)))

    def deep(width: int) -> Any:
        return net.crossed("C3k", width, width, [net.narrow(width // 2, width // 2) for _ in range(2)])

    def shallow(width: int) -> Any:
        return net.narrow(width, width // 2)

    def block(channels: int, crossed: bool, part: float = 0.5) -> None:
        net.kept("C3k2", channels, 2, deep if crossed or not small else shallow, part)

    net.conv_(64, image=True)
    net.conv_(128)
    block(256, False, 0.25)
    net.conv_(256)
    block(512, False, 0.25)
    net.conv_(512)
    block(512, True)
    net.conv_(1024)
    block(1024, True)
    net.pyramid(1024)
    width = net.inputs()
    steps = [layer(f"{ULTRALYTICS}.block.PSABlock", net.attending(width // 2), add=True) for _ in range(net.deep(2))]
    parts = {"cv1": net.conv(width, width), "cv2": net.conv(width, width), "m": nn.Sequential(*steps)}
    net.put(layer(f"{ULTRALYTICS}.block.C2PSA", parts, c=width // 2), width)
    for channels, source in ((512, 6), (256, 4)):
        net.enlarged(source)
        block(channels, False)
    for channels, source, crossed in ((256, 13, False), (512, 10, True)):
        net.conv_(channels)
        net.join(-1, source)
        block(2 * channels, crossed)
    net.distances([16, 19, 22], len(NAMES), thin=True)
    return net.build(_DETECTION, dict(NAMES))
