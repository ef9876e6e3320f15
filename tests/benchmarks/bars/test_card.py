"""`make bench-card` measures what it says, on a card small enough for a test; its figures are not judged here."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.bars import card
from tests import colour_detector


def test_the_floor_and_what_is_reached_are_measured_for_int8_and_float(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for number in range(4):
        (tmp_path / f"{number}.jpg").write_bytes(colour_detector.photo({(0, 0): "animal"}, seed=number))
    (tmp_path / "copy.jpg").write_bytes(colour_detector.photo({(0, 0): "animal"}, seed=0))
    (tmp_path / "torn.jpg").write_bytes(b"\xff\xd8 no photo")
    code = card.main(["--folder", str(tmp_path), "--no-memory", "--rounds", "1", "--threads", "1", "--json"])
    told = json.loads(capsys.readouterr().out)
    assert [each["variant"] for each in told["speeds"]] == ["int8 1x1", "fp32 1x1"]
    for each in told["speeds"]:
        assert each["photos"] == 4
        assert each["floor"] == pytest.approx(1000 / (each["decode_ms"] + each["infer_ms"]), rel=1e-6)
        assert each["of_the_floor"] == pytest.approx(each["reached"] / each["floor"], rel=1e-6)
        assert each["kept"] == (each["of_the_floor"] >= told["limits"]["floor"])
    assert code == (0 if all(each["kept"] for each in told["speeds"]) else 1)
