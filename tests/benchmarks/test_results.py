"""`edge-bench results`: what people send in is what was measured, and this project's own results are so too."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import jsonschema
import pytest

from benchmarks import cli
from tests.benchmarks.document.test_reading import OLD, ONE
from tests.conftest import ROOT


def test_every_result_that_lies_in_this_project_is_good(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["results", "validate", str(ROOT / "results"), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["published"] and not told["bad"]


def test_good_and_bad_files_are_told_apart(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.copy(ONE, tmp_path / "good.json")
    assert cli.main(["results", "validate", str(tmp_path)]) == 0
    (tmp_path / "half.json").write_bytes(ONE.read_bytes()[:4000])
    (tmp_path / "published").mkdir()
    (tmp_path / "published" / "made-up.json").write_text('{"schema": "camtrap-edge-published/1"}')
    capsys.readouterr()
    assert cli.main(["results", "validate", str(tmp_path)]) == 1
    said = capsys.readouterr()
    assert "good.json: good" in said.out
    assert "half.json" in said.err and "made-up.json" in said.err and "good.json" not in said.err


def test_nothing_to_check_is_no_success(tmp_path: Path) -> None:
    assert cli.main(["results", "validate", str(tmp_path)]) == 2
    assert cli.main(["results", "validate", str(tmp_path / "nowhere")]) == 1


@pytest.mark.parametrize("file", OLD, ids=lambda file: file.stem)
def test_the_printed_schema_is_that_of_the_documents(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["results", "schema"]) == 0
    form = json.loads(capsys.readouterr().out)
    document = json.loads(file.read_text())
    jsonschema.validate(document, form)
    del document["verdict"]
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(document, form)
