from __future__ import annotations

import json
from pathlib import Path

import onnx
import pytest

from edge_runtime.bundles import bundle as bundles
from export_tools import cli
from tests import colour_detector


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
