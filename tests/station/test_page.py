"""The ranger's page in a real browser: live, complete in itself, and usable without scripts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from playwright.sync_api import Browser, Page, expect

from edge_runtime.settings import StationSettings, Web
from edge_runtime.station.ingest import Health
from edge_runtime.station.store import FILE_NAME, Reader, Store
from edge_runtime.station.web import ANIMALS_SHOWN, MOST_SHOWN, PageServer, create_app
from edge_runtime.uplink.payload import ClockQuality
from tests.station.device import NOW_S, arrivals, book, card, event, introduction, message, seen, sighting, status

LIVE_MS = 15_000
HEALTHY = Health(connected=True, since_s=NOW_S - 600, link_problem="", store_problem="")
ODD = "<script>alert(1)</script>"
BOOK = book(labels=("animal", "leopard", "person", "vehicle", ODD), individuals=("F12", "Nala", f"{ODD} & 7/%"))


@dataclass
class Station:
    """A store, its page, and a clock and a health that the test sets."""

    store: Store
    now: float = NOW_S + 120.0
    health: Health = HEALTHY
    server: PageServer = field(init=False)

    def __post_init__(self) -> None:
        settings = StationSettings(
            station="mara-north", data=str(self.store.file.parent), time_zone="Africa/Nairobi", web=Web(port=0)
        )
        app = create_app(self.store, settings, lambda: self.health, clock=lambda: self.now)
        self.app = app
        self.server = PageServer(app, "127.0.0.1", 0)

    def hear(self, sequence: int, *records: Any, clock: ClockQuality = ClockQuality.CAMERA) -> None:
        payload = message(BOOK, sequence, records, clock=clock)
        self.store.commit(arrivals(("ct/1/ridge/e", payload), at=int(self.now)))


@pytest.fixture
def station(store: Store) -> Iterator[Station]:
    made = Station(store)
    store.commit(introduction(BOOK, 1, 3))
    store.commit(arrivals(("ct/1/ridge/o", b"1")))
    made.server.start()
    yield made
    made.server.stop()


@pytest.fixture
def page(browser: Browser, station: Station) -> Iterator[Page]:
    """The page on a phone. Its timers stand still until `poll` lets them run."""
    context = browser.new_context(viewport={"width": 390, "height": 844})
    opened = context.new_page()
    opened.clock.install(time=NOW_S)
    opened.clock.pause_at(NOW_S + 1)
    opened.goto(station.server.url)
    yield opened
    context.close()


def poll(page: Page) -> None:
    """Let the page ask the station once more, and wait for the answer."""
    with page.expect_event("requestfinished", lambda request: "/fragment" in request.url, timeout=LIVE_MS):
        page.clock.run_for(3100)


@pytest.fixture
def client(station: Station) -> FlaskClient:
    return station.app.test_client()


def test_an_event_appears_by_itself_without_loading_the_page_again(station: Station, browser: Browser) -> None:
    page = browser.new_page()
    page.goto(station.server.url)
    expect(page.get_by_text("No event yet")).to_be_visible()
    page.evaluate("window.untouched = true")
    station.hear(1, event(0, label=1, count=2))
    row = page.get_by_role("row").filter(has_text="Leopard")
    expect(row).to_be_visible(timeout=LIVE_MS)
    expect(row).to_contain_text("2 min ago")
    expect(row).to_contain_text("17:13")
    expect(row).to_contain_text("× 2")
    expect(row).to_contain_text("80 %")
    expect(row).to_contain_text("cam7")
    expect(row).to_contain_text("ridge 13 bytes")
    expect(page.locator("#news")).to_have_text("New: Leopard × 2 at cam7")
    assert page.evaluate("window.untouched") is True
    page.close()


def test_the_page_works_with_scripts_turned_off(station: Station, browser: Browser) -> None:
    station.hear(1, event(0, label=1))
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(station.server.url)
    expect(page.get_by_text("Leopard")).to_be_visible()
    station.hear(2, event(1, label=3))
    expect(page.get_by_text("Vehicle")).to_be_visible(timeout=30_000)
    context.close()


def test_no_request_leaves_the_host_and_nothing_is_blocked(station: Station, browser: Browser) -> None:
    station.hear(1, event(0, label=2))
    context = browser.new_context()
    page = context.new_page()
    asked: list[str] = []
    complaints: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda said: complaints.append(said.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    with page.expect_request(lambda request: "/fragment" in request.url, timeout=LIVE_MS):
        page.goto(station.server.url)
    page.wait_for_load_state("networkidle")
    assert any(url.endswith("station.css") for url in asked)
    assert [url for url in asked if not url.startswith(station.server.url)] == []
    assert complaints == []
    context.close()


def test_people_and_vehicles_are_marked_by_more_than_colour(station: Station, page: Page) -> None:
    station.hear(1, event(0, label=1), event(1, label=2), event(2, label=3))
    poll(page)
    expect(page.locator("tbody tr")).to_have_count(3)
    marked = page.locator("tr.human")
    expect(marked).to_have_count(2)
    for label in ("Person", "Vehicle"):
        expect(marked.filter(has_text=label).locator("svg.icon")).to_be_visible()
    expect(page.locator("tr").filter(has_text="Leopard").locator("svg.icon")).to_have_count(0)


def test_the_page_says_when_the_station_cannot_be_reached_and_when_it_can_again(station: Station, page: Page) -> None:
    page.context.set_offline(True)
    page.clock.run_for(3100)
    expect(page.get_by_role("alert")).to_contain_text("cannot reach the station")
    page.context.set_offline(False)
    poll(page)
    expect(page.get_by_role("alert")).to_be_hidden()


def test_a_label_cannot_bring_markup_into_the_page(station: Station, page: Page) -> None:
    dialogs: list[str] = []
    page.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
    station.hear(1, event(0, label=4))
    poll(page)
    expect(page.locator(".label")).to_have_text("<script>alert(1)</script>")
    assert page.locator("#live script").count() == 0
    assert dialogs == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_nothing_overflows_and_text_has_strong_contrast(
    station: Station, browser: Browser, width: int, scheme: Any
) -> None:
    station.hear(1, *(event(number, label=number % 4, count=14) for number in range(8)))
    station.hear(9, sighting(seen(1, 0), seen(1, 1), seen(1, 2), seen(1, count=9), review=True))
    station.health = replace(HEALTHY, connected=False, link_problem="connection refused")
    context = browser.new_context(viewport={"width": width, "height": 844}, color_scheme=scheme)
    page = context.new_page()
    page.goto(station.server.url)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    weakest = page.evaluate(CONTRAST)
    assert weakest["ratio"] >= 4.5, weakest
    context.close()


CONTRAST = """() => {
  const parse = text => text.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => [r, g, b].map(v => v / 255)
    .map(v => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const ground = element => {
    for (let at = element; at; at = at.parentElement) {
      const colour = parse(getComputedStyle(at).backgroundColor);
      if (colour.length < 4 || colour[3] === 1) return colour;
    }
    return [255, 255, 255];
  };
  let weakest = { ratio: 99, text: "" };
  for (const element of document.querySelectorAll("body *")) {
    const own = [...element.childNodes].some(node => node.nodeType === 3 && node.textContent.trim());
    if (!own || !element.getClientRects().length) continue;
    const [a, b] = [light(parse(getComputedStyle(element).color)), light(ground(element))].sort((x, y) => y - x);
    const ratio = (a + 0.05) / (b + 0.05);
    if (ratio < weakest.ratio) weakest = { ratio, text: element.textContent.trim().slice(0, 60) };
  }
  return weakest;
}"""


def test_a_known_animal_is_told_by_name_and_what_is_to_review_is_marked(station: Station, page: Page) -> None:
    station.hear(1, sighting(seen(1, 0), review=True), sighting(seen(1, 1), seen(1), at=NOW_S + 60))
    poll(page)
    alone, beside = page.locator("tr").filter(has_text="F12"), page.locator("tr").filter(has_text="Nala")
    expect(alone.locator(".count")).to_contain_text("Leopard F12")
    expect(alone.locator(".who")).to_contain_text("known animal, likeness 6 of 7")
    expect(alone.locator(".review")).to_contain_text("to review")
    expect(alone.locator(".review svg")).to_be_visible()
    expect(page.get_by_role("contentinfo")).to_contain_text("a person should look at these photos")
    expect(beside.locator(".count")).to_contain_text("Leopard × 2")
    expect(beside.locator(".who")).to_contain_text("one of them Nala")
    expect(beside.locator(".review")).to_have_count(0)
    expect(page.locator("#news")).to_have_text("New: Leopard × 2 (one of them Nala) at cam7; Leopard F12 at cam7")


def test_known_animals_are_listed_with_where_and_when_they_were_last(station: Station, page: Page) -> None:
    expect(page.get_by_role("heading", name="Known animals")).to_have_count(0)
    station.hear(
        1, sighting(seen(1, 0), at=NOW_S - 7200), sighting(seen(1, 1), at=NOW_S - 60, camera=1), sighting(seen(1, 0))
    )
    poll(page)
    listed = page.get_by_role("region", name="Known animals").get_by_role("listitem")
    expect(listed).to_have_count(2)
    expect(listed.nth(0)).to_contain_text("Leopard F12")
    expect(listed.nth(0)).to_contain_text("2 events")
    expect(listed.nth(0)).to_contain_text("last at cam7, 2 min ago")
    expect(listed.nth(1)).to_contain_text("Leopard Nala 1 event last at waterhole, 3 min ago")
    page.get_by_role("link", name="Leopard Nala").click()
    expect(page.get_by_role("heading", name="Latest events of Leopard Nala")).to_be_visible()
    expect(page.locator("tbody tr")).to_have_count(1)
    poll(page)
    expect(page.locator("tbody tr")).to_have_count(1)
    page.get_by_role("link", name="show all events").click()
    expect(page.locator("tbody tr")).to_have_count(3)


def test_a_name_cannot_bring_markup_into_the_page_and_its_events_are_found(station: Station, page: Page) -> None:
    station.hear(1, sighting(seen(4, 2)), sighting(seen(1, 0), at=NOW_S + 1))
    poll(page)
    assert page.locator("#live script").count() == 0
    page.get_by_role("region", name="Known animals").get_by_role("link", name="& 7/%").click()
    expect(page.locator("tbody tr")).to_have_count(1)
    expect(page.locator("tbody .times")).to_have_text(BOOK.individuals[2])


def test_all_known_animals_can_be_shown_and_a_few_are_at_first(station: Station, client: FlaskClient) -> None:
    many = book(epoch="00000000000000b2", individuals=tuple(f"F{number}" for number in range(40)))
    station.store.commit(introduction(many, 1, 41))
    told = [sighting(seen(1, number), at=NOW_S + number) for number in range(40)]
    station.store.commit(arrivals(("ct/1/ridge/e", message(many, 1, told))))
    first, whole = (client.get(path).get_data(as_text=True) for path in ("/", "/?animals=1000"))
    assert (first.count("<li>"), whole.count("<li>")) == (ANIMALS_SHOWN, 40)
    assert ("Show all known animals" in first, "Show all known animals" in whole) == (True, False)
    assert [each["name"] for each in client.get("/api/animals?limit=2").get_json()["animals"]] == ["F39", "F38"]
    found = client.get("/api/events?label=leopard&individual=F7").get_json()["events"]
    assert [each["sequence"] for each in found] == [8]


def test_devices_are_shown_with_what_is_missing(station: Station, page: Page) -> None:
    station.hear(1, event(0))
    station.hear(4, event(3))
    station.store.commit(arrivals(("ct/1/ridge/s", status(BOOK, 2, 5, photos=1204, failed=3))))
    box = page.get_by_role("article").filter(has_text="ridge")
    poll(page)
    expect(box).to_contain_text("missing 2–3, the device will send again")
    expect(box).to_contain_text("1,204")
    expect(box).to_contain_text("online")
    station.hear(2, event(1), event(2))
    poll(page)
    expect(box).to_contain_text("all 4 summaries received")
    station.now += 72 * 3600
    poll(page)
    expect(box).to_contain_text("silent")


def test_card_reports_and_troubles_are_told(station: Station, page: Page) -> None:
    station.hear(1, card(photos=1204, empty=1100, failed=3))
    poll(page)
    expect(page.get_by_text("card read: 1,204 photos, 1,100 empty")).to_be_visible()
    stray = message(book(epoch="00000000000000ff"), 1, [event()])
    station.store.commit(arrivals(("ct/1/ridge/e", stray), ("ct/1/ridge/e", b"\x00")))
    station.health = replace(HEALTHY, connected=False, link_problem="connection refused", store_problem="disk full")
    poll(page)
    for words in ("1 message is held", "1 unreadable message", "connection refused", "disk full", "Not receiving"):
        expect(page.get_by_text(words)).to_be_visible()


def test_an_event_from_an_old_clock_is_not_hidden_by_later_ones(client: FlaskClient, station: Station) -> None:
    station.hear(1, *(event(number, camera=1) for number in range(60)))
    station.hear(61, event(0, label=3, at=1_500_000_000))
    station.hear(62, event(0, label=1), clock=ClockQuality.UNKNOWN)
    text = client.get("/").get_data(as_text=True)
    assert "Vehicle" in text
    assert text.index("time unknown") < text.index("Vehicle")


def test_every_answer_carries_the_strict_headers(client: FlaskClient) -> None:
    for path in (
        "/",
        "/fragment",
        "/api/events",
        "/api/animals",
        "/api/devices",
        "/healthz",
        "/static/live.js",
        "/icon.svg",
        "/none",
    ):
        headers = client.get(path).headers
        assert headers["Content-Security-Policy"].startswith("default-src 'self';"), path
        assert headers["X-Content-Type-Options"] == "nosniff"


def test_no_route_changes_anything(station: Station, client: FlaskClient) -> None:
    methods = {method for rule in station.app.url_map.iter_rules() for method in rule.methods or ()}
    assert methods == {"GET", "HEAD", "OPTIONS"}
    assert client.post("/").status_code == 405


def test_the_api_gives_events_newest_first_by_device_and_after_an_id(client: FlaskClient, station: Station) -> None:
    station.hear(1, event(0), event(1, label=2))
    found = client.get("/api/events").get_json()["events"]
    assert [each["id"] for each in found] == [2, 1]
    assert found[1]["start"] == "2026-09-21T14:13:20Z"
    leopard = {"label": "leopard", "count": 1, "confidence": 0.8, "individual": None, "individual_score": None}
    assert found[1]["counts"] == [leopard]
    assert found[1]["clock"] == "camera"
    assert [each["id"] for each in client.get("/api/events?after=1").get_json()["events"]] == [2]
    assert len(client.get("/api/events?limit=1").get_json()["events"]) == 1
    assert client.get("/api/events?device=other").get_json()["events"] == []
    assert client.get("/api/devices").get_json()["devices"][0]["state"] == "online"


def test_a_number_that_is_none_is_refused_and_a_large_one_is_bounded(client: FlaskClient, station: Station) -> None:
    for query in ("limit=x", "limit=-1", "after=1e3", "after=", "limit=٣"):
        answer = client.get(f"/api/events?{query}")
        assert (answer.status_code, "whole number" in answer.get_json()["error"]) == (400, True), query
    station.hear(1, *(event(number) for number in range(MOST_SHOWN // 10)))
    assert len(client.get("/api/events?limit=999999999999999").get_json()["events"]) == MOST_SHOWN // 10


def test_health_is_an_error_while_the_station_does_not_receive(client: FlaskClient, station: Station) -> None:
    assert client.get("/healthz").status_code == 200
    station.health = replace(HEALTHY, connected=False)
    assert client.get("/healthz").status_code == 503
    station.health = replace(HEALTHY, store_problem="disk full")
    assert client.get("/healthz").status_code == 503


def test_a_store_that_cannot_be_read_is_told_and_no_traceback(tmp_path: Path) -> None:
    app = create_app(Reader(tmp_path / FILE_NAME), StationSettings(data=str(tmp_path)), lambda: HEALTHY)
    answer = app.test_client().get("/")
    assert answer.status_code == 503
    assert "cannot be read" in answer.get_data(as_text=True)
