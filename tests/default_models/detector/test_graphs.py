"""The graphs say what the network says."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import onnxruntime
import pytest
from skimage import data

torch = pytest.importorskip("torch", reason="needs the extra 'train'")

from edge_runtime.models.preprocess import prepare  # noqa: E402
from export_tools.default_models.detector import calibration, graphs, network  # noqa: E402


@pytest.fixture(scope="module")
def trained() -> network.DetectorNetwork:
    """The published backbone; pyramid and head are untrained, but their answers depend on the picture."""
    torch.manual_seed(3)
    made = network.pretrained().eval()
    with torch.no_grad():
        made.head.classes.weight.normal_(std=0.3)
    return made


@pytest.fixture(scope="module")
def written(trained: network.DetectorNetwork, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("graphs")
    graphs.export(trained, folder / "full.onnx")
    graphs.store_as_half(folder / "full.onnx", folder / "half.onnx")
    pictures = [cv2.resize(picture, (640, 480)) for picture in (data.chelsea(), data.astronaut(), data.coffee())]
    graphs.quantize(folder / "full.onnx", folder / "int8.onnx", pictures, work=folder)
    return folder


def answers(graph: Path, tensor: np.ndarray) -> list[np.ndarray]:
    session = onnxruntime.InferenceSession(str(graph), providers=["CPUExecutionProvider"])
    return session.run(list(graphs.OUTPUT.tensors), {graphs.INPUT.tensor: tensor})


@pytest.fixture(scope="module")
def tensor() -> np.ndarray:
    return prepare(data.rocket(), graphs.INPUT, graphs.PREPROCESS)[0]


def test_the_float_graph_gives_what_the_network_gives(
    trained: network.DetectorNetwork, written: Path, tensor: np.ndarray
) -> None:
    boxes, scores = answers(written / "full.onnx", tensor)
    with torch.no_grad():
        logits, expected = trained(torch.from_numpy(tensor))
    np.testing.assert_allclose(scores, torch.sigmoid(logits).numpy(), atol=1e-4)
    np.testing.assert_allclose(boxes, expected.numpy(), rtol=1e-3, atol=0.1)


def test_weights_stored_as_half_are_the_same_numbers_in_half_the_bytes(written: Path, tensor: np.ndarray) -> None:
    for full, half in zip(answers(written / "full.onnx", tensor), answers(written / "half.onnx", tensor), strict=True):
        np.testing.assert_array_equal(full, half)
    assert (written / "half.onnx").stat().st_size < 0.6 * (written / "full.onnx").stat().st_size


def test_the_quantized_graph_is_a_third_as_large_and_ranks_the_cells_alike(written: Path, tensor: np.ndarray) -> None:
    assert (written / "int8.onnx").stat().st_size < 0.35 * (written / "full.onnx").stat().st_size
    full, quantized = (answers(written / name, tensor)[1] for name in ("full.onnx", "int8.onnx"))
    assert np.ptp(full) > 1e-3, "the answers must depend on the picture for this test to mean anything"
    assert np.corrcoef(full.ravel(), quantized.ravel())[0, 1] > 0.9


def test_a_scale_moves_the_logits_of_its_class_as_it_says(tensor: np.ndarray) -> None:
    torch.manual_seed(4)
    made = network.pretrained().eval()
    scales = [
        calibration.Scale(factor, shift, 1, 1, 0.0, 0.0) for factor, shift in ((1.5, -0.25), (1.0, 0.0), (0.5, 2.0))
    ]
    with torch.no_grad():
        before = made(torch.from_numpy(tensor))[0]
        calibration.apply(made, scales)
        after = made(torch.from_numpy(tensor))[0]
    for category, scale in enumerate(scales):
        expected = scale.factor * before[..., category] + scale.shift
        torch.testing.assert_close(after[..., category], expected, rtol=1e-4, atol=1e-4)
