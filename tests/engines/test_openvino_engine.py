from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from edge_runtime import engines
from edge_runtime.engines.onnxruntime_engine import OnnxRuntimeEngine
from edge_runtime.errors import EngineError
from export_tools import default_models
from tests import colour_classifier

ov = pytest.importorskip("openvino", reason="OpenVINO is an extra: pip install openvino")

from edge_runtime.engines.openvino_engine import PRECISION_KEY, OpenVinoEngine, core  # noqa: E402

DETECTOR = Path(default_models.__file__).parent / "detector" / "float.onnx"


@pytest.fixture
def graph(colour_bundle: Path) -> Path:
    return colour_bundle / "graphs" / "fp32.onnx"


@pytest.fixture
def ir(graph: Path, tmp_path: Path) -> Path:
    """The same graph as OpenVINO writes it: two files."""
    file = tmp_path / "graph.xml"
    ov.save_model(core().read_model(str(graph)), str(file), compress_to_fp16=False)
    return file


def picture(batch: int = 1, height: int = 128, width: int = 128) -> np.ndarray:
    return np.random.default_rng(0).uniform(0, 255, (batch, 3, height, width)).astype(np.float32)


def test_the_engine_is_there_where_openvino_is() -> None:
    assert "openvino" in engines.available()
    assert isinstance(engines.get("openvino"), OpenVinoEngine)


@pytest.mark.parametrize("form", ["graph", "ir"])
def test_onnx_and_openvino_graphs_give_what_onnxruntime_gives(
    form: str, graph: Path, request: pytest.FixtureRequest
) -> None:
    file: Path = request.getfixturevalue(form)
    (ours,) = OpenVinoEngine().open(file, input_name="images", threads=1).run(picture(), ["output"])
    (theirs,) = OnnxRuntimeEngine().open(graph, input_name="images", threads=1).run(picture(), ["output"])
    assert ours.shape == (1, 336, 8)
    np.testing.assert_allclose(ours, theirs, atol=1e-4)


def test_outputs_come_by_their_names_in_the_order_asked_for() -> None:
    image = np.random.default_rng(0).normal(size=(1, 3, 384, 512)).astype(np.float32)
    session = OpenVinoEngine().open(DETECTOR, input_name="image", threads=1)
    scores, boxes = session.run(image, ["scores", "boxes"])
    expected = OnnxRuntimeEngine().open(DETECTOR, input_name="image", threads=1).run(image, ["scores", "boxes"])
    # bfloat16, which OpenVINO would take by itself on some CPUs, is 1,000 times further off.
    np.testing.assert_allclose(scores, expected[0], atol=1e-5)
    np.testing.assert_allclose(boxes, expected[1], atol=1e-2)


def test_a_free_batch_takes_any_number_of_pictures(tmp_path: Path) -> None:
    file = colour_classifier.build_bundle(tmp_path / "colours").folder / "graphs" / "fp32.onnx"
    session = OpenVinoEngine().open(file, input_name="image", threads=1)
    reference = OnnxRuntimeEngine().open(file, input_name="image", threads=1)
    for batch in (3, 1, 2):
        (ours,) = session.run(image := picture(batch, 32, 32), ["logits"])
        assert ours.shape == (batch, 3)
        np.testing.assert_allclose(ours, reference.run(image, ["logits"])[0], rtol=1e-4, atol=1e-3)


def test_a_result_stays_what_it_was_when_the_next_picture_is_run(graph: Path) -> None:
    session = OpenVinoEngine().open(graph, input_name="images", threads=1)
    (first,) = session.run(picture(), ["output"])
    before = first.copy()
    session.run(255 - picture(), ["output"])
    np.testing.assert_array_equal(first, before)


def test_inference_is_told_to_whoever_asks_and_no_copies_are(graph: Path) -> None:
    told: list[str] = []
    OpenVinoEngine().open(graph, input_name="images", threads=1).run(picture(), ["output"], told.append)
    assert told == ["infer"]


def test_16_bit_arithmetic_is_used_only_where_the_graph_was_made_for_it(graph: Path, tmp_path: Path) -> None:
    def precision(file: Path) -> str:
        session = OpenVinoEngine().open(file, input_name="images", threads=1)
        return str(session._compiled.get_property("INFERENCE_PRECISION_HINT").get_type_name())

    model = core().read_model(str(graph))
    ov.save_model(model, str(tmp_path / "halved.xml"), compress_to_fp16=True)
    assert precision(graph) == precision(tmp_path / "halved.xml") == "f32"
    model.set_rt_info("fp16", list(PRECISION_KEY))
    ov.save_model(model, str(tmp_path / "made.xml"), compress_to_fp16=True)
    # Asked for f16, OpenVINO takes bfloat16 on a CPU that has only that.
    has_half = "FP16" in core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    assert precision(tmp_path / "made.xml") == ("f16" if has_half else "f32")


def test_threads_are_as_many_as_asked_for_and_do_nothing_between_two_photos(graph: Path) -> None:
    session = OpenVinoEngine().open(graph, input_name="images", threads=2)
    assert session._compiled.get_property("INFERENCE_NUM_THREADS") == 2
    session.run(picture(), ["output"])
    before = time.process_time()
    time.sleep(0.3)
    assert time.process_time() - before < 0.03


def test_an_input_of_another_name_is_refused_with_both_names(graph: Path) -> None:
    with pytest.raises(EngineError, match=r"\['images'\].*'picture'"):
        OpenVinoEngine().open(graph, input_name="picture", threads=1)


def test_a_graph_without_its_weights_file_is_an_error_that_names_it(ir: Path) -> None:
    ir.with_suffix(".bin").unlink()
    with pytest.raises(EngineError, match=r"graph\.xml: openvino: cannot load"):
        OpenVinoEngine().open(ir, input_name="images", threads=1)


def test_a_damaged_graph_is_an_error_that_names_it(graph: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(graph.read_bytes()[:500])
    with pytest.raises(EngineError, match=r"broken\.onnx"):
        OpenVinoEngine().open(broken, input_name="images", threads=1)


def test_an_input_of_another_shape_is_an_error_and_not_an_empty_result(graph: Path) -> None:
    session = OpenVinoEngine().open(graph, input_name="images", threads=1)
    with pytest.raises(EngineError, match="inference failed"):
        session.run(picture(1, 64, 64), ["output"])


def test_an_output_that_the_graph_lacks_is_an_error(graph: Path) -> None:
    session = OpenVinoEngine().open(graph, input_name="images", threads=1)
    with pytest.raises(EngineError, match="nothing"):
        session.run(picture(), ["nothing"])


def test_an_operator_that_openvino_lacks_is_an_error_that_names_it(tmp_path: Path) -> None:
    node = helper.make_node("Abacus", ["image"], ["beads"], domain="com.example")
    image, beads = (helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 3, 8, 8]) for name in ("image", "beads"))
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("com.example", 1)]
    file = tmp_path / "abacus.onnx"
    onnx.save(helper.make_model(helper.make_graph([node], "g", [image], [beads]), opset_imports=opsets), str(file))
    with pytest.raises(EngineError, match="Abacus"):
        OpenVinoEngine().open(file, input_name="image", threads=1)


def test_a_machine_without_openvino_hears_how_to_get_it(graph: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "openvino", None)
    with pytest.raises(EngineError, match="pip install openvino"):
        OpenVinoEngine().open(graph, input_name="images", threads=1)


def test_a_signal_is_handled_after_two_graphs_were_closed_in_the_order_of_their_opening(graph: Path) -> None:
    code = (
        "import pathlib, signal, sys\n"
        "from edge_runtime.engines.openvino_engine import OpenVinoEngine\n"
        "graph = pathlib.Path(sys.argv[1])\n"
        "first, second = (OpenVinoEngine().open(graph, input_name='images', threads=1) for _ in range(2))\n"
        "del first\n"
        "del second\n"
        "signal.signal(signal.SIGTERM, lambda *_: print('handled'))\n"
        "signal.raise_signal(signal.SIGTERM)\n"
    )
    ran = subprocess.run([sys.executable, "-c", code, str(graph)], capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stdout) == (0, "handled\n")


def test_loading_and_running_says_nothing_to_anybody(graph: Path, tmp_path: Path) -> None:
    code = (
        "import sys, pathlib, numpy, socket\n"
        "sys.addaudithook(lambda event, _: print(event) if event.startswith('socket.') else None)\n"
        "from edge_runtime.engines.openvino_engine import OpenVinoEngine\n"
        "session = OpenVinoEngine().open(pathlib.Path(sys.argv[1]), input_name='images', threads=1)\n"
        "session.run(numpy.zeros((1, 3, 128, 128), numpy.float32), ['output'])\n"
        "print('openvino_telemetry.main' in sys.modules)\n"
    )
    environment = {"HOME": str(tmp_path), "PATH": "/usr/bin:/bin"}
    run = [sys.executable, "-c", code, str(graph)]
    said = subprocess.run(run, capture_output=True, text=True, check=True, env=environment).stdout
    assert said == "False\n"
    assert list(tmp_path.iterdir()) == []
