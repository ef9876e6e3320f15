"""The contact sheet of the whole sample card: by the packaged models, and in a real browser."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from playwright.sync_api import Browser

from edge_runtime import cli
from edge_runtime.intake import scan
from edge_runtime.journal.journal import Journal
from edge_runtime.models.loading import load_classifier, load_detector
from edge_runtime.pipeline import Pipeline
from edge_runtime.reports import contact_sheet
from edge_runtime.reports.contact_sheet import Choice
from edge_runtime.rules import Rules
from edge_runtime.tryout import sample_card
from edge_runtime.tryout.sample_card import SampleCard
from edge_runtime.values import Box
from tests.reports.sheet_pictures import detail, pictures, shown_without_care


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> tuple[SampleCard, Path]:
    """The sample card, and the journal of the packaged models over all of it."""
    folder = tmp_path_factory.mktemp("sheet")
    card = sample_card.build(folder / "card")
    rules = Rules(zone=ZoneInfo("UTC"), cameras=(), max_pixels=200_000_000, gap_s=60, confident=0.53)
    journal = Journal(folder / "journal.sqlite", device="hut-1")
    pipeline = Pipeline(journal, load_detector("default", threads=2), load_classifier("default", threads=2), rules)
    for _ in pipeline.take_all((stamp, True) for stamp in scan.scan(card.folder).photos):
        pass
    pipeline.close_events()
    journal.close()
    return card, folder / "journal.sqlite"


def inner(box: Box) -> Box:
    """Without its rim: a detector's box may be a little smaller than the truth."""
    across, down = 0.15 * (box.x2 - box.x1), 0.15 * (box.y2 - box.y1)
    return Box(box.x1 + across, box.y1 + down, box.x2 - across, box.y2 - down)


def people_of(card: SampleCard) -> dict[str, Sequence[Box]]:
    return {
        str(shot.path): [box for category, box in shot.subjects if category == "person"]
        for shot in card.shots
        if any(category == "person" for category, _ in shot.subjects)
    }


def test_on_the_sample_card_the_models_find_everybody_and_nobody_can_be_recognised(
    sample: tuple[SampleCard, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    card, journal = sample
    output = tmp_path / "sheet.html"
    arguments = ["sheet", "--journal", str(journal), "--card", str(card.folder), "-o", str(output), "--json"]
    assert cli.main([*arguments, "--only", "all"]) == 0
    told = json.loads(capsys.readouterr().out)
    page = output.read_text(encoding="utf-8")
    assert (told["photos"], told["failed"], told["not_shown"]) == (card.photos, len(card.broken), 0)
    assert all(name in page for name in card.broken)
    names = re.findall(r"<figcaption><b>([^<]+)</b>", page)
    shown = dict(zip(names, pictures(page), strict=True))
    people = people_of(card)
    assert len(people) >= 6
    for name, boxes in people.items():
        plain = shown_without_care((card.folder / name).read_bytes())
        for box in boxes:
            assert detail(shown[name], inner(box)) < 0.15 * detail(plain, inner(box)), name
    assert "domestic cat" in page


def test_a_browser_shows_the_page_without_asking_anybody(
    sample: tuple[SampleCard, Path], tmp_path: Path, browser: Browser
) -> None:
    card, journal = sample
    output = tmp_path / "sheet.html"
    made = contact_sheet.write(journal, card.folder, output, Choice())
    asked: list[str] = []
    complaints: list[str] = []
    page = browser.new_page(viewport={"width": 1200, "height": 900})
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda said: complaints.append(said.text))
    page.goto(output.as_uri())
    loaded = page.evaluate("[...document.images].filter(i => i.complete && i.naturalWidth > 0).length")
    inside = page.evaluate(
        "[...document.querySelectorAll('.box')].every(b => { const a = b.getBoundingClientRect(),"
        " p = b.parentElement.getBoundingClientRect();"
        " return a.left >= p.left - 1 && a.right <= p.right + 1 && a.top >= p.top - 1"
        " && a.bottom <= p.bottom + 1 })"
    )
    headings = page.get_by_role("heading", level=2).count()
    paper = page.pdf(format="A4")
    page.close()
    assert [url for url in asked if not url.startswith("data:")] == [output.as_uri()] and complaints == []
    assert loaded == made.photos > 30 and inside
    assert headings == made.events + 1 and paper.startswith(b"%PDF")
