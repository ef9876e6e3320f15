"""The contact sheet: what stands on it, in which order, and that making it changes nothing else."""

from __future__ import annotations

import re
import shutil
from datetime import datetime
from pathlib import Path, PurePosixPath

import pytest

from edge_runtime import cli
from edge_runtime.errors import CamtrapEdgeError, JournalError
from edge_runtime.journal.journal import Journal
from edge_runtime.reports import contact_sheet
from edge_runtime.reports.contact_sheet import Choice
from edge_runtime.values import Box, Detection, FileStamp, Species
from tests.reports.sheet_bench import ALL, NOON, PERSON, Bench, cat, person, photo
from tests.reports.sheet_pictures import pictures


def test_another_photo_of_the_same_name_is_not_shown_in_its_place(bench: Bench) -> None:
    bench.record("DCIM/IMG_0001.JPG", person())
    bench.record("DCIM/IMG_0002.JPG", cat(), content=photo(seed=1))
    bench.record("DCIM/IMG_0003.JPG", cat(), content=photo(seed=2))
    (bench.card / "DCIM/IMG_0001.JPG").write_bytes(photo(seed=3))
    (bench.card / "DCIM/IMG_0002.JPG").unlink()
    (bench.card / "DCIM/IMG_0003.JPG").write_bytes(photo(seed=2)[:5000])
    made, page = bench.sheet()
    assert (made.photos, made.not_shown, pictures(page)) == (3, 3, [])
    for name, problem in (("1", "another one has its name"), ("2", "not on this card"), ("3", "ends before")):
        assert re.search(rf'<div class="none">[^<]*{problem}[^<]*</div><figcaption><b>DCIM/IMG_000{name}', page), (
            problem
        )


def test_a_name_is_text_whatever_is_in_it(bench: Bench) -> None:
    evil = "<img src=x onerror=alert(1)>"
    bench.record(f"{evil}/a&b.jpg", cat(name=evil), camera=evil, review=evil)
    bench.record("b.jpg", cat(), content=photo(seed=1), answer=evil)
    bench.fail(f"{evil}.JPG", evil)
    _, page = bench.sheet()
    assert evil not in page and "<script" not in page
    assert page.count("&lt;img src=x onerror=alert(1)&gt;") >= 7 and "a&amp;b.jpg" in page


def test_what_was_not_read_stands_there_with_its_reason_and_duplicates_do_not(bench: Bench) -> None:
    bench.record("a.jpg", cat())
    bench.fail("b.jpg", "ends before its picture does")
    journal = Journal(bench.journal, device="hut-1")
    with journal.transaction():
        journal.ledger.add_duplicate(FileStamp(bench.card, PurePosixPath("copy.jpg"), 1, 1), 1)
    journal.close()
    made, page = bench.sheet()
    assert (made.photos, made.failed) == (1, 1)
    assert "<td>b.jpg</td><td>ends before its picture does</td>" in page and "copy.jpg" not in page


def test_only_since_and_limit_choose(bench: Bench) -> None:
    bench.record("a.jpg", cat())
    bench.record("b.jpg", person(), content=photo(seed=1), at_s=NOON + 86_400)
    bench.record("c.jpg", cat(0.3), content=photo(seed=2), review="no species is sure")
    bench.record("d.jpg", content=photo(seed=3))
    bench.record("e.jpg", cat(), content=photo(seed=4), at_s=None)
    bench.fail("f.jpg", "empty file")

    def names(choice: Choice) -> str:
        return "".join(re.findall(r"<(?:b|td)>(\w)\.jpg", bench.sheet(choice)[1]))

    assert names(Choice()) == "abcef"
    assert names(Choice(only="all")) == "abcdef"
    assert names(Choice(only="animals")) == "ae"
    assert names(Choice(only="review")) == "c"
    assert names(Choice(only="failed")) == "f"
    assert names(Choice(since=datetime(2026, 5, 2, 11, 59))) == "bef"
    assert names(Choice(since=datetime(2026, 5, 2, 12, 1))) == "ef"
    made, page = bench.sheet(Choice(limit=2))
    assert (made.photos, made.left_out, made.failed) == (2, 2, 1) and "2 more photos" in page


def test_an_event_stands_under_one_heading_with_what_was_seen_at_once(bench: Bench) -> None:
    both = (cat(), Detection("animal", 0.7, Box(0.1, 0.1, 0.2, 0.2), Species("cat", 0.9)))
    event = bench.record("a.jpg", *both)
    bench.record("b.jpg", cat(), Detection("animal", 0.1, PERSON), content=photo(seed=1), event=event)
    bench.record("c.jpg", cat(name="hare"), content=photo(seed=2), camera="ford")
    made, page = bench.sheet()
    assert made.events == 2
    headings = re.findall(r"<h2>(.*?)</h2>", page)
    assert headings == ["ridge, 2026-05-01 12:00:00: cat × 2", "ford, 2026-05-01 12:00:00: hare × 1"]
    assert page.count('class="box animal') == 4 and "left:55.00%;top:20.00%;width:40.00%;height:60.00%" in page
    assert ">cat 80%<" in page and ">cat 90%<" in page


def test_nothing_is_written_to_the_card_and_a_failed_sheet_leaves_the_old_one(bench: Bench) -> None:
    bench.record("a.jpg", cat())
    bench.sheet()
    before = {file: file.stat().st_mtime_ns for file in bench.card.rglob("*")}
    with pytest.raises(CamtrapEdgeError, match="lies on the card"):
        contact_sheet.write(bench.journal, bench.card, bench.card / "sheet.html", ALL)
    old = (bench.journal.parent / "sheet.html").read_text(encoding="utf-8")
    with pytest.raises(CamtrapEdgeError, match="is no folder"):
        contact_sheet.write(bench.journal, bench.card / "gone", bench.journal.parent / "sheet.html", ALL)
    with pytest.raises(JournalError):
        contact_sheet.write(bench.card / "a.jpg", bench.card, bench.journal.parent / "sheet.html", ALL)
    assert (bench.journal.parent / "sheet.html").read_text(encoding="utf-8") == old
    assert {file: file.stat().st_mtime_ns for file in bench.card.rglob("*")} == before
    assert not list(bench.journal.parent.glob("*.partial"))


def test_the_command_takes_card_and_journal_from_the_settings(
    bench: Bench, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bench.record("a.jpg", cat())
    (tmp_path / "data").mkdir()
    shutil.copyfile(bench.journal, tmp_path / "data" / "journal.sqlite")
    config = tmp_path / "device.yaml"
    config.write_text("device: hut-1\ndata: data\ncards: {root: card}\ntime_zone: Africa/Nairobi\n")
    assert cli.main(["sheet", "-c", str(config), "-o", str(tmp_path / "s.html"), "--since", "2026-05-01"]) == 0
    assert "1 photos of 1 events" in capsys.readouterr().out
    assert cli.main(["sheet", "--journal", str(bench.journal), "-o", str(tmp_path / "t.html")]) == 1
    assert "--card" in capsys.readouterr().err
