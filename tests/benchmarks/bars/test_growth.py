from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.bars import bar, growth, known_card
from benchmarks.bars.bar import Bar
from edge_runtime.journal.journal import Journal
from edge_runtime.rescan import Rescan


def test_a_broken_bar_is_said_and_ends_with_1(capsys: pytest.CaptureFixture[str]) -> None:
    kept, broken = Bar("a", 1.0, 1.1, "x", ""), Bar("b", 1.2, 1.1, "x", "")
    only_told = Bar("c", 99.0, None, "x", "")
    assert bar.show([kept, only_told], as_json=False, load=0.0) == 0
    assert bar.show([kept, broken], as_json=False, load=0.0) == 1
    assert "BROKEN" in capsys.readouterr().out.splitlines()[-2]
    assert bar.show([kept, broken], as_json=True, load=0.0) == 1
    told = json.loads(capsys.readouterr().out)
    assert [bar["kept"] for bar in told["bars"]] == [True, False] and told["kept"] is False


def test_the_card_and_its_journal_are_such_as_the_device_passes_over(tmp_path: Path) -> None:
    known_card.fill(tmp_path / "card", 30)
    journal = Journal(tmp_path / "journal.sqlite", device="bench")
    assert sum(len(new) for new in Rescan(tmp_path / "card", journal).new([])) == 30
    known_card.remember(journal, tmp_path / "card")
    assert list(Rescan(tmp_path / "card", journal).new([])) == []
    known_card.remember_others(journal, 50)
    assert journal.ledger.totals().photos == 80


def test_growth_is_measured_on_photos_that_are_really_taken(tmp_path: Path) -> None:
    whole, alone = growth.per_photo(tmp_path, 10, 20, 2, block=2)
    assert whole.measured > 0 and alone.measured > 0
    again, first, memory = growth.rescans(tmp_path, 40, 1)
    assert again.measured > 0 and first.measured > 0 and memory.measured >= 0
