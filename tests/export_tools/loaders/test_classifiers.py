from __future__ import annotations

import json
import logging
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_runtime.bundles.tables import Label
from edge_runtime.errors import BundleError, CamtrapEdgeError

torch = pytest.importorskip("torch")
if find_spec("timm") is None or find_spec("torchvision") is None:
    pytest.skip("timm or torchvision is missing", allow_module_level=True)

from torch import Tensor, nn  # noqa: E402

from edge_runtime.models.heads import SCORE_HEADS  # noqa: E402
from export_tools.checkpoints.errors import CheckpointError  # noqa: E402
from export_tools.checkpoints.reading import Checkpoint, read  # noqa: E402
from export_tools.loaders import labels  # noqa: E402
from export_tools.loaders.active_learning import ActiveLearningLoader  # noqa: E402
from export_tools.loaders.efficientnet_lite0 import EfficientNetLite0Loader  # noqa: E402
from export_tools.loaders.megadescriptor import MegaDescriptorLoader  # noqa: E402
from export_tools.loaders.miewid import MiewIDLoader  # noqa: E402
from export_tools.loaders.pytorch_wildlife import PytorchWildlifeLoader  # noqa: E402
from export_tools.loaders.timm_classifier import TimmLoader  # noqa: E402
from export_tools.loaders.torchvision_classifier import TorchvisionLoader  # noqa: E402
from export_tools.model import Request  # noqa: E402
from export_tools.networks.packages import need  # noqa: E402
from tests.export_tools.loaders import random_networks  # noqa: E402

LOADERS = (
    ActiveLearningLoader(),
    EfficientNetLite0Loader(),
    MegaDescriptorLoader(),
    MiewIDLoader(),
    PytorchWildlifeLoader(),
    TimmLoader(),
    TorchvisionLoader(),
)


def saved(content: Any, file: Path) -> Checkpoint:
    torch.save(content, file)
    return read(file)


def request(checkpoint: Checkpoint, **wanted: Any) -> Request:
    return Request(checkpoint.path, "classifier", **wanted)


def recognised(checkpoint: Checkpoint) -> list[str]:
    return [loader.family for loader in LOADERS if loader.recognises(checkpoint)]


class Published(nn.Module):
    """The layout of Pytorch-Wildlife's Lightning modules: `net.feature` without a last layer, `net.classifier`."""

    def __init__(self, architecture: str, outputs: int) -> None:
        super().__init__()
        feature = need("torchvision.models").get_model(architecture, weights=None)
        inside = feature.fc.in_features
        feature.fc = nn.Identity()
        self.net = nn.ModuleDict({"feature": feature, "classifier": nn.Linear(inside, outputs)})

    def forward(self, image: Tensor) -> Tensor:
        return self.net["classifier"](self.net["feature"](image))


def published(architecture: str, outputs: int) -> Published:
    network = random_networks.seeded(lambda: Published(architecture, outputs))
    assert isinstance(network, Published)
    images = random_networks.pictures(64, 64)
    random_networks.calibrate(network, images)
    random_networks.spread(network, network.net["classifier"], images)
    return network


@pytest.mark.parametrize(
    ("architecture", "classes", "first", "kinds"),
    [
        ("resnet50", 36, "Dasyprocta", {"Human": "person", "Unknown": "other"}),
        ("resnet18", 10, "wildebeest", {"other": "other"}),
    ],
)
def test_pytorch_wildlifes_models_are_known_by_their_shapes(
    tmp_path: Path, architecture: str, classes: int, first: str, kinds: dict[str, str]
) -> None:
    network = published(architecture, classes)
    checkpoint = saved({"epoch": 3, "state_dict": network.state_dict()}, tmp_path / "model.ckpt")
    assert recognised(checkpoint) == ["pytorch-wildlife"]
    model = PytorchWildlifeLoader().load(checkpoint, request(checkpoint))
    images = random_networks.pictures(64, 64)
    (logits,) = random_networks.run(model, images)
    with torch.inference_mode():
        assert torch.equal(logits, network(images))
    assert random_networks.reacts(logits)
    assert model.labels[0] == Label(first, "animal") and len(model.labels) == classes
    assert {label.name: label.kind for label in model.labels if label.kind != "animal"} == kinds
    assert (model.description.licence, model.description.crop.shape, model.any_batch) == ("MIT", "box", True)
    assert (model.description.input.width, model.description.preprocess.resize) == (224, "stretch")


def test_the_opossums_one_logit_becomes_two_columns_whose_softmax_is_its_sigmoid(tmp_path: Path) -> None:
    network = published("resnet50", 1)
    checkpoint = saved({"state_dict": network.state_dict()}, tmp_path / "opossum.ckpt")
    model = PytorchWildlifeLoader().load(checkpoint, request(checkpoint))
    images = random_networks.pictures(64, 64)
    graph = random_networks.export(model, tmp_path / "opossum.onnx", images)
    scores = SCORE_HEADS["softmax"]([graph["logits"]])
    with torch.inference_mode():
        truth = torch.sigmoid(network(images))[:, 0].numpy()
    assert np.abs(scores[:, 1] - truth).max() < 1e-4 and np.abs(scores[:, 0] - (1 - truth)).max() < 1e-4
    assert truth.max() > 0.8 and truth.min() < 0.2
    assert [(label.name, label.kind) for label in model.labels] == [("Non-opossum", "other"), ("Opossum", "animal")]


def test_a_custom_pytorch_wildlife_model_needs_labels_and_takes_them(tmp_path: Path) -> None:
    checkpoint = saved({"state_dict": published("resnet18", 3).state_dict()}, tmp_path / "custom.ckpt")
    with pytest.raises(BundleError, match=r"3 classes.*--labels"):
        PytorchWildlifeLoader().load(checkpoint, request(checkpoint))
    names = tmp_path / "names.txt"
    names.write_text("tapir\nempty\nperson\n", encoding="utf-8")
    model = PytorchWildlifeLoader().load(checkpoint, request(checkpoint, labels=names, licence="CC0-1.0"))
    assert [label.kind for label in model.labels] == ["animal", "other", "person"]
    assert model.description.licence == "CC0-1.0"


def test_missing_surplus_and_unlike_keys_are_named(tmp_path: Path) -> None:
    state = published("resnet18", 10).state_dict()
    del state["net.feature.layer3.0.conv1.weight"]
    state["net.feature.extra"] = torch.zeros(1)
    state["net.feature.bn1.bias"] = torch.zeros(7)
    checkpoint = saved({"state_dict": state}, tmp_path / "broken.ckpt")
    with pytest.raises(CheckpointError) as error:
        PytorchWildlifeLoader().load(checkpoint, request(checkpoint))
    for part in (
        "missing: feature.layer3.0.conv1.weight",
        "surplus: feature.extra",
        "feature.bn1.bias is (7,), not (64,)",
    ):
        assert part in str(error.value)


@pytest.mark.parametrize("name", ["resnet18", "mobilenet_v3_small", "efficientnet_b0"])
def test_torchvisions_architectures_are_known_by_names_and_shapes(tmp_path: Path, name: str) -> None:
    network = random_networks.seeded(lambda: need("torchvision.models").get_model(name, weights=None, num_classes=4))
    images = random_networks.pictures(64, 64)
    random_networks.calibrate(network, images)
    last = network.fc if name == "resnet18" else network.classifier[-1]
    random_networks.spread(network, last, images)
    content = {"state_dict": network.state_dict(), "classes": ["lynx", "wolf", "empty", "car"]}
    checkpoint = saved(content, tmp_path / "model.pt")
    assert recognised(checkpoint) == ["torchvision"]
    model = TorchvisionLoader().load(checkpoint, request(checkpoint))
    assert [label.kind for label in model.labels] == ["animal", "animal", "other", "vehicle"]
    (logits,) = random_networks.run(model, images)
    with torch.inference_mode():
        assert torch.equal(logits, network(images)) and random_networks.reacts(logits)
    graph = random_networks.export(model, tmp_path / "graph.onnx", images)
    # Random weights magnify rounding: what the network itself is off by in float32 is the measure then.
    with torch.inference_mode():
        rounding = (network.double()(images.double()) - logits).abs().amax(1)
    assert (np.abs(graph["logits"] - logits.numpy()).max(1) <= np.maximum(1e-4, 5 * rounding.numpy())).all()
    preprocess = model.description.preprocess
    assert (preprocess.resize, preprocess.short_side) == ("centre-crop", 256)


def test_a_pickled_torchvision_network_is_read_without_its_code(tmp_path: Path) -> None:
    network = random_networks.seeded(lambda: need("torchvision.models").resnet18(weights=None, num_classes=2))
    checkpoint = saved(network.eval(), tmp_path / "whole.pt")
    names = tmp_path / "names.txt"
    names.write_text("lynx\nwolf\n", encoding="utf-8")
    model = TorchvisionLoader().load(checkpoint, request(checkpoint, labels=names))
    images = random_networks.pictures(64, 64)
    with torch.inference_mode():
        assert torch.equal(random_networks.run(model, images)[0], network(images))


def test_an_architecture_that_nobody_names_is_asked_for(tmp_path: Path) -> None:
    network = need("torchvision.models").squeezenet1_1(weights=None, num_classes=2)
    names = tmp_path / "names.txt"
    names.write_text("lynx\nwolf\n", encoding="utf-8")
    checkpoint = saved(network.state_dict(), tmp_path / "model.pt")
    assert recognised(checkpoint) == []
    with pytest.raises(CheckpointError, match="--family torchvision:"):
        TorchvisionLoader().load(checkpoint, request(checkpoint, labels=names))
    named = request(checkpoint, labels=names, family="torchvision:squeezenet1_1")
    assert len(TorchvisionLoader().load(checkpoint, named).labels) == 2
    with pytest.raises(CamtrapEdgeError, match="no classifier 'resnet5'"):
        TorchvisionLoader().load(checkpoint, request(checkpoint, family="torchvision:resnet5"))


def test_timms_config_beside_the_weights_says_everything(tmp_path: Path) -> None:
    from safetensors.torch import save_file

    network = random_networks.seeded(lambda: need("timm").create_model("mobilenetv3_small_050", num_classes=3))
    images = random_networks.pictures(64, 64)
    random_networks.calibrate(network, images)
    random_networks.spread(network, network.classifier, images)
    save_file(network.state_dict(), tmp_path / "model.safetensors")
    recipe = {
        "input_size": [3, 128, 128],
        "mean": [0.1, 0.2, 0.3],
        "std": [0.4, 0.5, 0.6],
        "crop_pct": 0.8,
        "interpolation": "bilinear",
    }
    config = {"architecture": "mobilenetv3_small_050", "num_classes": 3, "label_names": ["lynx", "wolf", "unknown"]}
    (tmp_path / "config.json").write_text(json.dumps({**config, "pretrained_cfg": recipe}), encoding="utf-8")
    checkpoint = read(tmp_path / "model.safetensors")
    assert recognised(checkpoint) == ["timm"]
    model = TimmLoader().load(checkpoint, request(checkpoint))
    (logits,) = random_networks.run(model, images)
    with torch.inference_mode():
        assert torch.equal(logits, network(images)) and random_networks.reacts(logits)
    rule = model.description.preprocess
    assert (model.description.input.width, rule.short_side, rule.interpolation) == (128, 160, "pillow-bilinear")
    assert (rule.mean, rule.std) == ((0.1, 0.2, 0.3), (0.4, 0.5, 0.6))
    assert [label.name for label in model.labels] == ["lynx", "wolf", "unknown"]


@pytest.mark.parametrize(
    ("config", "problem"),
    [
        ("{", "cannot be read"),
        ("[]", "is no JSON object"),
        ('{"architecture": "resnet10t", "mean": "grey"}', "its recipe cannot be used"),
        ('{"architecture": "resnet10t", "crop_mode": "border"}', "crop_mode 'border'"),
        ('{"architecture": "resnet10t", "interpolation": "nearest"}', "interpolation 'nearest'"),
        ('{"architecture": "resnet10t", "model_args": {"wings": 2}}', "cannot build resnet10t"),
    ],
)
def test_a_config_that_cannot_be_used_is_a_clear_error(tmp_path: Path, config: str, problem: str) -> None:
    network = need("timm").create_model("resnet10t", num_classes=2)
    (tmp_path / "config.json").write_text(config, encoding="utf-8")
    names = tmp_path / "names.txt"
    names.write_text("lynx\nwolf\n", encoding="utf-8")
    checkpoint = saved(network.state_dict(), tmp_path / "model.pt")
    with pytest.raises(CheckpointError, match=problem):
        TimmLoader().load(checkpoint, request(checkpoint, labels=names))


def test_a_timm_swin_of_the_old_layout_loads_and_is_no_megadescriptor(tmp_path: Path) -> None:
    name = "swin_tiny_patch4_window7_224"
    network = random_networks.seeded(lambda: need("timm").create_model(name, num_classes=3)).eval()
    images = random_networks.pictures(224, 224)[:3]
    random_networks.spread(network, network.head.fc, images)
    old = {}
    for key, tensor in network.state_dict().items():
        stage, _, rest = key.removeprefix("layers.").partition(".")
        old[f"layers.{int(stage) - 1}.{rest}" if rest.startswith("downsample") else key] = tensor
    old["layers.0.blocks.0.attn.relative_position_index"] = torch.zeros(49, 49, dtype=torch.int64)
    checkpoint = saved(old, tmp_path / "swin.pt")
    names = tmp_path / "names.txt"
    names.write_text("lynx\nwolf\nbear\n", encoding="utf-8")
    assert recognised(checkpoint) == []
    with pytest.raises(CheckpointError, match=r"surplus: head\.fc\.weight, head\.fc\.bias"):
        MegaDescriptorLoader().load(checkpoint, request(checkpoint))
    model = TimmLoader().load(checkpoint, request(checkpoint, labels=names, family=f"timm:{name}"))
    (logits,) = random_networks.run(model, images)
    with torch.inference_mode():
        assert torch.equal(logits, network(images))
    assert float(logits.std(0).mean()) > 0.5


def test_a_wrappers_name_before_every_key_is_taken_off(tmp_path: Path) -> None:
    network = need("timm").create_model("resnet10t", num_classes=2)
    state = {f"base_model.{key}": tensor.half() for key, tensor in network.state_dict().items()}
    names = tmp_path / "names.txt"
    names.write_text("lynx\nwolf\n", encoding="utf-8")
    checkpoint = saved({"state_dict": state, "args": {"num_classes": 2}}, tmp_path / "deepfaune.pt")
    model = TimmLoader().load(checkpoint, request(checkpoint, labels=names, family="timm:resnet10t"))
    assert {tensor.dtype for tensor in model.network.parameters()} == {torch.float32}
    with pytest.raises(CheckpointError, match="nothing says which of timm's networks"):
        TimmLoader().load(checkpoint, request(checkpoint, labels=names))


def test_a_name_that_timm_lacks_is_an_error(tmp_path: Path) -> None:
    checkpoint = saved({"architecture": "resnet5000", "state_dict": {"x": torch.zeros(1)}}, tmp_path / "model.pt")
    with pytest.raises(CamtrapEdgeError, match="knows no network 'resnet5000'"):
        TimmLoader().load(checkpoint, request(checkpoint))


def test_labels_are_names_or_a_table_and_guessed_kinds_are_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    names = tmp_path / "names.txt"
    names.write_text("Panthera leo\nHomo sapiens\nmotorcycle\nNon-opossum\nUNKNOWN\n\n", encoding="utf-8")
    with caplog.at_level(logging.WARNING):
        found = labels.read(names)
    assert [label.kind for label in found] == ["animal", "person", "vehicle", "other", "other"]
    assert "guessed" in caplog.text and "'Homo sapiens' person" in caplog.text
    table = tmp_path / "table.csv"
    table.write_text("index,label,kind\n0,truck,animal\n1,lion,animal\n", encoding="utf-8")
    assert labels.read(table) == (Label("truck", "animal"), Label("lion", "animal"))


@pytest.mark.parametrize(
    ("text", "problem"),
    [("", "is empty"), ("a\n\nb\n", "line 2: is empty"), ("a\nb\na\n", "line 1: 'a' stands twice")],
)
def test_a_list_of_labels_that_would_shift_or_merge_classes_is_refused(tmp_path: Path, text: str, problem: str) -> None:
    names = tmp_path / "names.txt"
    names.write_text(text, encoding="utf-8")
    with pytest.raises(BundleError, match=problem):
        labels.read(names)


def test_as_many_labels_as_classes_are_needed(tmp_path: Path) -> None:
    names = tmp_path / "names.txt"
    names.write_text("lynx\n", encoding="utf-8")
    with pytest.raises(BundleError, match="1 labels, but the network has 2 classes"):
        labels.resolve(names, (), 2, tmp_path / "model.pt")


def test_foreign_state_dicts_are_recognised_by_nobody(tmp_path: Path) -> None:
    contents: list[Any] = [{"model.0.conv.weight": torch.zeros(1)}, {"state_dict": {"a": 1}}, [1, 2], "text"]
    for number, content in enumerate(contents):
        assert recognised(saved(content, tmp_path / f"{number}.pt")) == []
    assert recognised(read(tmp_path)) == []
