from __future__ import annotations

import csv
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
if find_spec("timm") is None or find_spec("torchvision") is None:
    pytest.skip("timm or torchvision is missing", allow_module_level=True)

from torch import nn  # noqa: E402

from edge_runtime.errors import CamtrapEdgeError  # noqa: E402
from edge_runtime.models.preprocess import prepare  # noqa: E402
from export_tools.accuracy import running  # noqa: E402
from export_tools.checkpoints.errors import CheckpointError  # noqa: E402
from export_tools.checkpoints.reading import Checkpoint, read  # noqa: E402
from export_tools.loaders.megadescriptor import MegaDescriptorLoader  # noqa: E402
from export_tools.loaders.miewid import LICENCE, MiewIDLoader  # noqa: E402
from export_tools.loaders.timm_classifier import TimmLoader  # noqa: E402
from export_tools.model import Request  # noqa: E402
from export_tools.networks.gem import GeM  # noqa: E402
from export_tools.networks.packages import need  # noqa: E402
from tests.export_tools.loaders import random_networks  # noqa: E402

SMALL = "tinynet_e"
"""A network of the same sort as MiewID's, a twenty-fifth of its size."""


def request(checkpoint: Checkpoint, **wanted: Any) -> Request:
    return Request(checkpoint.path, "embedder", **wanted)


class Published(nn.Module):
    """MiewID's layout: `backbone`, `pooling.p`, `bn`. The pooling is the paper's formula, written another way."""

    def __init__(self, backbone: str) -> None:
        super().__init__()
        self.backbone = need("timm").create_model(backbone, pretrained=False)
        inside = self.backbone.classifier.in_features
        self.backbone.classifier = nn.Identity()
        self.backbone.global_pool = nn.Identity()
        self.pooling = nn.Module()
        self.pooling.p = nn.Parameter(torch.full((1,), 2.7))
        self.bn = nn.BatchNorm1d(inside)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        features = self.backbone.forward_features(image)
        powers = features.clamp(min=1e-6) ** self.pooling.p
        whole = nn.functional.avg_pool2d(powers, features.shape[-2:])
        return self.bn((whole ** (1.0 / self.pooling.p)).flatten(1))


def published(backbone: str, images: torch.Tensor) -> nn.Module:
    network = random_networks.seeded(lambda: Published(backbone))
    random_networks.calibrate(network, images)
    return network


def test_gem_is_the_mean_at_one_nears_the_maximum_and_exports_with_a_free_batch(tmp_path: Path) -> None:
    import onnxruntime

    features = torch.rand(3, 5, 6, 7, generator=torch.Generator().manual_seed(1)) + 0.1
    assert torch.allclose(GeM(p=1.0)(features), features.mean((-2, -1)), atol=1e-6)
    assert torch.allclose(GeM(p=60.0)(features), features.amax((-2, -1)), rtol=0.08)
    assert float(GeM(p=3.0)(-features).max()) == pytest.approx(1e-6, rel=1e-3)
    torch.onnx.export(
        GeM(p=2.5).eval(),
        (features[:2],),
        str(tmp_path / "gem.onnx"),
        input_names=["x"],
        output_names=["y"],
        dynamic_axes={"x": {0: "batch", 2: "height"}, "y": {0: "batch"}},
        opset_version=17,
        dynamo=False,
    )
    session = onnxruntime.InferenceSession(str(tmp_path / "gem.onnx"), providers=["CPUExecutionProvider"])
    for shown in (features, features[:1, :, :3]):
        with torch.inference_mode():
            assert np.abs(session.run(None, {"x": shown.numpy()})[0] - GeM(p=2.5)(shown).numpy()).max() < 1e-4


@pytest.mark.parametrize("suffix", [".safetensors", ".bin"])
def test_miewid_loads_from_both_kinds_of_file_and_its_graph_equals_it(tmp_path: Path, suffix: str) -> None:
    from safetensors.torch import save_file

    images = random_networks.pictures(96, 96)
    network = published(SMALL, images)
    file = tmp_path / f"model{suffix}"
    if suffix == ".bin":
        torch.save(network.state_dict(), file)
    else:
        save_file(network.state_dict(), file)
    checkpoint = read(file)
    assert MiewIDLoader().recognises(checkpoint) and not MegaDescriptorLoader().recognises(checkpoint)
    model = MiewIDLoader().load(checkpoint, request(checkpoint, family=f"miewid:{SMALL}"))
    (embeddings,) = random_networks.run(model, images)
    with torch.inference_mode():
        assert torch.allclose(embeddings, network(images), atol=1e-5)
    graph = random_networks.export(model, tmp_path / "graph.onnx", images)
    cosines = nn.functional.cosine_similarity(torch.from_numpy(graph["embedding"]), embeddings)
    assert cosines.min() >= 0.9999
    others = random_networks.alike(embeddings)[~torch.eye(len(images), dtype=torch.bool)]
    assert others.abs().mean() < 0.5, "the embedding does not depend on the picture"


def test_miewid_says_what_it_is(tmp_path: Path) -> None:
    network = published(SMALL, random_networks.pictures(64, 64))
    torch.save(network.state_dict(), tmp_path / "model.bin")
    checkpoint = read(tmp_path / "model.bin")
    description = MiewIDLoader().load(checkpoint, request(checkpoint, family=f"miewid:{SMALL}")).description
    assert (description.task, description.licence) == ("embedder", LICENCE)
    assert (description.input.width, description.input.height) == (440, 440)
    assert (description.preprocess.resize, description.preprocess.interpolation) == ("stretch", "pillow-bilinear")
    assert description.embedding is not None and description.embedding.dimensions == 1280
    assert len(description.version) == 12 and checkpoint.sha256.startswith(description.version)


def test_another_backbone_than_miewids_own_is_asked_for(tmp_path: Path) -> None:
    torch.save(Published(SMALL).state_dict(), tmp_path / "model.bin")
    checkpoint = read(tmp_path / "model.bin")
    with pytest.raises(CheckpointError, match=r"is no MiewID on efficientnetv2_rw_m: missing: .*--family miewid:NAME"):
        MiewIDLoader().load(checkpoint, request(checkpoint))
    with pytest.raises(CamtrapEdgeError, match="timm knows no network 'efficientnet_z9'"):
        MiewIDLoader().load(checkpoint, request(checkpoint, family="miewid:efficientnet_z9"))


def test_a_layer_that_miewid_has_not_is_named(tmp_path: Path) -> None:
    state = Published(SMALL).state_dict()
    state["final.weight"] = torch.zeros(3, 4)
    torch.save(state, tmp_path / "model.bin")
    checkpoint = read(tmp_path / "model.bin")
    with pytest.raises(CheckpointError, match=r"surplus: final\.weight"):
        MiewIDLoader().load(checkpoint, request(checkpoint, family=f"miewid:{SMALL}"))


@pytest.mark.slow
def test_miewid_at_its_own_size_ranks_the_turtles_as_its_graph_does(assets: Path, tmp_path: Path) -> None:
    """efficientnetv2_rw_m at 440 x 440, 2152 numbers: half a minute on one core."""
    folder = assets / "photos" / "wildlife_tools"
    network = published("efficientnetv2_rw_m", random_networks.pictures(128, 128)[::2])
    torch.save(network.state_dict(), tmp_path / "model.bin")
    checkpoint = read(tmp_path / "model.bin")
    model = MiewIDLoader().load(checkpoint, request(checkpoint))
    with (folder / "metadata.csv").open(encoding="utf-8") as stream:
        names = [row["path"] for row in csv.DictReader(stream)]
    files = sorted(folder.glob("*.JPG"))
    assert len(files) == len(names) == 4
    description = model.description
    crops = [prepare(running.read(file).pixels, description.input, description.preprocess)[0] for file in files]
    images = torch.from_numpy(np.concatenate(crops))
    (embeddings,) = random_networks.run(model, images)
    graph = torch.from_numpy(random_networks.export(model, tmp_path / "graph.onnx", images)["embedding"])
    assert embeddings.shape == (4, 2152)
    cosines = nn.functional.cosine_similarity(graph, embeddings)
    print("cosine, least:", float(cosines.min()))
    assert cosines.min() >= 0.9999
    assert torch.equal(random_networks.alike(graph).argsort(1), random_networks.alike(embeddings).argsort(1))


def test_a_smaller_megadescriptor_loads_from_the_old_layout_and_its_graph_equals_it(tmp_path: Path) -> None:
    network = random_networks.seeded(
        lambda: need("timm").create_model("swin_tiny_patch4_window7_224", num_classes=0)
    ).eval()
    old = {}
    for key, tensor in network.state_dict().items():
        stage, _, rest = key.removeprefix("layers.").partition(".")
        old[f"layers.{int(stage) - 1}.{rest}" if rest.startswith("downsample") else key] = tensor
    old["layers.0.blocks.1.attn_mask"] = torch.zeros(64, 49, 49)
    torch.save(old, tmp_path / "pytorch_model.bin")
    checkpoint = read(tmp_path / "pytorch_model.bin")
    assert MegaDescriptorLoader().recognises(checkpoint)
    assert not MiewIDLoader().recognises(checkpoint) and not TimmLoader().recognises(checkpoint)
    model = MegaDescriptorLoader().load(checkpoint, request(checkpoint))
    images = random_networks.pictures(224, 224)[::3]
    (embeddings,) = random_networks.run(model, images)
    with torch.inference_mode():
        assert torch.equal(embeddings, network(images))
    graph = random_networks.export(model, tmp_path / "graph.onnx", images)
    assert np.abs(graph["embedding"] - embeddings.numpy()).max() < 1e-4
    assert float(embeddings.std(0).mean()) > 0.1, "the embedding does not depend on the picture"
    description = model.description
    assert (description.name, description.licence) == ("megadescriptor-t-224", "CC-BY-NC-4.0")
    assert description.preprocess.mean == (0.5, 0.5, 0.5)
    with pytest.raises(CheckpointError, match="224x224 and no other"):
        MegaDescriptorLoader().load(checkpoint, request(checkpoint, size=(384, 384)))


@pytest.mark.slow
def test_the_layout_of_megadescriptor_l_384_loads(tmp_path: Path) -> None:
    """Swin-L, 195 million weights."""
    network = need("timm").create_model("swin_large_patch4_window12_384", num_classes=0).eval()
    torch.save(network.state_dict(), tmp_path / "pytorch_model.bin")
    checkpoint = read(tmp_path / "pytorch_model.bin")
    assert MegaDescriptorLoader().recognises(checkpoint)
    model = MegaDescriptorLoader().load(checkpoint, request(checkpoint))
    image = random_networks.pictures(384, 384)[:1]
    with torch.inference_mode():
        (embedding,) = model.network(image)
        assert torch.equal(embedding, network(image)) and embedding.shape == (1, 1536)
    assert (model.description.name, model.description.input.width) == ("megadescriptor-l-384", 384)
