"""The networks that everybody runs: one ONNX file with suppression inside, and what each program wants around it."""

from __future__ import annotations

import csv
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import yaml

from benchmarks.peers import end_to_end
from benchmarks.peers.environments import Environment, clean_environ
from edge_runtime.bundles import bundle as bundles
from edge_runtime.models.loading import DEFAULT_DETECTOR
from edge_runtime.values import CATEGORIES
from export_tools.commands.making import REFUSED

HERE = Path(__file__).parent
FLOAT_DEFAULT = HERE.parent.parent / "export_tools" / "default_models" / "detector" / "float.onnx"
THRESHOLD = 0.05
"""What any program reports at all. It stands in the graph as well."""
CALIBRATION_PHOTOS = 200


@dataclass(frozen=True)
class Network:
    """One network, in every form that a contender takes."""

    name: str
    graph: Path
    """Float ONNX, suppression inside: [1, 300, 6]."""
    width: int
    height: int
    overlap: float
    labels: Path
    """Table index,label,kind."""
    checkpoint: Path | None
    """For the PyTorch peers; None: they cannot read it, `why_no_checkpoint`."""
    why_no_checkpoint: str
    int8: Path | None
    """Bundle with the INT8 variant that passed its gate; None: there is none, `why_no_int8`."""
    why_no_int8: str

    @property
    def kinds(self) -> list[tuple[str, int | None]]:
        """Label and category (0 animal, 1 person, 2 vehicle) of each class."""
        with self.labels.open(encoding="utf-8", newline="") as file:
            return [
                (row["label"], CATEGORIES.index(row["kind"]) if row["kind"] in CATEGORIES else None)
                for row in csv.DictReader(file)
            ]


class NetworkMissing(Exception):
    """A network cannot be made here; says why."""


@dataclass(frozen=True)
class Making:
    """What a network is made from."""

    folder: Path
    """Its own, kept for the next run."""
    assets: Path
    pytorch: Environment | None


def yolo11n(making: Making) -> Network:
    """YOLO11n with three classes at 640x640, as ultralytics' own description makes it. It finds nonsense: for speed."""
    checkpoint = making.folder / "yolo11n.pt"
    if not checkpoint.is_file():
        if making.pytorch is None:
            raise NetworkMissing("ultralytics, which describes it, is not among the peers or cannot be had")
        _run([str(making.pytorch.python), str(HERE / "with_torch.py"), "make", str(making.folder)])
    made = _exported(making, checkpoint, ["--size", "640x640", "--variants", "onnxruntime-fp32"])
    network = _from_bundle(made, making.folder, "YOLO11n 640", overlap=0.45)
    return replace(network, checkpoint=checkpoint, why_no_int8="its weights are random: there is nothing to keep")


def yolov5n(making: Making) -> Network:
    """YOLOv5n at 640x640 with its real COCO weights."""
    checkpoint = making.assets / "weights" / "yolov5n" / "yolov5n.pt"
    if not checkpoint.is_file():
        raise NetworkMissing(f"{checkpoint} is missing")
    training, photos = making.assets / "training", making.assets / "photos"
    options = ["--size", "640x640", "--variants", "onnxruntime-fp32,onnxruntime-int8", "--skip-unreadable"]
    options += ["--calibrate", str(training), "--count", str(CALIBRATION_PHOTOS), "--evaluate", str(photos)]
    made = _exported(making, checkpoint, options)
    network = _from_bundle(made, making.folder, "YOLOv5n 640", overlap=0.45)
    why = "YOLOv5 checkpoints need the yolov5 package, which does not install here"
    return replace(network, why_no_checkpoint=why)


def default(making: Making) -> Network:
    """The package's own detector."""
    own = bundles.load(DEFAULT_DETECTOR, task="detector").manifest
    graph, labels = making.folder / "end-to-end.onnx", DEFAULT_DETECTOR / own.labels
    mean, std = own.preprocess.mean[0], own.preprocess.std[0]
    end_to_end.write(
        FLOAT_DEFAULT, graph, scale=1 / std, shift=-mean / std, threshold=THRESHOLD, overlap=own.thresholds.overlap
    )
    return Network(
        name=f"own detector {own.input.width}x{own.input.height}",
        graph=graph,
        width=own.input.width,
        height=own.input.height,
        overlap=own.thresholds.overlap,
        labels=labels,
        checkpoint=None,
        why_no_checkpoint="the PyTorch peers have no such network",
        int8=DEFAULT_DETECTOR,
        why_no_int8="",
    )


NETWORKS: dict[str, Callable[[Making], Network]] = {"yolo11n": yolo11n, "yolov5n": yolov5n, "default": default}


def our_bundle(network: Network, folder: Path) -> Path:
    """The network's float graph as a bundle of ours, which rounds a letterbox's sides as all the peers do."""
    command = ["import", str(network.graph), "--preset", "ultralytics", "--labels", str(network.labels), "--replace"]
    command += ["--licence", "see-source", "--source", "benchmarks.peers", "-o", str(folder), "--name", "peers"]
    _run([sys.executable, "-m", "export_tools.cli", *command])
    manifest = folder / bundles.MANIFEST
    document = yaml.safe_load(manifest.read_text(encoding="utf-8"))
    document["preprocess"]["rounding"] = "nearest"
    manifest.write_text(yaml.safe_dump(document, sort_keys=False), encoding="utf-8")
    bundles.load(folder, task="detector")
    return folder


def for_sparrow(network: Network, models: Path, name: str) -> None:
    """Put the network into a folder of sparrow-engine's models."""
    folder = models / name
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(network.graph, folder / "model.onnx")
    rows = [f"{label},{index}\n" for index, (label, _) in enumerate(network.kinds)]
    (folder / "labels.txt").write_text("".join(rows), encoding="utf-8")
    (folder / "manifest.toml").write_text(_SPARROW.format(name=name, network=network, threshold=THRESHOLD))


_SPARROW = """\
[model]
id = "{name}"
type = "detector"
format = "onnx"
file = "model.onnx"
default = true
[inference]
strategy = "single"
[preprocessing]
input_size = [{network.width}, {network.height}]
layout = "nchw"
channel_order = "rgb"
method = "letterbox"
normalization = "unit"
interpolation = "cv2_bilinear"
pad_value = 0.447
[postprocessing]
method = "yolo_e2e"
confidence_threshold = {threshold}
[labels]
file = "labels.txt"
format = "name_index_csv"
"""


def _exported(making: Making, checkpoint: Path, options: Sequence[str]) -> Path:
    folder = making.folder / "bundle"
    if not (folder / bundles.MANIFEST).is_file():
        fixed = ["--parity", "ultralytics", "--no-golden", "--licence", "AGPL-3.0", "--source", "benchmarks.peers"]
        command = [sys.executable, "-m", "export_tools.cli", "detector", str(checkpoint), "-o", str(folder)]
        # A variant that was refused, as INT8 where it is not faster, leaves the rest of the bundle as it is.
        _run([*command, *fixed, *options], fine=(0, REFUSED))
    return folder


def _from_bundle(folder: Path, work: Path, name: str, *, overlap: float) -> Network:
    bundle = bundles.load(folder, task="detector")
    manifest = bundle.manifest
    variants = {variant.precision: variant for variant in manifest.variants}
    graph = work / "end-to-end.onnx"
    source = bundle.path(variants["fp32"])
    end_to_end.write(source, graph, scale=1.0, shift=0.0, threshold=THRESHOLD, overlap=overlap)
    int8 = variants.get("int8")
    passed = int8 is not None and int8.proof is not None and int8.proof.gate == "passed"
    reasons = "; ".join(int8.proof.reasons) if int8 and int8.proof else "the exporter refused it on this machine"
    return Network(
        name=name,
        graph=graph,
        width=manifest.input.width,
        height=manifest.input.height,
        overlap=overlap,
        labels=folder / manifest.labels,
        checkpoint=None,
        why_no_checkpoint="",
        int8=folder if passed else None,
        why_no_int8="" if passed else reasons,
    )


def _run(command: Sequence[str], fine: Sequence[int] = (0,)) -> None:
    done = subprocess.run(command, capture_output=True, text=True, env=clean_environ())
    if done.returncode not in fine:
        raise NetworkMissing((done.stderr or done.stdout).strip()[-400:])
