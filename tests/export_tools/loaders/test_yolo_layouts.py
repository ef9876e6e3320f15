"""The YOLO families' checkpoints in their published layouts, with weights made here: strict loading, what is loaded."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from edge_runtime.bundles.manifest import Preprocess  # noqa: E402
from edge_runtime.errors import CamtrapEdgeError  # noqa: E402
from export_tools.checkpoints.reading import CheckpointError, read  # noqa: E402
from export_tools.loaders.ultralytics import UltralyticsLoader  # noqa: E402
from export_tools.loaders.yolov5 import YoloV5Loader  # noqa: E402
from export_tools.loaders.yolov9 import YoloV9Loader  # noqa: E402
from export_tools.model import Model, Request  # noqa: E402
from export_tools.networks import yolo_network  # noqa: E402
from tests.export_tools.loaders import reacting, yolo_pickles  # noqa: E402

SIZE = (128, 64)
LICENCE = "AGPL-3.0 License (https://ultralytics.com/license)"
LAYOUTS: dict[str, tuple[Any, Callable[[], Any]]] = {
    "v5": (YoloV5Loader(), yolo_pickles.megadetector_v5),
    "v9 (authors)": (YoloV9Loader(), yolo_pickles.yolov9),
    **{
        kind: (UltralyticsLoader(), lambda kind=kind: yolo_pickles.ultralytics(kind))
        for kind in ("v8", "v9", "v10", "11")
    },
    "detr": (UltralyticsLoader(), yolo_pickles.rtdetr),
}


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder, made = tmp_path_factory.mktemp("checkpoints"), {}
    for number, (name, (_, build)) in enumerate(LAYOUTS.items()):
        torch.manual_seed(number)
        more = {"train_args": {"imgsz": 640}, "version": "8.3.27", "license": LICENCE} if len(name) < 4 else {}
        made[name] = yolo_pickles.save(folder / f"made-{number}.pt", build(), size=(256, 192), **more)
    return made


def load(files: dict[str, Path], layout: str, **asked: Any) -> Model:
    return LAYOUTS[layout][0].load(read(files[layout]), Request(files[layout], "detector", **{"size": SIZE} | asked))


def changed(files: dict[str, Path], name: str, change: Callable[[Any], None]) -> Any:
    """The checkpoint, read, after `change` has been at its pickled network."""
    checkpoint = read(files[name])
    change(checkpoint.content["model"])
    return checkpoint


def layer(network: Any, place: int) -> Any:
    return network.children["model"].children[str(place)]


@pytest.mark.parametrize("name", LAYOUTS)
def test_a_checkpoint_is_recognised_by_its_own_family_alone(files: dict[str, Path], name: str) -> None:
    loader, _ = LAYOUTS[name]
    checkpoint = read(files[name])
    for other in (YoloV5Loader(), YoloV9Loader(), UltralyticsLoader()):
        assert other.recognises(checkpoint) == (other.family == loader.family)


@pytest.mark.parametrize("name", LAYOUTS)
def test_what_is_loaded_answers_to_the_picture(files: dict[str, Path], name: str) -> None:
    model = load(files, name)
    photos = reacting.photos(*SIZE, model.description.preprocess)
    with torch.no_grad():
        (boxes, scores), (_, other) = model.network(photos[0]), model.network(photos[1])
    assert boxes.shape == (1, scores.shape[1], 4) and scores.shape[2] == 3
    assert torch.isfinite(boxes).all() and (boxes[..., 2:] >= boxes[..., :2]).all()
    assert (scores >= 0).all() and (scores <= 1).all() and not model.network.training
    assert reacting.spread(scores, other) > 0.1


@pytest.mark.parametrize("name", LAYOUTS)
def test_folding_the_batch_norms_changes_nothing(files: dict[str, Path], name: str) -> None:
    pickled = read(files[name]).content["model"]
    plain = yolo_network.assemble(pickled, width=SIZE[0], height=SIZE[1])
    folded = yolo_network.build(pickled, width=SIZE[0], height=SIZE[1])
    kinds = {type(module).__name__ for module in folded.modules()}
    assert "BatchNorm2d" in {type(module).__name__ for module in plain.modules()} and "BatchNorm2d" not in kinds
    for photo in reacting.photos(*SIZE, Preprocess(resize="letterbox")):
        with torch.no_grad():
            for one, other in zip(plain(photo), folded(photo), strict=True):
                assert (one - other).abs().max() < 2e-4 * one.abs().max()


@pytest.mark.parametrize("name", LAYOUTS)
def test_the_exported_graph_gives_the_networks_scores(files: dict[str, Path], name: str, tmp_path: Path) -> None:
    pytest.importorskip("onnx")
    from export_tools import onnx_export

    model = load(files, name)
    float_nodes = onnx_export.export(model, tmp_path / "graph.onnx")
    photos = [photo.numpy() for photo in reacting.photos(*SIZE, model.description.preprocess)]
    boxes, scores = onnx_export.parity(model, tmp_path / "graph.onnx", photos)
    assert scores.largest < 1e-4 and boxes.largest < 1e-2
    assert len(float_nodes) >= len(model.float_modules) > 0


def test_weights_that_are_missing_or_surplus_are_named(files: dict[str, Path]) -> None:
    def without(network: Any) -> None:
        del layer(network, 1).children["bn"].attributes["_buffers"]["running_var"]

    def more(network: Any) -> None:
        layer(network, 1).children["conv"].attributes["_parameters"]["extra"] = torch.zeros(1)

    def other(network: Any) -> None:
        layer(network, 1).children["conv"].attributes["_parameters"]["weight"] = torch.zeros(1, 2)

    for change, says in (
        (without, r"missing weights: model\.1\.bn\.running_var"),
        (more, r"surplus weights: model\.1\.conv\.extra"),
        (other, r"model\.1\.conv\.weight: has the shape \(1, 2\)"),
    ):
        checkpoint = changed(files, "v8", change)
        with pytest.raises(CheckpointError, match=says):
            UltralyticsLoader().load(checkpoint, Request(checkpoint.path, "detector", size=SIZE))


def test_a_layer_or_part_that_is_not_known_is_named_with_its_place(files: dict[str, Path]) -> None:
    def unknown(network: Any) -> None:
        layer(network, 3).path = "ultralytics.nn.modules.block.A2C2f"

    def surplus(network: Any) -> None:
        modules = layer(network, 3).attributes["_modules"]
        modules["cv9"] = modules["cv1"]

    def lost(network: Any) -> None:
        del layer(network, 3).attributes["_modules"]["cv2"]

    def forward(network: Any) -> None:
        layer(network, 3).attributes["f"] = 5

    for change, says in (
        (unknown, r"model\.3: a layer of the class 'ultralytics\.nn\.modules\.block\.A2C2f'"),
        (surplus, r"model\.3: C2f has a part that is not known: cv9"),
        (lost, r"model\.3: C2f lacks cv2"),
        (forward, r"model\.3: C2f reads layer 5, which is not before it"),
    ):
        checkpoint = changed(files, "v8", change)
        with pytest.raises(CheckpointError, match=says):
            UltralyticsLoader().load(checkpoint, Request(checkpoint.path, "detector", size=SIZE))


def test_a_layer_that_lies_about_its_size_allocates_nothing(files: dict[str, Path]) -> None:
    def huge(network: Any) -> None:
        layer(network, 1).children["conv"].attributes["out_channels"] = 2**40

    def odd(network: Any) -> None:
        layer(network, 1).children["conv"].attributes["groups"] = -3

    for change in (huge, odd):
        checkpoint = changed(files, "v8", change)
        with pytest.raises(CheckpointError, match=r"model\.1\.conv"):
            UltralyticsLoader().load(checkpoint, Request(checkpoint.path, "detector", size=SIZE))


def test_a_bare_state_dict_is_no_network(tmp_path: Path) -> None:
    for content in (torch.zeros(3), {"ema": torch.zeros(3)}, [1, 2], {"model": {"a": torch.zeros(1)}}):
        torch.save(content, tmp_path / "x.pt")
        checkpoint = read(tmp_path / "x.pt")
        assert not any(
            loader.recognises(checkpoint) for loader in (UltralyticsLoader(), YoloV5Loader(), YoloV9Loader())
        )
    with pytest.raises(CheckpointError, match="holds no pickled network"):
        UltralyticsLoader().load(checkpoint, Request(checkpoint.path, "detector"))


def test_megadetector_v5_gets_its_packages_rectangle_thresholds_and_labels(files: dict[str, Path]) -> None:
    model = load(files, "v5", size=None)
    description = model.description
    assert (description.input.width, description.input.height, description.input.colour) == (1280, 960, "rgb")
    assert description.preprocess == Preprocess(resize="letterbox", rounding="nearest")
    assert (description.thresholds.keep, description.thresholds.confident) == (0.05, 0.2)
    assert description.thresholds.overlap == 0.45
    assert [(label.name, label.kind) for label in model.labels] == [
        *(("animal", "animal"), ("person", "person"), ("vehicle", "vehicle"))
    ]


def test_megadetectors_own_note_sets_size_threshold_and_version(files: dict[str, Path]) -> None:
    from dataclasses import replace

    checkpoint = replace(read(files["11"]), info={"image_size": "960", "model_type": "ultralytics", "version": "v1000"})
    description = UltralyticsLoader().load(checkpoint, Request(checkpoint.path, "detector")).description
    assert (description.input.width, description.input.height) == (960, 736)
    assert description.thresholds.confident == 0.3 and description.version == "v1000"
    broken = replace(checkpoint, info={"image_size": "large"})
    with pytest.raises(CheckpointError, match="image_size is 'large'"):
        UltralyticsLoader().load(broken, Request(checkpoint.path, "detector"))


def test_an_ultralytics_checkpoint_says_its_size_and_licence(files: dict[str, Path]) -> None:
    description = load(files, "v8", size=None).description
    assert (description.input.width, description.input.height) == (640, 640)
    assert description.licence == "AGPL-3.0" and description.thresholds.overlap == 0.7
    asked = load(files, "v8", licence="MIT", name="mine", version="2").description
    assert (asked.licence, asked.name, asked.version) == ("MIT", "mine", "2")


def test_rt_detr_gets_stretched_photos_and_one_box_per_object(files: dict[str, Path]) -> None:
    model = load(files, "detr", size=None)
    assert model.description.preprocess == Preprocess(resize="stretch")
    assert (model.description.input.width, model.description.thresholds.overlap) == (640, 1)
    assert load(files, "detr", parity="megadetector").description.preprocess.resize == "letterbox"


@pytest.mark.parametrize(
    ("parity", "colour", "row"),
    [
        ("megadetector", "rgb", "below"),
        ("pytorch-wildlife", "rgb", "above"),
        ("pytorch-wildlife-bgr", "bgr", "below"),
        ("ultralytics", "rgb", "below"),
    ],
)
def test_whose_preprocessing_is_repeated_is_said_by_name(
    files: dict[str, Path], parity: str, colour: str, row: str
) -> None:
    description = load(files, "v8", parity=parity).description
    assert (description.input.colour, description.preprocess.spare_row) == (colour, row)
    assert description.preprocess.rounding == "nearest"


def test_an_unknown_preprocessing_or_an_impossible_size_is_refused_with_the_next_step(files: dict[str, Path]) -> None:
    with pytest.raises(CheckpointError, match=r"no pre-processing 'yolo'.*megadetector"):
        load(files, "v8", parity="yolo")
    with pytest.raises(CheckpointError, match=r"multiples of 64, not 640x480 \(say --size 640x512\)"):
        load(files, "v5", size=(640, 480))


def test_class_names_of_another_kind_need_a_table(tmp_path: Path) -> None:
    names = {0: "lynx", 1: "roe deer", 2: "ranger"}
    file = yolo_pickles.save(tmp_path / "own.pt", yolo_pickles.ultralytics("v8", names))
    with pytest.raises(CheckpointError, match=r"calls its 3 classes lynx, roe deer, ranger.*--labels"):
        UltralyticsLoader().load(read(file), Request(file, "detector", size=SIZE))
    table = tmp_path / "labels.csv"
    table.write_text("index,label,kind\n0,lynx,animal\n1,roe deer,animal\n2,ranger,person\n")
    model = UltralyticsLoader().load(read(file), Request(file, "detector", size=SIZE, labels=table))
    assert [label.kind for label in model.labels] == ["animal", "animal", "person"]
    assert model.description.thresholds.confident == 0.25
    table.write_text("index,label,kind\n0,lynx,animal\n")
    with pytest.raises(CamtrapEdgeError, match="1 labels, but the network has 3"):
        UltralyticsLoader().load(read(file), Request(file, "detector", size=SIZE, labels=table))


def test_yolov10_answers_with_its_one_to_one_head_and_needs_no_suppression(files: dict[str, Path]) -> None:
    def spoil(names: tuple[str, ...]) -> Any:
        def change(network: Any) -> None:
            for name in names:
                for key, tensor in layer(network, 11).children[name].tensors().items():
                    if key.endswith("2.weight"):
                        tensor.mul_(-1)

        checkpoint = changed(files, "v10", change)
        return UltralyticsLoader().load(checkpoint, Request(checkpoint.path, "detector", size=SIZE))

    model = load(files, "v10")
    photo = reacting.photos(*SIZE, model.description.preprocess)[0]
    with torch.no_grad():
        scores = model.network(photo)[1]
        assert torch.equal(spoil(("cv2", "cv3")).network(photo)[1], scores)
        assert not torch.equal(spoil(("one2one_cv3",)).network(photo)[1], scores)
    assert model.description.thresholds.overlap == 1
    assert all("one2one" in name for name in model.float_modules)


def test_the_auxiliary_branch_of_yolov9_changes_nothing(files: dict[str, Path]) -> None:
    def spoil(name: str) -> Any:
        def change(network: Any) -> None:
            for key, tensor in layer(network, 12).children[name].tensors().items():
                if key.endswith("2.weight"):
                    tensor.mul_(-1)

        checkpoint = changed(files, "v9 (authors)", change)
        return YoloV9Loader().load(checkpoint, Request(checkpoint.path, "detector", size=SIZE)).network

    model = load(files, "v9 (authors)")
    photo = reacting.photos(*SIZE, model.description.preprocess)[0]
    with torch.no_grad():
        scores = model.network(photo)[1]
        assert torch.equal(spoil("cv3")(photo)[1], scores) and not torch.equal(spoil("cv5")(photo)[1], scores)


def test_the_runtime_runs_the_bundle_as_it_is(files: dict[str, Path], tmp_path: Path) -> None:
    pytest.importorskip("onnx")
    import skimage.data

    from edge_runtime.models.detector import Detector
    from edge_runtime.values import Frame
    from export_tools import bundle_writer, onnx_export

    for number, layout in enumerate(("v5", "v10")):
        model = load(files, layout, licence="AGPL-3.0")
        onnx_export.export(model, tmp_path / "graph.onnx")
        table = tmp_path / "labels.csv"
        rows = [f"{index},{label.name},{label.kind}" for index, label in enumerate(model.labels)]
        table.write_text("\n".join(["index,label,kind", *rows]) + "\n")
        graph = bundle_writer.Graph(tmp_path / "graph.onnx", "onnxruntime-fp32", "onnxruntime", "fp32")
        bundle = bundle_writer.write(tmp_path / str(number), model.description, [graph], labels=table)
        found = Detector(bundle, threads=1).detect(Frame(skimage.data.chelsea()))
        assert found and all(detection.confidence >= bundle.manifest.thresholds.keep for detection in found)
        assert bundle.manifest.preprocess.rounding == "nearest"
