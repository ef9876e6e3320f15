"""What `benchmarks.peers` rests on: matching, measuring, and one graph that says what the plain graph says."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper
from PIL import Image

from benchmarks.peers import agreement, card, end_to_end, environments, processes
from benchmarks.peers.agreement import Found
from benchmarks.peers.environments import PeerMissing, Recipe

BOX = (0.1, 0.1, 0.5, 0.5)
THRESHOLD = 0.05


def compare(ours: list[Found], theirs: list[Found]) -> agreement.Agreement:
    return agreement.compare({"a": ours}, {"a": theirs}, threshold=THRESHOLD)


def test_the_same_box_with_nearly_the_same_confidence_agrees() -> None:
    found = compare([Found(0, 0.90, BOX)], [Found(0, 0.895, BOX)])
    assert (found.same, found.counted, found.share) == (1, 1, 1.0)


@pytest.mark.parametrize(
    "other",
    [Found(0, 0.88, BOX), Found(0, 0.9, (0.1, 0.1, 0.5, 0.52)), Found(1, 0.9, BOX)],
    ids=["confidence", "place", "category"],
)
def test_another_confidence_place_or_category_does_not_agree(other: Found) -> None:
    assert compare([Found(0, 0.9, BOX)], [other]).same == 0


def test_a_lone_box_counts_unless_it_stands_at_the_threshold() -> None:
    assert compare([Found(0, 0.9, BOX)], []).counted == 1
    assert compare([], [Found(0, THRESHOLD + 0.005, BOX)]).counted == 0


def test_one_box_of_theirs_agrees_with_one_of_ours_only() -> None:
    found = compare([Found(0, 0.9, BOX), Found(0, 0.9, BOX)], [Found(0, 0.9, BOX)])
    assert (found.same, found.counted) == (1, 2)


def test_photos_that_one_side_has_not_read_are_an_error() -> None:
    with pytest.raises(ValueError, match="one side only"):
        agreement.compare({"a": []}, {"b": []}, threshold=THRESHOLD)


def test_a_failed_photo_is_no_empty_one(tmp_path: Path) -> None:
    results = tmp_path / "results.json"
    results.write_text(json.dumps({"images": [{"file": "a.jpg", "failure": "Failure image access"}]}))
    with pytest.raises(ValueError, match=r"a\.jpg"):
        agreement.read_megadetector(results, threshold=THRESHOLD)


def test_a_process_is_measured_without_what_its_starter_holds() -> None:
    ballast = np.ones(300_000_000, np.uint8)
    run = processes.run([sys.executable, "-I", "-S", "-c", "print('done')"], os.environ)
    assert run.output == "done\n"
    assert 0 < run.peak_mb < ballast.nbytes / 1e6 / 2
    assert run.seconds > 0
    assert run.cpu_seconds > 0


def test_a_failing_process_says_why() -> None:
    with pytest.raises(processes.ProcessFailed, match="no such thing"):
        processes.run([sys.executable, "-c", "import sys; sys.exit('no such thing')"], os.environ)


def test_a_python_too_old_for_a_peer_is_a_reason_and_no_crash(tmp_path: Path) -> None:
    with pytest.raises(PeerMissing, match=r"needs Python 9\.9"):
        environments.make(Recipe("far-future", (9, 9), ()), tmp_path)


def test_a_card_holds_each_readable_jpeg_as_often_as_asked_with_the_same_pixels(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    noise = np.random.default_rng(3).integers(0, 255, (24, 32, 3), np.uint8)
    Image.fromarray(noise).save(source / "a.jpg")
    (source / "broken.jpg").write_bytes(b"\xff\xd8\xff")
    made = card.fill(tmp_path / "card", tmp_path / "lossless", source, copies=3)
    files = sorted(made.folder.iterdir())
    assert made.photos == len({file.read_bytes() for file in files}) == 3
    expected = np.asarray(Image.open(source / "a.jpg"))
    for file in [*files, *made.lossless.iterdir()]:
        assert np.array_equal(np.asarray(Image.open(file)), expected)


def plain_graph(file: Path, boxes: np.ndarray, scores: np.ndarray) -> None:
    """A graph that gives these boxes, and these scores plus the mean of what it is shown."""
    constants = [
        helper.make_tensor("b", TensorProto.FLOAT, boxes.shape, boxes.ravel()),
        helper.make_tensor("s", TensorProto.FLOAT, scores.shape, scores.ravel()),
    ]
    nodes = [
        helper.make_node("GlobalAveragePool", ["image"], ["mean3"]),
        helper.make_node("Squeeze", ["mean3", "axes"], ["mean"]),
        helper.make_node("Add", ["s", "mean"], ["scores"]),
        helper.make_node("Identity", ["b"], ["boxes"]),
    ]
    constants.append(helper.make_tensor("axes", TensorProto.INT64, [1], [3]))
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 1, 4, 4])
    outputs = [
        helper.make_tensor_value_info("boxes", TensorProto.FLOAT, boxes.shape),
        helper.make_tensor_value_info("scores", TensorProto.FLOAT, scores.shape),
    ]
    graph = helper.make_graph(nodes, "plain", [image], outputs, constants)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), str(file))


def rows(tmp_path: Path, picture: float, **normal: float) -> np.ndarray:
    boxes = np.array([[[0, 0, 10, 10], [1, 0, 11, 10], [1, 0, 11, 10], [50, 50, 60, 60], [70, 70, 80, 80]]], np.float32)
    scores = np.array([[[0.9, 0.1], [0.8, 0.1], [0.1, 0.7], [0.3, 0.4], [0.01, 0.02]]], np.float32)
    plain_graph(tmp_path / "plain.onnx", boxes, scores)
    target = tmp_path / "e2e.onnx"
    end_to_end.write(tmp_path / "plain.onnx", target, threshold=0.05, overlap=0.5, **{"scale": 1, "shift": 0, **normal})
    session = onnxruntime.InferenceSession(str(target), providers=["CPUExecutionProvider"])
    (found,) = session.run(None, {"image": np.full((1, 1, 4, 4), picture, np.float32)})
    assert found.shape == (1, 300, 6)
    return found[0]


def test_the_graph_suppresses_inside_a_class_and_puts_the_strongest_first(tmp_path: Path) -> None:
    found = rows(tmp_path, 0.0)
    assert found[:3, 4] == pytest.approx([0.9, 0.7, 0.4])
    assert found[:3, 5].tolist() == [0, 1, 1]
    assert found[2, :4].tolist() == [50, 50, 60, 60]
    assert not found[3:].any()


def test_the_graph_normalises_what_it_is_shown(tmp_path: Path) -> None:
    assert rows(tmp_path, 0.5, scale=2.0, shift=-0.95)[0, 4] == pytest.approx(0.95)
