"""The float graph of the package's own detector: it is not in its bundle, which is for devices."""

from __future__ import annotations

from pathlib import Path

from edge_runtime.bundles import bundle as bundles
from edge_runtime.bundles.bundle import Bundle
from edge_runtime.models import loading
from export_tools import bundle_writer, default_models

FLOAT_GRAPH = Path(default_models.__file__).parent / "detector" / "float.onnx"


def default_float(folder: Path) -> Bundle | None:
    """Write the package's own detector with its float graph into `folder`; None where the graph is not at hand."""
    if not FLOAT_GRAPH.is_file():
        return None
    own = bundles.load(loading.DEFAULT_DETECTOR, task="detector")
    fields = bundle_writer.Description.__dataclass_fields__
    described = {field: getattr(own.manifest, field) for field in fields} | {"name": "camtrap-edge-lite0-float"}
    graph = bundle_writer.Graph(FLOAT_GRAPH, "fp32", "onnxruntime", "fp32")
    description = bundle_writer.Description(**described)
    return bundle_writer.write(folder, description, [graph], labels=own.folder / own.manifest.labels)
