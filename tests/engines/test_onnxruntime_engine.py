from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from edge_runtime import engines
from edge_runtime.bundles import bundle as bundles
from edge_runtime.engines.onnxruntime_engine import OnnxRuntimeEngine
from edge_runtime.errors import EngineError


@pytest.fixture
def graph(colour_bundle: Path) -> Path:
    return colour_bundle / "graphs" / "fp32.onnx"


def test_a_graph_runs_and_gives_the_outputs_that_are_named(graph: Path) -> None:
    session = OnnxRuntimeEngine().open(graph, input_name="images", threads=1)
    (output,) = session.run(np.zeros((1, 3, 128, 128), np.float32), ["output"])
    assert output.shape == (1, 336, 8)


def test_an_input_of_another_name_is_refused_with_both_names(graph: Path) -> None:
    with pytest.raises(EngineError, match=r"\['images'\].*'picture'"):
        OnnxRuntimeEngine().open(graph, input_name="picture", threads=1)


def test_a_damaged_graph_is_an_error_that_names_it(graph: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(graph.read_bytes()[:500])
    with pytest.raises(EngineError, match=r"broken\.onnx"):
        OnnxRuntimeEngine().open(broken, input_name="images", threads=1)


def test_an_input_of_another_shape_is_an_error_and_not_an_empty_result(graph: Path) -> None:
    session = OnnxRuntimeEngine().open(graph, input_name="images", threads=1)
    with pytest.raises(EngineError, match="inference failed"):
        session.run(np.zeros((1, 3, 64, 64), np.float32), ["output"])


def test_threads_do_not_spin_while_nothing_is_to_do(graph: Path) -> None:
    session = OnnxRuntimeEngine().open(graph, input_name="images", threads=2)
    options = session._session.get_session_options()
    assert options.get_session_config_entry("session.intra_op.allow_spinning") == "0"
    assert options.intra_op_num_threads == 2


def test_the_first_variant_whose_engine_is_here_is_taken(colour_bundle: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(colour_bundle, tmp_path / "bundle"))
    manifest = (folder / "manifest.yaml").read_text()
    entry = manifest[manifest.index("- file: graphs") : manifest.index("files:")]
    shutil.copyfile(folder / "graphs" / "fp32.onnx", folder / "graphs" / "other.onnx")
    foreign = entry.replace("fp32.onnx", "other.onnx").replace("engine: onnxruntime", "engine: abacus")
    (folder / "manifest.yaml").write_text(manifest.replace(entry, foreign + entry))
    graph = engines.open_graph(bundles.load(folder, task="detector"), threads=1)
    assert graph.path.name == "fp32.onnx"
