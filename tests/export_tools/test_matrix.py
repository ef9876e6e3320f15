"""`make export-matrix`: its networks have the published layouts, and its rows say what became of them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from importlib import util
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("onnx")
if util.find_spec("tensorrt_rtx") is None:
    pytest.skip("tensorrt-rtx-cu12 is not installed", allow_module_level=True)

from tests.export_tools.matrix import published_rtdetr, published_yolos, tables  # noqa: E402
from tests.export_tools.matrix.networks import ROOT  # noqa: E402
from tests.export_tools.matrix.trying import Answer, Verdict  # noqa: E402

LAYOUTS: dict[str, tuple[Callable[[], Any], int]] = {
    "yolov5s": (published_yolos.yolov5s, 7_027_720),
    "yolov5x6": (published_yolos.yolov5x6, 140_054_656),
    "yolov9c": (published_yolos.yolov9c, 25_531_545),
    "yolov9c with the branch of the training": (published_yolos.yolov9c_dual, 51_004_210),
    "yolov9e": (published_yolos.yolov9e, 58_147_225),
    "yolov10n": (lambda: published_yolos.yolov10("n"), 2_708_210),
    "yolov10x": (lambda: published_yolos.yolov10("x"), 31_660_658),
    "yolo11s": (lambda: published_yolos.yolo11("s"), 9_428_953),
    "yolo11l": (lambda: published_yolos.yolo11("l"), 25_312_793),
    "rtdetr-l": (published_rtdetr.rtdetr_l, 32_812_241),
}
"""With the number of weights that the original code counts for three classes; the dual one's is that of the layout."""
ORIGINAL = """
import json, sys
from ultralytics.nn.tasks import DetectionModel, RTDETRDetectionModel
for name in sys.argv[1:]:
    kind = RTDETRDetectionModel if name.startswith("rtdetr") else DetectionModel
    state = kind(f"{name}.yaml", nc=3, verbose=False).state_dict()
    print(json.dumps([name, {key: list(tensor.shape) for key, tensor in state.items()}]))
"""


@pytest.mark.parametrize("name", LAYOUTS)
def test_a_network_has_as_many_weights_as_the_original(name: str) -> None:
    make, count = LAYOUTS[name]
    with torch.device("meta"):
        network = make()
    assert sum(weight.numel() for weight in network.parameters()) == count


@pytest.mark.slow
def test_every_weight_has_the_name_and_the_shape_that_the_original_code_gives_it(tmp_path: Path) -> None:
    python = os.environ.get("CAMTRAP_EDGE_ULTRALYTICS_PYTHON")
    if not python:
        pytest.skip("no original code: name a python that has ultralytics with CAMTRAP_EDGE_ULTRALYTICS_PYTHON")
    names = [name for name in LAYOUTS if " " not in name and not name.startswith("yolov5")]
    environment = {**os.environ, "YOLO_CONFIG_DIR": str(tmp_path), "YOLO_OFFLINE": "1"}
    command = [python, "-c", ORIGINAL, *names]
    ran = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True)
    found = dict(json.loads(line) for line in ran.stdout.splitlines() if line.startswith("["))
    assert sorted(found) == sorted(names)
    for name, shapes in found.items():
        with torch.device("meta"):
            ours = LAYOUTS[name][0]().state_dict()
        assert {key: list(tensor.shape) for key, tensor in ours.items()} == shapes, name


def matrix(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tests.export_tools.matrix", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def test_a_row_says_what_tensorrt_made_of_both_variants(tmp_path: Path) -> None:
    file = tmp_path / "matrix.json"
    ran = matrix("--quick", "--only", "v6-yolov10-c", "--json", "--output", str(file))
    assert ran.returncode == 0, ran.stderr
    (row,) = json.loads(ran.stdout)
    assert json.loads(file.read_text(encoding="utf-8")) == [row]
    assert (row["network"], row["weights"], row["input"], row["batch"]) == ("YOLOv10n", "random", "128x128", "1")
    half, int8 = row["verdicts"]["tensorrt-fp16"], row["verdicts"]["tensorrt-int8"]
    assert half["outcome"] == int8["outcome"] == "built" and "parsed and built by TensorRT" in int8["reason"]
    assert int8["quantized"] > 50 and half["quantized"] == 0 and int8["lint"] == []
    assert 2_000_000 < row["parameters"] < 2_708_210


def test_rows_that_time_runs_out_on_fail_and_the_rest_is_still_reported() -> None:
    ran = matrix("--quick", "--only", "timm,torchvision", "--limit", "0.2")
    assert ran.returncode == 1
    assert "timm tensorrt-int8 failed: the time was up before it was done" in ran.stdout
    assert "torchvision tensorrt-fp16 failed: not tried: the time was up" in ran.stdout
    assert "0 of 4 variants built" in ran.stdout


def test_a_name_that_is_no_row_is_an_error_and_the_list_has_the_names() -> None:
    ran = matrix("--only", "v5,md5")
    assert ran.returncode == 2 and "'md5' is no row; --list" in ran.stderr
    assert {"v5", "v6-rtdetr-c", "miewid"} <= {line.split()[0] for line in matrix("--list").stdout.splitlines()}


def test_a_refused_variant_stands_in_every_table_with_its_reason() -> None:
    built = Verdict("built", "parsed and built by TensorRT for RTX 1.7 for SM86 (3 MB engine)", 1.4)
    refused = Verdict("refused", "'/a/Resize' (Resize): no such mode", 2.0, lint=("'q': its zero point is not 0",))
    row = Answer("a", "family", "net", "real", "64x32", "free", 1_500_000, {"tensorrt-fp16": built}, 3.0, 10**9)
    other = Answer(*("b", "family", "net", "random"), verdicts={"tensorrt-fp16": built, "tensorrt-int8": refused})
    row.verdicts["tensorrt-int8"] = built
    assert row.proven and not other.proven
    for text in (tables.as_text([row, other]), tables.as_markdown([row, other])):
        assert "b tensorrt-int8 refused: '/a/Resize' (Resize): no such mode" in text
        assert "3 of 4 variants built: parsed and built by TensorRT for RTX 1.7 for SM86" in text
    assert "| family | net | real | 64x32 | free | 1.5 M | built, 1 s | built, 1 s | clean | 1.0 GB |" in (
        tables.as_markdown([row])
    )
    assert "1 findings" in tables.as_text([other])
