"""Making a bundle from a graph that exists already, and proving that the graph is what the bundle says."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edge_runtime.bundles import bundle as bundles
from edge_runtime.bundles.bundle import Bundle
from edge_runtime.bundles.manifest import CropRule, Input, Output, Preprocess, Task, Thresholds
from edge_runtime.engines.onnxruntime_engine import OnnxRuntimeEngine
from edge_runtime.errors import BundleError, CamtrapEdgeError, EngineError
from edge_runtime.models.heads import BOX_HEADS, SCORE_HEADS
from export_tools import bundle_writer

LABEL_TABLES = Path(__file__).parent / "label_tables"


@dataclass(frozen=True)
class Preset:
    """What is known of a family of graphs, so that nobody has to type it."""

    task: Task
    head: str
    preprocess: Preprocess
    colour: str
    description: str


PRESETS = {
    # Megvii's own export (release 0.1.1rc0): BGR, 0..255 as it is, resized to fit at the top left, padded with 114.
    "yolox": Preset(
        "detector", "yolox", Preprocess(resize="letterbox-corner", scale=1.0), "bgr", "YOLOX detector, imported"
    ),
    "softmax": Preset(
        "classifier",
        "softmax",
        Preprocess(resize="stretch", mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225)),
        "rgb",
        "Classifier with ImageNet normalisation, imported",
    ),
}


@dataclass(frozen=True)
class GraphFacts:
    """What a graph says of itself."""

    input_name: str
    width: int
    height: int
    layout: str
    outputs: tuple[str, ...]


def read_facts(graph: Path, size: tuple[int, int] | None) -> GraphFacts:
    """Read an ONNX graph's input and outputs.

    Args:
        size: (width, height) where the graph leaves it open.

    Raises:
        CamtrapEdgeError: the graph cannot be read, has more than one input, or leaves its size open.
    """
    import onnxruntime

    try:
        session = onnxruntime.InferenceSession(str(graph), providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's C++ errors have no common base
        raise CamtrapEdgeError(f"{graph}: no graph that ONNX Runtime can load: {error}") from error
    inputs = session.get_inputs()
    if len(inputs) != 1 or len(inputs[0].shape) != 4 or inputs[0].type != "tensor(float)":
        found = ", ".join(f"{entry.name} {entry.type} {entry.shape}" for entry in inputs)
        raise CamtrapEdgeError(f"{graph}: needs one float32 image input with 4 dimensions, has: {found}")
    shape = inputs[0].shape
    layout = "nhwc" if shape[3] == 3 and shape[1] != 3 else "nchw"
    height, width = shape[1:3] if layout == "nhwc" else shape[2:4]
    if not (isinstance(width, int) and isinstance(height, int)):
        if size is None:
            raise CamtrapEdgeError(f"{graph}: leaves its input size open; name it with --size WIDTHxHEIGHT")
        width, height = size
    elif size is not None and size != (width, height):
        raise CamtrapEdgeError(f"{graph}: its input is {width}x{height}, not {size[0]}x{size[1]}")
    return GraphFacts(inputs[0].name, width, height, layout, tuple(entry.name for entry in session.get_outputs()))


def import_graph(
    graph: Path,
    folder: Path,
    *,
    preset: Preset,
    name: str,
    version: str,
    labels: Path,
    licence: str,
    source: str,
    size: tuple[int, int] | None = None,
    colour: str | None = None,
    confident: float | None = None,
    replace: bool = False,
) -> Bundle:
    """Write a bundle with `graph` as its one variant; runs the graph once through the head that will read it.

    Raises:
        BundleError, CamtrapEdgeError: the graph is not what the preset says, or the folder is in use.
    """
    facts = read_facts(graph, size)
    description = bundle_writer.Description(
        name=name,
        version=version,
        task=preset.task,
        description=preset.description,
        licence=licence,
        source=source,
        input=Input(
            tensor=facts.input_name,
            width=facts.width,
            height=facts.height,
            layout=facts.layout,  # type: ignore[arg-type]
            colour=colour or preset.colour,  # type: ignore[arg-type]
        ),
        preprocess=preset.preprocess,
        output=Output(head=preset.head, tensors=facts.outputs[:1]),
        thresholds=Thresholds() if confident is None else Thresholds(confident=confident),
        crop=CropRule(),
    )
    _prove(graph, description, len(bundles.read_labels(labels)))
    return bundle_writer.write(
        folder,
        description,
        [bundle_writer.Graph(graph, "fp32", "onnxruntime", "fp32")],
        labels=labels,
        replace=replace,
    )


def _prove(graph: Path, description: bundle_writer.Description, labels: int) -> None:
    spec = description.input
    shape = (3, spec.height, spec.width) if spec.layout == "nchw" else (spec.height, spec.width, 3)
    image = np.full((1, *shape), 0.5, np.float32)
    outputs = OnnxRuntimeEngine().open(graph, input_name=spec.tensor, threads=2).run(image, description.output.tensors)
    head = description.output.head
    try:
        if head in BOX_HEADS:
            classes = BOX_HEADS[head](outputs, width=spec.width, height=spec.height).scores.shape[1]
        else:
            classes = SCORE_HEADS[head](outputs).shape[1]
    except ValueError as error:
        raise EngineError("onnxruntime", graph, f"is no '{head}' graph: {error}") from error
    if classes != labels:
        raise BundleError(graph, f"gives {classes} classes, the label table has {labels} rows", hint="--labels FILE")
