"""Making a bundle from a graph that exists already, and proving that the graph is what the bundle says."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Literal

import numpy as np

from edge_runtime import engines
from edge_runtime.bundles import bundle as bundles
from edge_runtime.bundles.bundle import Bundle
from edge_runtime.bundles.manifest import CropRule, Input, Output, Preprocess, Thresholds
from edge_runtime.errors import BundleError, CamtrapEdgeError, EngineError
from edge_runtime.models.heads import BOX_HEADS, SCORE_HEADS
from export_tools import bundle_writer, import_onnx, import_openvino
from export_tools.import_presets import PRESETS, Preset

__all__ = ["LABEL_TABLES", "PRESETS", "Preset", "import_graph"]

LABEL_TABLES = Path(__file__).parent / "label_tables"
_FORMATS = {".onnx": import_onnx, ".xml": import_openvino}


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
    colour: Literal["rgb", "bgr"] | None = None,
    confident: float | None = None,
    overlap: float | None = None,
    preprocess: Preprocess | None = None,
    replace: bool = False,
) -> Bundle:
    """Write a bundle with `graph` as its one variant; runs the graph once through the head that will read it.

    Args:
        graph: ONNX, or an OpenVINO IR's .xml with its .bin beside it.
        size: (width, height) in pixels, where the graph leaves it open.
        colour, preprocess: in place of the preset's.
        confident, overlap: thresholds, in place of the format's default and the layout's own.

    Raises:
        BundleError, CamtrapEdgeError: the graph is not what the preset says, or the folder is in use.
    """
    if graph.suffix not in _FORMATS:
        raise CamtrapEdgeError(f"{graph}: is neither ONNX (.onnx) nor an OpenVINO IR (.xml)")
    reader = _FORMATS[graph.suffix]
    if reader.ENGINE not in engines.available():
        raise CamtrapEdgeError(f"{graph}: needs {reader.ENGINE}; pip install 'camtrap-edge[export]'")
    facts = reader.read_facts(graph, size)
    classes = len(bundles.read_labels(labels))
    try:
        layout = preset.layout(facts, classes)
    except ValueError as error:
        raise CamtrapEdgeError(f"{graph}: {error}") from error
    thresholds = {"confident": confident, "overlap": layout.overlap if overlap is None else overlap}
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
            layout=facts.layout,
            colour=colour or preset.colour,
        ),
        preprocess=preprocess or preset.preprocess,
        output=Output(head=preset.head, tensors=layout.tensors),
        thresholds=Thresholds(**{key: value for key, value in thresholds.items() if value is not None}),
        crop=CropRule(),
    )
    with tempfile.TemporaryDirectory(prefix="camtrap-edge-import-") as work:
        made = reader.settled(graph, facts, layout.tail, Path(work))
        _prove(graph, made, description, classes)
        return bundle_writer.write(folder, description, [made], labels=labels, replace=replace)


def _prove(graph: Path, made: bundle_writer.Graph, description: bundle_writer.Description, labels: int) -> None:
    spec = description.input
    image = import_onnx.grey(spec.layout, spec.width, spec.height)
    session = engines.get(made.engine).open(made.source, input_name=spec.tensor, threads=2)
    outputs = session.run(image, description.output.tensors)
    head = description.output.head
    try:
        if head in BOX_HEADS:
            scores = BOX_HEADS[head](outputs, width=spec.width, height=spec.height).scores
        else:
            scores = SCORE_HEADS[head](outputs)
    except ValueError as error:
        raise EngineError(made.engine, graph, f"is no '{head}' graph: {error}") from error
    if scores.shape[1] != labels:
        problem = f"gives {scores.shape[1]} classes, the label table has {labels} rows"
        raise BundleError(graph, problem, hint="--labels FILE")
    if not (np.isfinite(scores).all() and scores.min() >= 0 and scores.max() <= 1):
        problem = f"gives scores of {scores.min():.3g}..{scores.max():.3g}, not of 0..1"
        raise EngineError(made.engine, graph, f"is no '{head}' graph: {problem}")
