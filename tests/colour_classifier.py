"""A real classifier graph that needs no training, for the animals of `tests/colour_detector.py`.

It looks at how green a red cell is: not at all is a lynx, much is a cougar, and half-way it cannot tell. Its features
are the mean red, green and blue, so that it is an embedder too.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from edge_runtime.bundles.bundle import Bundle
from edge_runtime.bundles.manifest import EmbeddingOutput, Input, Output, Preprocess, Task, Thresholds
from export_tools import bundle_writer

SIDE = 32
SHADES = {"lynx": (230, 0, 0), "between": (230, 50, 0), "cougar": (230, 100, 0)}
LABELS = """\
index,label,kind,class,order,family,genus,species
0,lynx,animal,Mammalia,Carnivora,Felidae,Lynx,
1,cougar,animal,Mammalia,Carnivora,Felidae,Puma,Puma concolor
2,,other,,,,,
"""
TAXA = "rank,taxon,name\nfamily,Felidae,cat family\n"


def build_bundle(folder: Path, *, task: Task = "classifier", dimensions: int = 3) -> Bundle:
    """Write the graph and its bundle: a classifier with an embedding, or the same graph as a mere embedder."""
    graph, labels, taxa = (folder.parent / f"{folder.name}.{end}" for end in ("onnx", "labels", "taxa"))
    onnx.save(_model(), str(graph))
    labels.write_text(LABELS, encoding="utf-8")
    taxa.write_text(TAXA, encoding="utf-8")
    classifies = task == "classifier"
    description = bundle_writer.Description(
        name=folder.name,
        version="1",
        task=task,
        description="Tells two cats by their colour.",
        licence="Apache-2.0",
        source="tests/colour_classifier.py",
        input=Input(tensor="image", width=SIDE, height=SIDE),
        preprocess=Preprocess(resize="stretch"),
        thresholds=Thresholds(species=0.8, rollup=0.8),
        embedding=EmbeddingOutput(tensor="features", dimensions=dimensions),
        **({"output": Output(head="softmax", tensors=("logits",))} if classifies else {}),
    )
    return bundle_writer.write(
        folder,
        description,
        [bundle_writer.Graph(graph, "fp32", "onnxruntime", "fp32")],
        labels=labels if classifies else None,
        taxa=taxa if classifies else None,
    )


def _model() -> onnx.ModelProto:
    # Half-way both cats have the same logit; what is no animal never wins where there is red.
    weights = np.array([[0, -50, 0], [0, 50, 0], [-20, 0, 0]], np.float32)
    offsets = np.array([50 * 50 / 255, -50 * 50 / 255, 0], np.float32)
    tensors = {"weights": weights, "offsets": offsets, "shape": np.array([-1, 3], np.int64)}
    nodes = [
        helper.make_node("GlobalAveragePool", ["image"], ["mean"]),
        helper.make_node("Reshape", ["mean", "shape"], ["features"]),
        helper.make_node("Gemm", ["features", "weights", "offsets"], ["logits"], transB=1),
    ]
    graph = helper.make_graph(
        nodes,
        "colours",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["batch", 3, SIDE, SIDE])],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", 3]) for name in ("logits", "features")],
        [numpy_helper.from_array(value, name) for name, value in tensors.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 8
    onnx.checker.check_model(model)
    return model
