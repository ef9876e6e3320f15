from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import onnxruntime
import pytest
import torch

from export_tools.checkpoints.errors import CheckpointError
from export_tools.checkpoints.reading import Checkpoint, read
from export_tools.loaders.mit_yolo import MitYolo
from export_tools.model import Model, Request
from export_tools.networks.gelan import COMPACT, SMALL, Gelan
from tests.export_tools.loaders.reacting import calibrate, photos, spread

SIZE = (128, 96)


@pytest.fixture(scope="module")
def state() -> dict[str, torch.Tensor]:
    """The tensors of a v9-S checkpoint as Lightning saves them, random but calibrated on photographs."""
    torch.manual_seed(1)
    network = Gelan(SMALL, 3, auxiliary=True)
    for name, module in network.layers["22"].named_modules():
        if isinstance(module, torch.nn.Conv2d) and module.bias is not None:
            torch.nn.init.normal_(module.weight, std=0.2 if "class" in name else 0.1)
    grids_of(network)
    calibrate(network, photos(*SIZE, MitYolo.preprocess))
    return {f"model.model.{key}": value for key, value in network.layers.state_dict().items()}


def grids_of(network: Gelan) -> None:
    """Give a network, its parallel convolutions still apart, the grids that it needs to run."""
    settled = Gelan(replace(SMALL, repeats=1), 3, auxiliary=False)
    settled.settle(*SIZE)
    for name, buffer in settled.named_buffers(recurse=False):
        network.register_buffer(name, buffer, persistent=False)


Save = Callable[[dict[str, torch.Tensor]], Checkpoint]


@pytest.fixture(scope="module")
def written(state: dict[str, torch.Tensor], tmp_path_factory: pytest.TempPathFactory) -> Checkpoint:
    file = tmp_path_factory.mktemp("checkpoints") / "last.ckpt"
    lightning: dict[str, Any] = {"epoch": 3, "global_step": 9, "pytorch-lightning_version": "2.4.0", "loops": {}}
    torch.save({**lightning, "state_dict": state}, file)
    return read(file)


@pytest.fixture
def save(written: Checkpoint) -> Save:
    """The checkpoint with other tensors in it."""
    return lambda state: replace(written, content={**written.content, "state_dict": state})


def load(checkpoint: Checkpoint, **asked: Any) -> Model:
    return MitYolo().load(checkpoint, Request(checkpoint.path, "detector", **{"size": SIZE, **asked}))


def test_the_layout_is_the_published_one() -> None:
    # The published sizes, with the branch for training: 9.7 and 51 million parameters.
    sizes = {plan.name: Gelan(plan, 3, auxiliary=True) for plan in (SMALL, COMPACT)}
    counts = {name: sum(value.numel() for value in network.parameters()) for name, network in sizes.items()}
    assert counts == {"YOLOv9-S": 9_744_978, "YOLOv9-C": 51_004_274}
    keys = sizes["YOLOv9-S"].layers.state_dict()
    for key, shape in {
        "2.conv1.conv.weight": (64, 64, 1, 1),
        "4.conv2.0.bottleneck.2.conv1.conv2.bn.running_var": (32,),
        "9.conv5.conv.weight": (256, 512, 1, 1),
        "16.conv.conv.weight": (96, 128, 3, 3),
        "22.heads.0.anchor_conv.1.conv.weight": (64, 16, 3, 3),
        "22.heads.2.class_conv.2.bias": (3,),
        "22.heads.1.anc2vec.anc2vec.weight": (1, 16, 1, 1, 1),
        "30.heads.2.class_conv.0.conv.weight": (128, 256, 3, 3),
    }.items():
        assert tuple(keys[key].shape) == shape, key
    keys = sizes["YOLOv9-C"].layers.state_dict()
    for key, shape in {
        "3.conv2.conv.weight": (128, 128, 1, 1),
        "25.conv.bias": (1280,),
        "31.conv1.conv.weight": (256, 256, 1, 1),
        "38.heads.0.class_conv.2.weight": (3, 512, 1, 1),
    }.items():
        assert tuple(keys[key].shape) == shape, key


def test_a_checkpoint_is_recognised_and_becomes_a_detector(written: Checkpoint) -> None:
    assert MitYolo().recognises(written)
    model = load(written)
    assert model.description.licence == "MIT" and model.description.thresholds.confident == 0.2
    assert [label.kind for label in model.labels] == ["animal", "person", "vehicle"]
    modules = dict(model.network.named_modules())
    assert all(isinstance(modules[name], torch.nn.Conv2d) for name in model.float_modules) and model.float_modules
    boxes, scores = model.network(torch.zeros(1, 3, SIZE[1], SIZE[0]))
    cells = 16 * 12 + 8 * 6 + 4 * 3
    assert boxes.shape == (1, cells, 4) and scores.shape == (1, cells, 3)
    assert not any(key.startswith(("layers.23", "layers.30")) for key in model.network.state_dict())


def test_it_answers_to_what_it_sees(state: dict[str, torch.Tensor], save: Save) -> None:
    model = load(save(state))
    first, second = (model.network(image) for image in photos(*SIZE, model.description.preprocess)[:2])
    assert spread(first[1], second[1]) > 0.1 and first[1].std() > 0.01
    assert (first[0] - second[0]).abs().mean() > 0.5, "pixels"


def test_merging_parallel_convolutions_changes_nothing(state: dict[str, torch.Tensor], save: Save) -> None:
    model = load(save(state))
    apart = Gelan(SMALL, 3, auxiliary=True)
    apart.layers.load_state_dict({key.removeprefix("model.model."): value for key, value in state.items()})
    grids_of(apart)
    apart.eval()
    for image in photos(*SIZE, model.description.preprocess):
        for ours, expected in zip(model.network(image), apart(image), strict=True):
            assert torch.allclose(ours, expected, atol=1e-3, rtol=1e-3)


def test_the_onnx_graph_gives_what_pytorch_gives(state: dict[str, torch.Tensor], save: Save, tmp_path: Path) -> None:
    model = load(save(state))
    images = photos(*SIZE, model.description.preprocess)
    file = tmp_path / "graph.onnx"
    torch.onnx.export(
        model.network, (images[0],), str(file), input_names=["image"], output_names=list(model.outputs),
        opset_version=17, dynamo=False,
    )  # fmt: skip
    session = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
    for image in images:
        boxes, scores = session.run(list(model.outputs), {"image": image.numpy()})
        expected_boxes, expected_scores = model.network(image)
        assert abs(boxes - expected_boxes.numpy()).max() < 0.05
        assert abs(scores - expected_scores.numpy()).max() < 1e-4


def test_a_checkpoint_without_the_branch_for_training_loads_too(state: dict[str, torch.Tensor], save: Save) -> None:
    bare = {key: value for key, value in state.items() if int(key.split(".")[2]) <= 22}
    image = photos(*SIZE, MitYolo.preprocess)[0]
    full = load(save(state)).network(image)
    assert all(torch.equal(one, other) for one, other in zip(full, load(save(bare)).network(image), strict=True))


def test_missing_surplus_and_unlike_keys_are_named(state: dict[str, torch.Tensor], save: Save) -> None:
    key = "model.model.12.conv3.1.bn.running_mean"
    for damaged, says in (
        ({name: value for name, value in state.items() if name != key}, "missing: 12.conv3.1.bn.running_mean"),
        ({**state, "model.model.12.extra": torch.zeros(1)}, "surplus: 12.extra"),
        ({**state, key: torch.zeros(7)}, r"12.conv3.1.bn.running_mean is \(7,\)"),
        ({**state, "teacher.weight": torch.zeros(1)}, "none of its network's: teacher.weight"),
        ({**state, "model.model.0.conv.weight": torch.zeros(48, 3, 3, 3)}, "a first layer of 48 channels"),
    ):
        with pytest.raises(CheckpointError, match=says):
            load(save(damaged))


def test_distances_in_other_units_are_refused(state: dict[str, torch.Tensor], save: Save) -> None:
    key = "model.model.22.heads.0.anc2vec.anc2vec.weight"
    with pytest.raises(CheckpointError, match="distances mean something else"):
        load(save({**state, key: state[key] * 2}))


def test_a_size_that_the_strides_do_not_divide_is_refused(state: dict[str, torch.Tensor], save: Save) -> None:
    with pytest.raises(CheckpointError, match="a multiple of 32, not 100x96"):
        load(save(state), size=(100, 96))


def test_other_checkpoints_are_not_recognised(save: Save) -> None:
    assert not MitYolo().recognises(save({"net.classifier.weight": torch.zeros(1)}))


@pytest.mark.slow
def test_the_large_one_loads_strictly(save: Save) -> None:
    network = Gelan(COMPACT, 3, auxiliary=True)
    state = {f"model.model.{key}": value for key, value in network.layers.state_dict().items()}
    model = load(save(state), size=(64, 64))
    boxes, scores = model.network(torch.rand(1, 3, 64, 64))
    assert boxes.shape == (1, 84, 4) and scores.shape == (1, 84, 3)
    assert sum(value.numel() for value in model.network.parameters()) == pytest.approx(25.4e6, rel=0.02)
