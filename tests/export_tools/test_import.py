from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import onnx
import pytest

from edge_runtime.bundles import bundle as bundles
from edge_runtime.engines.openvino_engine import OpenVinoEngine
from edge_runtime.models.detector import Detector
from edge_runtime.models.loading import DEFAULT_DETECTOR, load_detector
from edge_runtime.models.preprocess import prepare
from edge_runtime.values import Box, Frame
from export_tools import cli
from export_tools.import_graph import LABEL_TABLES, PRESETS, import_graph
from tests import colour_detector
from tests.export_tools import foreign_layouts as foreign


@pytest.fixture
def graph(tmp_path: Path) -> Path:
    file = tmp_path / "colour.onnx"
    onnx.save(colour_detector._model(), str(file))
    return file


def run(graph: Path, folder: Path, *extra: str, preset: str = "yolox", labels: str = "megadetector") -> int:
    arguments = [str(graph), "-o", str(folder), "--preset", preset, "--labels", labels]
    return cli.main(["import", *arguments, "--licence", "Apache-2.0", "--source", "made here", *extra])


def test_a_graph_becomes_a_bundle_that_loads(graph: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(graph, tmp_path / "mine", "--json") == 0
    told = json.loads(capsys.readouterr().out)
    made = bundles.load(tmp_path / "mine", task="detector")
    assert told["id"] == made.id and made.manifest.name == "mine"
    assert (made.manifest.input.width, made.manifest.input.colour) == (128, "bgr")
    assert made.path(made.manifest.variants[0]).read_bytes() == graph.read_bytes()


def test_an_existing_bundle_is_not_overwritten_unasked(
    graph: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(graph, tmp_path / "mine") == 0
    before = (tmp_path / "mine" / "manifest.yaml").read_bytes()
    assert run(graph, tmp_path / "mine", "--name", "other") == 2
    assert "--replace" in capsys.readouterr().err
    assert (tmp_path / "mine" / "manifest.yaml").read_bytes() == before
    assert run(graph, tmp_path / "mine", "--name", "other", "--replace") == 0


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"labels": "coco80"}, "3 classes, the label table has 80 rows"),
        ({"preset": "softmax"}, "is no 'softmax' graph"),
        ({"labels": "nonsense"}, "known ones: coco80, megadetector"),
    ],
)
def test_what_does_not_fit_is_said_and_leaves_nothing_behind(
    graph: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], options: dict[str, str], says: str
) -> None:
    assert run(graph, tmp_path / "mine", **options) != 0
    error = capsys.readouterr().err
    assert says in error and "Traceback" not in error
    assert not list(tmp_path.glob("mine*"))


def test_a_wrong_size_is_said_with_both(graph: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(graph, tmp_path / "mine", "--size", "640x640") == 1
    assert "its input is 128x128, not 640x640" in capsys.readouterr().err


def test_a_file_that_is_no_graph_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "x.onnx").write_text("no graph")
    assert run(tmp_path / "x.onnx", tmp_path / "mine") == 1
    assert run(tmp_path / "missing.onnx", tmp_path / "mine") == 1
    assert "no graph that ONNX Runtime can load" in capsys.readouterr().err


def test_the_packaged_detectors_graph_can_be_imported_and_finds_the_same(tmp_path: Path, assets: Path) -> None:
    packaged = bundles.load(DEFAULT_DETECTOR, task="detector")
    manifest = packaged.manifest
    made = import_graph(
        packaged.path(manifest.variants[0]),
        tmp_path / "again",
        preset=PRESETS["decoded"],
        name="again",
        version="1",
        labels=DEFAULT_DETECTOR / "labels.csv",
        licence=manifest.licence,
        source=manifest.source,
        preprocess=manifest.preprocess,
        confident=manifest.thresholds.confident,
        overlap=manifest.thresholds.overlap,
    )
    assert made.manifest.output == manifest.output and made.manifest.input == manifest.input
    assert made.manifest.variants[0].precision == "int8"
    assert made.manifest.variants[0].sha256 == manifest.variants[0].sha256
    frame = photo_of(assets / "photos" / "generic" / "owl.jpg")
    found = Detector(made, threads=1).detect(frame)
    assert found and found == Detector(packaged, threads=1).detect(frame)


@pytest.mark.parametrize(
    ("preset", "layout"),
    [("ultralytics", foreign.raw), ("ultralytics", foreign.one_box_one_class), ("yolov5", foreign.with_objectness)],
)
def test_a_foreign_layout_finds_the_same_as_the_graph_that_it_was_made_from(
    preset: str, layout: foreign.Layout, tmp_path: Path, colour_bundle: Path
) -> None:
    original = bundles.load(colour_bundle, task="detector")
    graph = foreign.saved(layout, original.path(original.manifest.variants[0]), tmp_path / "foreign.onnx")
    made = import_graph(
        graph,
        tmp_path / "mine",
        preset=PRESETS[preset],
        name="mine",
        version="1",
        labels=LABEL_TABLES / "megadetector.csv",
        licence="Apache-2.0",
        source="made here",
        colour="bgr",
        preprocess=original.manifest.preprocess,
        overlap=0.45,
    )
    assert made.manifest.output.head == "decoded"
    pixels = cv2.imdecode(
        np.frombuffer(colour_detector.photo({(0, 0): "animal", (2, 1): "person", (3, 3): "vehicle"}), np.uint8),
        cv2.IMREAD_COLOR_RGB,
    )
    found = Detector(made, threads=1).detect(Frame(pixels))
    expected = Detector(original, threads=1).detect(Frame(pixels))
    assert [one.category for one in found] == [one.category for one in expected] and len(found) == 3
    for one, other in zip(found, expected, strict=True):
        assert one.confidence == pytest.approx(other.confidence, abs=1e-6)
        assert [one.box.x1, one.box.y2] == pytest.approx([other.box.x1, other.box.y2], abs=1e-5)


def test_layouts_bring_the_suppression_that_they_need(tmp_path: Path, colour_bundle: Path) -> None:
    original = bundles.load(colour_bundle, task="detector")
    for layout, overlap in ((foreign.raw, 0.7), (foreign.one_box_one_class, 1.0)):
        graph = foreign.saved(layout, original.path(original.manifest.variants[0]), tmp_path / "foreign.onnx")
        assert run(graph, tmp_path / layout.__name__, preset="ultralytics") == 0
        made = bundles.load(tmp_path / layout.__name__, task="detector")
        assert made.manifest.thresholds.overlap == overlap


@pytest.mark.parametrize(
    ("preset", "says"),
    [
        ("ultralytics", "neither [1, 4 + classes, A] with A cells of a picture of 128x128"),
        ("yolov5", "is not [1, 3 x cells, 5 + classes]"),
        ("nanodet", "are not a pair of [1, n, ...] for each of n = [256, 64, 16]"),
        ("decoded", "are not one of boxes [1, N, 4] and one of scores"),
    ],
)
def test_a_layout_that_is_not_there_is_said_with_the_shapes_that_are(
    preset: str, says: str, colour_bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    graph = foreign.saved(foreign.of_no_layout, colour_bundle / "graphs" / "fp32.onnx", tmp_path / "odd.onnx")
    assert run(graph, tmp_path / "mine", preset=preset) == 1
    error = capsys.readouterr().err
    assert says in error and "odd [1, 100, 9]" in error
    assert not (tmp_path / "mine").exists()


def test_a_column_that_holds_no_classes_is_not_taken_for_one(
    colour_bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    graph = foreign.saved(foreign.with_half_classes, colour_bundle / "graphs" / "fp32.onnx", tmp_path / "odd.onnx")
    assert run(graph, tmp_path / "mine", preset="ultralytics") == 1
    assert "not a class of 0..2" in capsys.readouterr().err


def test_scores_that_are_logits_are_refused(
    colour_bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    graph = foreign.saved(foreign.with_logits, colour_bundle / "graphs" / "fp32.onnx", tmp_path / "odd.onnx")
    assert run(graph, tmp_path / "mine", preset="ultralytics") == 1
    assert "gives scores of -5..-5, not of 0..1" in capsys.readouterr().err


def test_a_graph_too_old_for_its_tail_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cells = sum((64 // stride) ** 2 for stride in (8, 16, 32))
    rows = onnx.numpy_helper.from_array(np.full((1, 7, cells), 0.5, np.float32), "rows")
    old = onnx.helper.make_graph(
        [onnx.helper.make_node("Identity", ["rows"], ["output"])],
        "old",
        [onnx.helper.make_tensor_value_info("images", 1, [1, 3, 64, 64])],
        [onnx.helper.make_tensor_value_info("output", 1, [1, 7, cells])],
        [rows],
    )
    file = tmp_path / "old.onnx"
    onnx.save(onnx.helper.make_model(old, opset_imports=[onnx.helper.make_opsetid("", 10)], ir_version=5), str(file))
    assert run(file, tmp_path / "mine", preset="ultralytics") == 1
    assert "is of opset 10, but decoding its boxes needs 11" in capsys.readouterr().err


def test_weights_outside_the_file_come_into_the_bundle(graph: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside.onnx"
    onnx.save(onnx.load(str(graph)), str(outside), save_as_external_data=True, location="weights.bin")
    assert (tmp_path / "weights.bin").is_file()
    assert run(outside, tmp_path / "mine") == 0
    (tmp_path / "weights.bin").unlink()
    made = bundles.load(tmp_path / "mine", task="detector")
    assert Detector(made, threads=1).detect(Frame(np.zeros((64, 64, 3), np.uint8))) == ()


@pytest.fixture(scope="module")
def nanodet_bundle(assets: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("openvino")
    graph = assets / "weights" / "nanodet_m" / "nanodet_m.xml"
    if not graph.is_file():
        pytest.skip(f"no NanoDet weights: {graph} is missing")
    folder = tmp_path_factory.mktemp("bundles") / "nanodet-m"
    assert run(graph, folder, preset="nanodet", labels="coco80") == 0
    return folder


def test_an_openvino_graph_brings_its_weights_and_its_decoding(nanodet_bundle: Path) -> None:
    made = bundles.load(nanodet_bundle, task="detector")
    (variant,) = made.manifest.variants
    assert (variant.engine, variant.precision, made.manifest.output.head) == ("openvino", "fp32", "decoded")
    assert [entry.file for entry in variant.files] == ["graphs/fp32.bin"]
    assert made.manifest.thresholds.overlap == 0.6 and made.manifest.preprocess.pad == 0


def test_nanodet_finds_what_yolox_is_sure_of(nanodet_bundle: Path, yolox_bundle: Path, assets: Path) -> None:
    nanodet, yolox = load_detector(str(nanodet_bundle), threads=1), load_detector(str(yolox_bundle), threads=1)
    compared = 0
    for name in (
        "generic/owl.jpg",
        "generic/pets.jpg",
        "generic/cat_720p.jpg",
        "serengeti_burst/S1_D04_R6_PICT0020.JPG",
    ):
        frame = photo_of(assets / "photos" / name)
        found = [one for one in nanodet.detect(frame) if one.confidence >= 0.3]
        for sure in (one for one in yolox.detect(frame) if one.confidence >= 0.6):
            assert max(iou(sure.box, one.box) for one in found if one.category == sure.category) > 0.8, name
            compared += 1
    assert compared >= 5


def test_nanodets_boxes_are_those_of_its_paper(nanodet_bundle: Path, assets: Path) -> None:
    """An independent decoding of the untouched graph, cell by cell."""
    made = bundles.load(nanodet_bundle, task="detector")
    image, _ = prepare(
        photo_of(assets / "photos" / "generic" / "owl.jpg").pixels, made.manifest.input, made.manifest.preprocess
    )
    session = OpenVinoEngine().open(made.path(made.manifest.variants[0]), input_name="input.1", threads=1)
    boxes, scores = session.run(image, made.manifest.output.tensors)
    raw = OpenVinoEngine().open(assets / "weights/nanodet_m/nanodet_m.xml", input_name="input.1", threads=1)
    place = compared = 0
    for stride, names in ((8, ("792", "795")), (16, ("814", "817")), (32, ("836", "839"))):
        likely, distances = raw.run(image, names)
        for cell in range(likely.shape[1]):
            if likely[0, cell].max() > 0.3:
                bins = np.exp(distances[0, cell].reshape(4, 8).astype(np.float64))
                left, top, right, bottom = (bins / bins.sum(1, keepdims=True)) @ np.arange(8) * stride
                x, y = (cell % (320 // stride) + 0.5) * stride, (cell // (320 // stride) + 0.5) * stride
                expected = [x - left, y - top, x + right, y + bottom]
                assert boxes[0, place].tolist() == pytest.approx(expected, abs=1e-2)
                assert scores[0, place].tolist() == pytest.approx(likely[0, cell].tolist(), abs=1e-5)
                compared += 1
            place += 1
    assert compared >= 3


def test_an_openvino_graph_without_its_weights_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "x.xml").write_text("<net/>")
    assert run(tmp_path / "x.xml", tmp_path / "mine") == 1
    assert "the weights of x.xml are missing; put them beside it" in capsys.readouterr().err
    (tmp_path / "x.bin").write_bytes(b"")
    assert run(tmp_path / "x.xml", tmp_path / "mine") == 1
    assert "no graph that OpenVINO can load" in capsys.readouterr().err


def test_a_file_of_another_kind_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "x.tflite").write_text("")
    assert run(tmp_path / "x.tflite", tmp_path / "mine") == 1
    assert "is neither ONNX (.onnx) nor an OpenVINO IR (.xml)" in capsys.readouterr().err


def photo_of(file: Path) -> Frame:
    return Frame(cv2.imread(str(file), cv2.IMREAD_COLOR_RGB))


def iou(one: Box, other: Box) -> float:
    across = min(one.x2, other.x2) - max(one.x1, other.x1)
    down = min(one.y2, other.y2) - max(one.y1, other.y1)
    shared = max(0.0, across) * max(0.0, down)
    return shared / (one.area + other.area - shared)
