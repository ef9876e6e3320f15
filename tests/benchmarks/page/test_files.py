"""What becomes of files that are damaged, foreign, doubled or somebody else's figures."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from playwright.sync_api import Page

from benchmarks.document import reading
from benchmarks.page import making, published
from benchmarks.page.errors import NothingToReportError, PageError
from tests.benchmarks.made_documents import document
from tests.benchmarks.page.conftest import Results

Opened = Callable[..., tuple[Page, list[str]]]
RESULTS = Path(__file__).parents[3] / "results"
FIGURE = {"model": "M", "device": "D", "engine": "E", "precision": None, "input": "1 x 1", "threads": None, "mj": None}
PUBLICATION = {
    "schema": published.SCHEMA,
    "source": "A paper",
    "url": None,
    "source_checked": False,
    "boundary": "Inference.",
    "figures": [{**FIGURE, "ms": 4242.5}],
}


def spoilt(folder: Path, good: Path) -> dict[str, bytes]:
    """Files that must not give a row, by name."""
    whole = good.read_bytes()
    edited = json.loads(whole)
    edited["stats"]["whole"]["p50"]["value_ns"] //= 2
    files = {
        "half.json": whole[: len(whole) // 2],
        "empty.json": b"",
        "foreign.json": b'{"latency_ms": 12, "fps": 83}',
        "list.json": b"[1, 2, 3]",
        "newer.json": whole.replace(b"benchmark/1", b"benchmark/9", 1),
        "edited.json": json.dumps(edited).encode(),
        "noise.json": bytes(range(256)),
        "twice.json": whole,
    }
    for name, data in files.items():
        (folder / name).write_bytes(data)
    return files


def test_spoilt_files_are_named_give_no_row_and_an_exit_code(
    results: Results, opened: Opened, capsys: pytest.CaptureFixture[str]
) -> None:
    (good,) = results.add(document())
    files = spoilt(good.parent, good)
    assert results.report() == 1
    told = capsys.readouterr().err
    assert all(name in told for name in files)
    page, _ = opened(results.output)
    assert page.locator("table.measured tbody tr").count() == 1
    named = page.locator("#problems li")
    assert {Path(each.get_attribute("data-file") or "").name for each in named.all()} == set(files)
    assert all(len(each.inner_text()) > len(each.get_attribute("data-file") or "") + 5 for each in named.all())
    section = page.locator("main > section").first
    assert section.get_attribute("id") == "problems", "what is missing is said first"


def test_no_document_means_no_page_and_exit_code_2(results: Results, capsys: pytest.CaptureFixture[str]) -> None:
    results.folder.mkdir()
    assert results.report() == 2
    (results.folder / "half.json").write_bytes(b'{"schema": ')
    assert results.report() == 2
    assert "half.json" in capsys.readouterr().err
    assert not results.output.exists()
    assert list(results.output.parent.glob("*.partial")) == []


def test_a_missing_path_is_a_problem(results: Results) -> None:
    with pytest.raises(NothingToReportError) as told:
        making.usable([results.folder / "nowhere"])
    assert [problem.file.name for problem in told.value.problems] == ["nowhere"]


def test_only_pages_are_written_over_and_only_whole(results: Results, tmp_path: Path) -> None:
    (good,) = results.add(document())
    before = good.read_bytes()
    with pytest.raises(PageError, match=r"ends in \.html"):
        making.report([results.folder], good)
    assert good.read_bytes() == before
    (tmp_path / "folder.html").mkdir()
    with pytest.raises(PageError, match="cannot be written"):
        making.report([results.folder], tmp_path / "folder.html")
    with pytest.raises(PageError, match="cannot be written"):
        making.report([results.folder], tmp_path / "no such folder" / "report.html")
    assert not [file for file in tmp_path.rglob("*") if file.name.endswith(".partial")]


def test_rows_as_json_carry_exact_values(results: Results, capsys: pytest.CaptureFixture[str]) -> None:
    few = document(latencies_ms=[[80.0, 81.0]], energy=(), accuracy=False, peak_rss_bytes=None)
    results.add(document(middle_ms=40), few)
    assert results.report("--json") == 0
    assert not results.output.exists()
    told = json.loads(capsys.readouterr().out)
    by_run = {row["run"]: row for row in told["rows"]}
    assert by_run.keys() == results.documents.keys()
    for run, made in results.documents.items():
        row, whole = by_run[run], made.stats["whole"]
        assert row["whole"]["p99"] == msgspec.to_builtins(whole.p99)
        assert (row["n"], row["slowest_ns"]) == (whole.n, whole.max_ns)
        assert row["photos_per_s"] == made.throughput_measured_ips
    alone = by_run[few.run.id]
    assert (alone["whole"]["p50"]["value_ns"], alone["infer_p50_ns"], alone["peak_rss_bytes"]) == (None, None, None)
    assert (alone["energy"], alone["accuracy"], told["problems"]) == ([], None, [])


def test_published_figures_stand_in_their_own_section_only(results: Results, opened: Opened) -> None:
    results.add(document())
    folder = results.folder / "published"
    folder.mkdir()
    (folder / "a-paper.json").write_text(json.dumps(PUBLICATION))
    assert results.report() == 0
    page, _ = opened(results.output)
    section = page.locator("#published")
    assert section.locator("h2").inner_text() == "Published by others — not measured here"
    row = section.locator("tbody tr")
    assert (row.count(), row.get_attribute("data-ms")) == (1, "4242.5")
    assert "A paper" in row.inner_text() and "not looked up" in row.inner_text()
    assert page.locator("table.measured tbody tr").count() == 1
    page.evaluate("document.querySelector('#published').remove()")
    assert not re.search(r"4,?24[23]|A paper", page.locator("body").inner_text())


def test_a_spoilt_published_file_is_named_too(results: Results, opened: Opened) -> None:
    results.add(document())
    folder = results.folder / "published"
    folder.mkdir()
    for name, change in (("zero", {"figures": [{**FIGURE, "ms": 0}]}), ("link", {"url": "javascript:alert(1)"})):
        (folder / f"{name}.json").write_text(json.dumps({**PUBLICATION, **change}))
    shutil.copy(results.add(document(middle_ms=40))[0], folder / "measured.json")
    assert results.report() == 1
    page, _ = opened(results.output)
    named = {Path(each.get_attribute("data-file") or "").name for each in page.locator("#problems li").all()}
    assert named == {"zero.json", "link.json", "measured.json"}
    assert page.locator("table.measured tbody tr").count() == 2
    assert page.locator("#published").count() == 0


def test_published_figures_among_measured_ones_are_refused(results: Results) -> None:
    (good,) = results.add(document())
    (good.parent / "a-paper.json").write_text(json.dumps(PUBLICATION))
    assert results.report() == 1
    assert len(making.usable([results.folder]).rows) == 1


def test_the_projects_own_published_figures_can_be_read() -> None:
    good, problems = published.read_all([RESULTS])
    assert problems == []
    assert sum(len(each.figures) for _, each in good) >= 20
    assert all(each.url for _, each in good if each.source_checked)


def test_the_projects_own_results_are_valid() -> None:
    _, problems = reading.read_all([RESULTS])
    assert problems == []


@pytest.mark.parametrize("package", ["matplotlib", "jinja2"])
def test_a_missing_package_is_told_with_its_remedy(
    results: Results, package: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    results.add(document())
    monkeypatch.setitem(sys.modules, package, None)
    assert results.report() == 2
    assert f"{package} is not installed: pip install 'camtrap-edge[bench]'" in capsys.readouterr().err
    assert not results.output.exists()


def test_the_command_is_there_without_the_extra() -> None:
    code = "import sys, benchmarks.commands.report; print({'matplotlib', 'scipy', 'jinja2'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
