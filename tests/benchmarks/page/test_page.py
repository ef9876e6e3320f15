"""The report in a real browser: complete in itself, true to its documents, whole on paper."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from playwright.sync_api import Locator, Page

from benchmarks.document.schema import Document, Percentile
from benchmarks.page import wording
from tests.benchmarks.made_documents import CONDITIONS, document, latencies
from tests.benchmarks.page.conftest import Results

Opened = Callable[..., tuple[Page, list[str]]]
PI4 = "Raspberry Pi 4 Model B Rev 1.4"
ODD = "<script>document.title='owned'</script><img src=http://127.0.0.1:9/x onerror=alert(1)>$a_b^c$ & \"q\" 'p'"
A4_LANDSCAPE_PX = 1047
"""277 mm at 96 dots an inch: what lies between the margins."""
A4_PORTRAIT_PX = 718


def several() -> list[Document]:
    """Two boards, three scenarios, two sensors; few samples, no energy, no accuracy in one of them."""
    return [
        document(energy=("PMIC", "wall")),
        document(variant="fp32", precision="fp32", middle_ms=140),
        document(scenario="multi", streams=2, conditions=msgspec.structs.replace(CONDITIONS, governor="ondemand")),
        document(board=PI4, middle_ms=310, status="throttled", reasons=("the board reports: frequency capped",)),
        document(
            board=PI4,
            scenario="trap",
            latencies_ms=[[2310.0], [2250.5], [2401.0]],
            energy=(),
            accuracy=False,
            peak_rss_bytes=None,
            status="inconclusive",
            reasons=("only 3 queries",),
        ),
    ]


def value(cell: Locator, name: str = "value") -> str | None:
    return cell.get_attribute(f"data-{name}")


def rows(page: Page) -> dict[str, Locator]:
    found = page.locator("table.measured tbody tr")
    return {found.nth(index).get_attribute("data-run") or "": found.nth(index) for index in range(found.count())}


def field(row: Locator, name: str) -> Locator:
    return row.locator(f"[data-field='{name}']")


def assert_percentile(cell: Locator, told: Percentile) -> None:
    text = cell.inner_text()
    assert int(value(cell, "n") or 0) == told.n
    if told.value_ns is None:
        assert value(cell) is None and value(cell, "bound") is None
        assert re.sub(r"\s", "", text) == "–", f"a number stands where there is none: {text}"
        assert cell.locator("abbr").get_attribute("title") == f"{told.n} samples are too few"
    else:
        assert told.bound_ns is not None
        assert (int(value(cell) or 0), int(value(cell, "bound") or 0)) == (told.value_ns, told.bound_ns)
        assert text.split() == [wording.ms(told.value_ns), "≤", wording.ms(told.bound_ns)]


def test_the_page_asks_for_nothing_but_itself(results: Results, opened: Opened) -> None:
    results.add(*several())
    assert results.report() == 0
    page, asked = opened(results.output)
    assert asked == [results.output.as_uri()]
    assert page.locator("script, iframe, object, embed, form, img, link[href^='http']").count() == 0
    assert page.locator("h1").inner_text() == "edge-bench report"


def test_the_table_equals_the_documents(results: Results, opened: Opened) -> None:
    results.add(*several())
    results.report()
    page, _ = opened(results.output)
    shown = rows(page)
    assert shown.keys() == results.documents.keys()
    for run, row in shown.items():
        told = results.documents[run]
        whole = told.stats["whole"]
        for name in ("p50", "p90", "p99"):
            assert_percentile(field(row, name), getattr(whole, name))
        if "infer" in told.stats:
            assert_percentile(field(row, "infer"), told.stats["infer"].p50)
        else:
            assert field(row, "infer").inner_text().strip() == "–"
        if "first" in told.stats:
            first = told.stats["first"].p50.value_ns
            assert value(field(row, "first"), "ns") == ("" if first is None else str(first))
        else:
            assert field(row, "first").count() == 0
        assert float(value(field(row, "photos-per-s")) or 0) == told.throughput_measured_ips
        assert field(row, "photos-per-s").inner_text() == wording.number(told.throughput_measured_ips)
        peak = told.processes[0].peak_rss_bytes
        assert value(field(row, "peak-rss")) == (None if peak is None else str(peak))
        energy = field(row, "energy")
        assert [value(each, "sensor") for each in energy.all()] == [each.where for each in told.energy]
        for cell, each in zip(energy.all(), told.energy, strict=True):
            assert float(value(cell) or 0) == each.joules_per_photo
            assert float(value(cell, "above-idle") or 0) == each.above_idle_joules_per_photo
            assert each.where in cell.inner_text()
        measures = told.accuracy.measures if told.accuracy else ()
        for cell, measure in zip(field(row, "accuracy").all(), measures, strict=True):
            assert (value(cell, "measure"), float(value(cell) or 0)) == (measure.name, measure.value)
            assert value(cell, "low") == (None if measure.low is None else str(measure.low))
            assert f"n {measure.n}" in cell.inner_text()
        assert value(field(row, "verdict")) == told.verdict.status
        assert all(reason in field(row, "verdict").inner_text() for reason in told.verdict.reasons)


def test_rows_are_sorted_and_grouped_by_device_with_its_conditions(results: Results, opened: Opened) -> None:
    results.add(*reversed(several()))
    results.report()
    page, _ = opened(results.output)
    keys = ("board", "bundle", "variant", "scenario")
    order = [tuple(value(row, key) for key in keys) for row in rows(page).values()]
    assert order == sorted(order)
    assert page.locator(".device h3").all_inner_texts() == [PI4, "Raspberry Pi 5 Model B Rev 1.0"]
    assert "performance" in page.locator(".device").nth(0).locator(".conditions").inner_text()
    mixed = page.locator(".device").nth(1).locator(".conditions").inner_text()
    assert re.search(r"ondemand \(#\d\)", mixed), "which row had another governor is told"


def test_a_slow_hundredth_is_seen(results: Results, opened: Opened) -> None:
    planted = latencies(80.0)
    for process in planted:
        process[57] = 640.0
    planted[3][57] = 1234.5
    (made,) = (document(latencies_ms=planted),)
    results.add(made)
    results.report()
    page, _ = opened(results.output)
    over_time, shares = page.locator("#m1 figure").nth(0), page.locator("#m1 figure").nth(1)
    assert "slowest: 7 samples above 2 x median, the slowest 1,234 ms" in shares.inner_text()
    assert float(value(over_time, "slowest-ms") or 0) == 1234.5
    assert int(value(over_time, "samples") or 0) == made.stats["whole"].n
    assert float(value(over_time, "y-high-ms") or 0) > 1234.5 > float(value(over_time, "y-low-ms") or 0)
    heights = {}
    for number in range(1, 8):
        dot = over_time.locator(f"[id$='slow-{number}'] path")
        assert dot.count() == 1, "each planted sample is a mark of its own"
        box = dot.evaluate("each => { const box = each.getBBox(); return [box.y, box.height]; }")
        heights[number] = box[0]
        clip = over_time.locator("clipPath rect").first
        top = float(clip.get_attribute("y") or 0)
        assert top <= box[0] <= top + float(clip.get_attribute("height") or 0), "within the chart, not cut off"
    assert min(heights, key=lambda each: heights[each]) == 4, "the slowest is drawn highest"
    last = shares.locator("[id$='slowest'] use")
    assert last.count() == 1


def test_the_charts_say_no_percentile_that_the_document_does_not(results: Results, opened: Opened) -> None:
    results.add(document(latencies_ms=[[80.0 + index] for index in range(7)]))
    results.report()
    page, _ = opened(results.output)
    shares = page.locator("#m1 figure").nth(1)
    assert not [text for text in shares.locator("svg text").all_text_contents() if re.match(r"p\d\d", text)]
    assert "p50 –: 7 samples are too few, it needs 11" in shares.inner_text()
    assert page.locator("#stages").count() == 0, "no medians, no bars of medians"


@pytest.mark.parametrize("width", [1280, 390])
def test_nothing_runs_out_of_the_window(results: Results, opened: Opened, width: int) -> None:
    results.add(*several(), document(bundle="a-detector-with-a-very-long-name-indeed-" * 3 + " 1.0.0"))
    results.report()
    page, _ = opened(results.output, width)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    for row in rows(page).values():
        box = row.bounding_box()
        assert box is not None and box["x"] >= 0 and box["x"] + box["width"] <= width


@pytest.mark.parametrize("width", [A4_LANDSCAPE_PX, A4_PORTRAIT_PX])
def test_on_paper_no_table_is_cut_off(results: Results, opened: Opened, tmp_path: Path, width: int) -> None:
    results.add(*several(), document(bundle="a-detector-with-a-very-long-name-indeed-" * 3 + " 1.0.0"))
    results.report()
    page, _ = opened(results.output, width)
    page.emulate_media(media="print")
    outside = page.evaluate(
        "width => [...document.querySelectorAll('table, th, td, figure, svg')].filter("
        "each => { const box = each.getBoundingClientRect(); return box.right > width + 1 || box.left < -1 || "
        "(each.matches('td, th') && each.scrollWidth > each.clientWidth + 1); })"
        ".map(each => each.outerHTML.slice(0, 90))",
        width,
    )
    assert outside == []
    assert page.locator("table.measured thead").first.is_visible()
    style = "each => getComputedStyle(each).breakInside"
    assert {each.evaluate(style) for each in page.locator("figure").all()} == {"avoid"}
    pdf = page.pdf(path=tmp_path / "page.pdf", prefer_css_page_size=True)
    assert pdf.startswith(b"%PDF") and pdf.count(b"/Type /Page\n") >= 2


def test_names_are_text_and_never_markup(results: Results, opened: Opened) -> None:
    odd = document(
        board=ODD,
        bundle=ODD,
        variant=ODD,
        photos=ODD,
        energy=(ODD,),
        status="inconclusive",
        reasons=(ODD,),
        conditions=msgspec.structs.replace(CONDITIONS, governor=ODD, virtual=ODD),
    )
    results.add(odd, document(board=ODD, middle_ms=40, variant="other\x07\u202e", bundle="\U0001f98a 狐 1.0"))
    results.report()
    page, asked = opened(results.output)
    assert asked == [results.output.as_uri()]
    assert page.title() == "edge-bench: 2 measurements"
    assert page.locator("script, img").count() == 0
    assert ODD in page.locator(".device h3").inner_text()
    assert ODD in field(rows(page)[odd.run.id], "verdict").inner_text()
    assert any("$a_b^c$" in text or "<script>" in text for text in page.locator("svg text").all_text_contents())


def test_every_name_inside_the_page_is_used_once(results: Results, opened: Opened) -> None:
    results.add(*several())
    results.report()
    page, _ = opened(results.output)
    names = page.evaluate("[...document.querySelectorAll('[id]')].map(each => each.id)")
    assert len(names) == len(set(names))
    missing = page.evaluate(
        "[...document.querySelectorAll('[href^=\"#\"]')].map(each => each.getAttribute('href').slice(1))"
        ".filter(name => !document.getElementById(name))"
    )
    assert missing == []
    assert page.locator("table:not(:has(caption))").count() == 0
    assert page.locator("th:not([scope])").count() == 0
    assert page.locator("svg:not([aria-label])").count() == 0


def test_thirty_six_thousand_samples_stay_small_and_keep_their_extremes(results: Results, opened: Opened) -> None:
    planted = latencies(9.0, processes=6, queries=6000)
    planted[5][4321] = 777.0
    planted[0][3] = 0.5
    results.add(document(latencies_ms=planted))
    assert results.report() == 0
    assert results.output.stat().st_size < 2_000_000
    page, _ = opened(results.output)
    over_time = page.locator("#m1 figure").nth(0)
    assert int(value(over_time, "samples") or 0) == 36_000
    assert over_time.locator("[id$='slow-6'] path").count() == 1
    low = over_time.locator("[id$='samples-1'] path").evaluate("each => each.getBBox().y + each.getBBox().height")
    other = over_time.locator("[id$='samples-2'] path").evaluate("each => each.getBBox().y + each.getBBox().height")
    assert low > other + 20, "the one fast sample is drawn too"


def test_the_same_documents_give_the_same_page(results: Results) -> None:
    results.add(*several())
    results.report()
    first = results.output.read_bytes()
    results.report()
    assert results.output.read_bytes() == first
