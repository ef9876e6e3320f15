from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import onnxruntime
import pytest
import torch

from export_tools.checkpoints.errors import CheckpointError
from export_tools.checkpoints.reading import Checkpoint, read
from export_tools.loaders.rtdetr import RtDetrV2
from export_tools.model import Model, Request
from export_tools.networks.rtdetr import R18, R101, RtDetr
from export_tools.networks.rtdetr_decoder import anchors_of
from tests.export_tools.loaders.reacting import calibrate, photos, spread

SIZE = (160, 96)


def published(network: RtDetr) -> dict[str, torch.Tensor]:
    """The tensors of a network as its authors' code saves them, with the anchors of 640 x 640."""
    anchors, valid = anchors_of(640, 640)
    stored = {"decoder.anchors": torch.where(valid, anchors, torch.inf), "decoder.valid_mask": valid}
    return {**network.state_dict(), **stored}


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Checkpoint:
    """R18vd as the Apache release saves it, random but calibrated on photographs."""
    torch.manual_seed(1)
    network = RtDetr(R18, 3)
    denoising = network.decoder.denoising_class_embed
    network.lay_out(*SIZE)
    calibrate(network, photos(*SIZE, RtDetrV2.preprocess))
    network.decoder.denoising_class_embed = denoising
    state = published(network)
    wrong = {key: torch.zeros_like(value) for key, value in state.items()}
    file = tmp_path_factory.mktemp("checkpoints") / "best.pth"
    torch.save({"model": wrong, "ema": {"module": state, "updates": 9}, "last_epoch": 3}, file)
    return read(file)


@pytest.fixture(scope="module")
def model(checkpoint: Checkpoint) -> Model:
    return load(checkpoint)


def load(checkpoint: Checkpoint, **asked: Any) -> Model:
    return RtDetrV2().load(checkpoint, Request(checkpoint.path, "detector", **{"size": SIZE, **asked}))


def changed(checkpoint: Checkpoint, without: str = "", **added: torch.Tensor) -> Checkpoint:
    """The checkpoint less one key, with others set (`__` stands for a dot)."""
    state = {key: value for key, value in checkpoint.content["ema"]["module"].items() if key != without}
    state |= {key.replace("__", "."): value for key, value in added.items()}
    return replace(checkpoint, content={"ema": {"module": state}})


def test_the_layout_is_the_published_one() -> None:
    # The published sizes: 20 and 76 million parameters.
    networks = [RtDetr(plan, 3) for plan in (R18, R101)]
    counts = [sum(value.numel() for value in network.parameters()) for network in networks]
    assert counts == [20_085_596, 76_503_505]
    small, large = (network.state_dict() for network in networks)
    for key, shape in {
        "backbone.conv1.conv1_2.conv.weight": (32, 32, 3, 3),
        "backbone.res_layers.0.blocks.0.short.conv.weight": (64, 64, 1, 1),
        "backbone.res_layers.1.blocks.0.short.conv.norm.running_mean": (128,),
        "encoder.input_proj.2.conv.weight": (256, 512, 1, 1),
        "encoder.encoder.0.layers.0.self_attn.in_proj_weight": (768, 256),
        "encoder.fpn_blocks.0.bottlenecks.2.conv2.norm.bias": (128,),
        "encoder.pan_blocks.1.conv3.conv.weight": (256, 128, 1, 1),
        "decoder.denoising_class_embed.weight": (4, 256),
        "decoder.decoder.layers.2.cross_attn.sampling_offsets.weight": (192, 256),
        "decoder.decoder.layers.0.cross_attn.num_points_scale": (12,),
        "decoder.enc_output.norm.weight": (256,),
        "decoder.dec_bbox_head.2.layers.2.bias": (4,),
    }.items():
        assert tuple(small[key].shape) == shape, key
    for key, shape in {
        "backbone.res_layers.2.blocks.22.branch2c.conv.weight": (1024, 256, 1, 1),
        "encoder.encoder.0.layers.0.linear1.weight": (2048, 384),
        "encoder.pan_blocks.1.conv2.conv.weight": (384, 768, 1, 1),
        "decoder.input_proj.0.conv.weight": (256, 384, 1, 1),
        "decoder.query_pos_head.layers.0.weight": (512, 4),
        "decoder.decoder.layers.5.linear1.weight": (1024, 256),
    }.items():
        assert tuple(large[key].shape) == shape, key
    assert "encoder.pan_blocks.1.conv3.conv.weight" not in large


def test_a_checkpoint_becomes_a_detector_that_needs_no_suppression(checkpoint: Checkpoint, model: Model) -> None:
    assert RtDetrV2().recognises(checkpoint)
    description = model.description
    assert description.licence == "Apache-2.0" and description.thresholds.overlap == 1.0
    assert description.preprocess.resize == "stretch" and description.preprocess.mean == (0, 0, 0)
    assert [label.kind for label in model.labels] == ["animal", "person", "vehicle"]
    modules = dict(model.network.named_modules())
    assert model.float_modules and all(name in modules for name in model.float_modules)
    boxes, scores = model.network(torch.zeros(1, 3, SIZE[1], SIZE[0]))
    assert boxes.shape == (1, 300, 4) and scores.shape == (1, 300, 3)
    assert scores.min() >= 0 and scores.max() <= 1
    assert not hasattr(model.network.decoder, "denoising_class_embed")


def test_the_averaged_weights_are_taken(checkpoint: Checkpoint, model: Model) -> None:
    plain = replace(checkpoint, content={"model": checkpoint.content["ema"]["module"]})
    image = photos(*SIZE, model.description.preprocess)[0]
    given = zip(model.network(image), load(plain).network(image), strict=True)
    assert all(torch.equal(one, other) for one, other in given)
    assert model.network(image)[1].std() > 0.01


def test_it_answers_to_what_it_sees(model: Model) -> None:
    first, second = (model.network(image) for image in photos(*SIZE, model.description.preprocess)[:2])
    assert spread(first[1].sort(1).values, second[1].sort(1).values) > 0.05
    assert spread(first[0], second[0]) > 0.05


def test_merging_parallel_convolutions_changes_nothing(checkpoint: Checkpoint, model: Model) -> None:
    apart = RtDetr(R18, 3)
    state = checkpoint.content["ema"]["module"]
    apart.load_state_dict({key: state[key] for key in apart.state_dict()})
    apart.eval().lay_out(*SIZE)
    maps = [apart.backbone(image) for image in photos(*SIZE, model.description.preprocess)]
    for given in maps:
        for ours, expected in zip(model.network.encoder(given), apart.encoder(given), strict=True):
            assert torch.allclose(ours, expected, atol=1e-4)


def test_the_onnx_graph_gives_what_pytorch_gives(model: Model, tmp_path: Path) -> None:
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
        # Of two queries that are as good as each other either may come first: compare each with its nearest.
        apart = torch.cdist(torch.from_numpy(boxes[0]), expected_boxes[0], p=torch.inf)
        nearest = apart.argmin(1)
        assert float(apart.amin(1).max()) < 0.05
        assert float((torch.from_numpy(scores[0]) - expected_scores[0][nearest]).abs().max()) < 1e-4


def test_missing_surplus_and_unlike_keys_are_named(checkpoint: Checkpoint) -> None:
    key = "encoder.fpn_blocks.0.conv1.norm.bias"
    for damaged, says in (
        (changed(checkpoint, key), f"missing: {key}"),
        (changed(checkpoint, decoder__extra=torch.zeros(1)), "surplus: decoder.extra"),
        (changed(checkpoint, encoder__fpn_blocks__0__conv1__norm__bias=torch.zeros(7)), r"is \(7,\), not \(128,\)"),
        (changed(checkpoint, decoder__anchors=torch.zeros(1, 8400, 4)), "are not the anchors of a picture of 640x640"),
        (
            changed(checkpoint, decoder__decoder__layers__3__norm1__bias=torch.zeros(256)),
            "has 4 decoder layers and 2 blocks",
        ),
        (replace(checkpoint, content={"model": {"a": torch.zeros(1)}}), "so it is no RT-DETRv2"),
    ):
        with pytest.raises(CheckpointError, match=says):
            load(damaged)


def test_a_size_that_the_strides_do_not_divide_is_refused(checkpoint: Checkpoint) -> None:
    with pytest.raises(CheckpointError, match="a multiple of 32, not 100x96"):
        load(checkpoint, size=(100, 96))


def test_other_checkpoints_are_not_recognised(checkpoint: Checkpoint) -> None:
    for content in ([], {}, {"model": {"a": torch.zeros(1)}}, {"ema": {"module": None}}, {"state_dict": {}}):
        assert not RtDetrV2().recognises(replace(checkpoint, content=content))


@pytest.mark.slow
def test_the_large_one_loads_strictly(checkpoint: Checkpoint) -> None:
    content = {"model": published(RtDetr(R101, 3))}
    large = load(replace(checkpoint, content=content), size=(64, 64))
    boxes, scores = large.network(torch.rand(1, 3, 64, 64))
    assert boxes.shape == (1, 84, 4) and scores.shape == (1, 84, 3)
