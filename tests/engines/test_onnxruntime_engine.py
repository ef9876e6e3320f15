from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from edge_runtime import engines
from edge_runtime.bundles import bundle as bundles
from edge_runtime.device import cpu
from edge_runtime.engines.onnxruntime_engine import OnnxRuntimeEngine, session_options
from edge_runtime.errors import EngineError


@pytest.fixture
def graph(colour_bundle: Path) -> Path:
    return colour_bundle / "graphs" / "fp32.onnx"


def test_a_graph_runs_and_gives_the_outputs_that_are_named(graph: Path) -> None:
    session = OnnxRuntimeEngine().open(graph, input_name="images", threads=1)
    (output,) = session.run(np.zeros((1, 3, 128, 128), np.float32), ["output"])
    assert output.shape == (1, 336, 8)


def test_inference_is_told_to_whoever_asks_and_no_copies_are(graph: Path) -> None:
    told: list[str] = []
    session = OnnxRuntimeEngine().open(graph, input_name="images", threads=1)
    session.run(np.zeros((1, 3, 128, 128), np.float32), ["output"], told.append)
    assert told == ["infer"]


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


@pytest.mark.parametrize(("saturates", "precision"), [(True, "1"), (False, "0")])
def test_exact_but_slow_8_bit_sums_are_asked_for_only_where_the_fast_ones_saturate(
    saturates: bool, precision: str
) -> None:
    assert configured(session_options(1, int8_saturates=saturates), "session.x64quantprecision") == precision


def test_a_session_is_opened_as_this_cpu_wants_it(graph: Path) -> None:
    session = OnnxRuntimeEngine().open(graph, input_name="images", threads=1)
    asked = configured(session._session.get_session_options(), "session.x64quantprecision")
    assert asked == ("1" if cpu.int8_saturates() else "0")


def test_8_bit_sums_are_right_on_this_cpu(tmp_path: Path) -> None:
    # The largest U8 times the largest S8, twice, is 64,770: fast sums without VNNI stop at 32,767 and give 32.4.
    file = tmp_path / "sum.onnx"
    onnx.save(_largest_sum(), str(file))
    session = OnnxRuntimeEngine().open(file, input_name="ones", threads=1)
    (sums,) = session.run(np.ones((1, 64, 4, 4), np.float32), ["sums"])
    assert sums.min() == sums.max() == pytest.approx(64)


def _largest_sum() -> onnx.ModelProto:
    """A quantized convolution that sums 64 channels of 255 x 127, each product worth 1."""
    tensors = {
        "unit": np.array(1 / 255, np.float32),
        "zero": np.array(0, np.uint8),
        "weights": np.full((8, 64, 1, 1), 127, np.int8),
        "weight_unit": np.array(1 / 127, np.float32),
        "weight_zero": np.array(0, np.int8),
        "sum_unit": np.array(64 / 255, np.float32),
    }
    nodes = [
        helper.make_node("QuantizeLinear", ["ones", "unit", "zero"], ["u8"]),
        helper.make_node("DequantizeLinear", ["u8", "unit", "zero"], ["left"]),
        helper.make_node("DequantizeLinear", ["weights", "weight_unit", "weight_zero"], ["right"]),
        helper.make_node("Conv", ["left", "right"], ["sum"]),
        helper.make_node("QuantizeLinear", ["sum", "sum_unit", "zero"], ["sum_u8"]),
        helper.make_node("DequantizeLinear", ["sum_u8", "sum_unit", "zero"], ["sums"]),
    ]
    graph = helper.make_graph(
        nodes,
        "sum",
        [helper.make_tensor_value_info("ones", TensorProto.FLOAT, [1, 64, 4, 4])],
        [helper.make_tensor_value_info("sums", TensorProto.FLOAT, [1, 8, 4, 4])],
        [numpy_helper.from_array(value, name) for name, value in tensors.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 8
    return model


def configured(options: onnxruntime.SessionOptions, key: str) -> str:
    """An entry of the options; onnxruntime's default, "0", where nobody set it."""
    try:
        return options.get_session_config_entry(key)
    except RuntimeError:
        return "0"


def test_the_first_variant_whose_engine_is_here_is_taken(colour_bundle: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(colour_bundle, tmp_path / "bundle"))
    manifest = (folder / "manifest.yaml").read_text()
    entry = manifest[manifest.index("- file: graphs") : manifest.index("files:")]
    shutil.copyfile(folder / "graphs" / "fp32.onnx", folder / "graphs" / "other.onnx")
    foreign = entry.replace("fp32.onnx", "other.onnx").replace("engine: onnxruntime", "engine: abacus")
    (folder / "manifest.yaml").write_text(manifest.replace(entry, foreign + entry))
    graph = engines.open_graph(bundles.load(folder, task="detector"), threads=1)
    assert graph.path.name == "fp32.onnx"
