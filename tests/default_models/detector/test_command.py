"""The command that makes the detector says what is wrong before it begins, and its card says what was measured."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="needs the extra 'train'")

from export_tools.default_models.detector import __main__ as command
from export_tools.default_models.detector import card


def test_an_existing_bundle_is_not_overwritten_unasked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = tmp_path / "detector"
    output.mkdir()
    arguments = ["--training", str(tmp_path), "--work", str(tmp_path / "work"), "-o", str(output)]
    assert command.main(arguments) != 0
    assert f"{output}: exists already" in capsys.readouterr().err
    assert not (tmp_path / "work").exists()


def test_a_training_folder_without_its_manifest_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--training", str(tmp_path / "photos"), "--work", str(tmp_path / "work"), "-o", str(tmp_path / "out")]
    assert command.main(arguments) != 0
    assert "photos/manifest.jsonl" in capsys.readouterr().err


def test_an_evaluation_needs_a_detector_to_stand_beside(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--training", str(tmp_path), "--work", str(tmp_path / "work"), "-o", str(tmp_path / "out")]
    assert command.main([*arguments, "--assets", str(tmp_path)]) != 0
    assert "--assets and --against go together" in capsys.readouterr().err


def test_photographs_without_any_label_are_not_claimed_to_be_learnt_from(tmp_path: Path) -> None:
    rights = {"repository": "a/b", "licence": "CC BY 4.0", "evidence": "README", "label_origin": "drawn"}
    rows = [
        {**rights, "source": "one", "split": "train", "path": "x, y.jpg", "boxes_xyxy": [["animal", 0, 0, 1, 1]]},
        {**rights, "source": "two", "split": "train", "path": "z.jpg", "boxes_xyxy": []},
    ]
    lines = [json.dumps({**row, "teacher_xyxy": []}) for row in rows]
    (tmp_path / "manifest.jsonl").write_text("\n".join(lines))
    listed = card.photographs(tmp_path)
    assert card.attributions(listed) == 'source,repository,path,licence\none,a/b,"x, y.jpg",CC BY 4.0\n'
