"""Small graphs as the exporter makes them for TensorRT."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.export_tools.variants import tiny


def variant(name: str, folder: Path, *, batch: int | str = 1) -> Path:
    """The tiny detector as the variant `name` (`tensorrt-fp16`, `tensorrt-int8`): `image` -> `boxes`, `scores`."""
    pytest.importorskip("torch", reason="the exporter's packages are an extra: make workstation-env")
    from edge_runtime.bundles.manifest import Input, Preprocess
    from export_tools.variants import VARIANTS
    from export_tools.variants.protocol import FloatGraph
    from tests.export_tools.variants.conftest import model

    source = tiny.build(folder / "tiny.onnx", batch=batch)
    spec = Input(tensor="image", width=tiny.SIDE, height=tiny.SIDE)
    wrapped = model("detector", "tiny", spec, Preprocess(resize="stretch"), ("boxes", "scores"))
    work = folder / "work"
    work.mkdir()
    float_graph = FloatGraph(wrapped, source, frozenset(tiny.HEAD), tiny.pictures(16))
    return VARIANTS[name].make(float_graph, work).graph
