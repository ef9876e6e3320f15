"""Fixed cameras with a branch before them, from the card to what is sent and to what a person is shown."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from edge_runtime import cli
from edge_runtime.journal import repeats
from edge_runtime.journal.repeats import Sighted
from edge_runtime.pipeline import Outcome, Pipeline
from edge_runtime.settings import Repeats
from edge_runtime.values import Event
from tests.colour_detector import Cells
from tests.device.conftest import RULES, Bench

BRANCH = (0, 0)
WALK = [(column, row) for row in (1, 2, 3) for column in range(4)]
"""An animal on its way: another place in each event."""
TIMES = 20


@pytest.fixture
def fixed(bench: Bench) -> Bench:
    """A device that knows repeats."""
    bench.pipeline = Pipeline(bench.journal, bench.detector, None, replace(RULES, repeats=Repeats(times=TIMES)))
    return bench


def card(bench: Bench, events: Mapping[int, list[Cells]], *, camera: str = "CAM", start: int = 0) -> None:
    """Put events on the card, ten minutes apart."""
    for number, photos in events.items():
        for shot, cells in enumerate(photos):
            at = (start + number) * 600 + shot
            bench.shoot(f"{camera}/{start + number:03}-{shot}.JPG", cells, seconds=at)


def counts(bench: Bench, camera: str = "CAM") -> dict[int, int]:
    """Animals of each event that was sent, by the event's number on the card."""
    return {start // 600: sum(label.values()) for name, start, _, label in bench.events() if name == camera}


def held(bench: Bench) -> dict[str, list[str]]:
    """Of each file, why each detection does not count."""
    return {str(result.path): [found.held for found in result.detections] for result in bench.journal.ledger.results()}


def places(bench: Bench) -> list[Sighted]:
    return repeats.sighted(bench.journal._connection)


def read(bench: Bench) -> list[Outcome]:
    outcomes = bench.take_all()
    bench.pipeline.close_events()
    return outcomes


def test_a_branch_is_held_back_from_its_twentieth_event_on_and_the_animal_that_walks_is_not(fixed: Bench) -> None:
    photos: dict[int, list[Cells]] = {}
    for number in range(30):
        walker: Cells = {WALK[number // 3 % len(WALK)]: "animal"} if number % 3 == 0 else {}
        photos[number] = [{BRANCH: "animal"}, {BRANCH: "animal", **walker}]
    card(fixed, photos)
    assert set(read(fixed)) == {Outcome.FOUND}
    early = {number: 2 if number % 3 == 0 else 1 for number in range(TIMES - 1)}
    late = {number: 1 for number in range(TIMES - 1, 30) if number % 3 == 0}
    assert counts(fixed) == {**early, **late}
    (one,) = places(fixed)
    assert (one.place.camera, one.place.events, one.place.state, one.photos) == ("CAM", 30, "repeat", 60)
    assert (str(one.first), str(one.last)) == ("CAM/000-0.JPG", "CAM/029-1.JPG")
    assert one.place.box.x1 < 0.05 and one.place.box.x2 < 0.3
    # Kept and told of, in the early events too: what is known of a place is known of all its photos.
    assert all(each.count("repeat") == 1 for each in held(fixed).values())
    assert sum(each.count("") for each in held(fixed).values()) == 10
    totals = fixed.journal.ledger.totals()
    assert (totals.photos, totals.empty, totals.events) == (60, 0, len(early) + len(late))


def test_the_open_event_that_makes_a_place_a_repeat_is_sent_without_it(fixed: Bench) -> None:
    card(fixed, {number: [{BRANCH: "animal"}] for number in range(TIMES - 1)})
    card(fixed, {TIMES - 1: [{(3, 3): "animal"}, {BRANCH: "animal"}, {BRANCH: "animal", (3, 3): "animal"}]})
    fixed.take_all()
    assert len(fixed.events()) == TIMES - 1
    fixed.pipeline.close_events()
    assert fixed.events()[-1][3] == {"animal": 1}


def test_a_strip_of_text_at_the_bottom_is_held_back_whole(fixed: Bench) -> None:
    strip = {(column, 3): "vehicle" for column in range(4)}
    card(fixed, {number: [{**strip, **({(1, 1): "animal"} if number == 25 else {})}] for number in range(28)})
    read(fixed)
    assert counts(fixed) == {**dict.fromkeys(range(TIMES - 1), 4), 25: 1}
    assert [one.place.state for one in places(fixed)] == ["repeat"] * 4


def test_a_camera_that_was_moved_has_to_see_its_branch_anew(fixed: Bench) -> None:
    card(fixed, {number: [{BRANCH: "animal"}] for number in range(25)})
    card(fixed, {number: [{(2, 1): "animal"}] for number in range(25, 50)})
    read(fixed)
    assert sorted(counts(fixed)) == [*range(TIMES - 1), *range(25, 25 + TIMES - 1)]
    assert [(one.place.events, one.place.state) for one in places(fixed)] == [(25, "repeat"), (25, "repeat")]


def test_the_same_place_before_another_camera_is_another_place(fixed: Bench) -> None:
    for number in range(25):
        card(fixed, {number: [{BRANCH: "animal"}]}, camera="ONE")
        if number % 2:
            card(fixed, {number: [{BRANCH: "animal"}]}, camera="TWO")
    read(fixed)
    assert sorted(counts(fixed, "ONE")) == list(range(TIMES - 1))
    assert sorted(counts(fixed, "TWO")) == list(range(1, 25, 2))
    assert [one.place.camera for one in places(fixed)] == ["ONE"]


def test_a_place_that_a_person_calls_real_counts_from_then_on_and_for_ever(fixed: Bench) -> None:
    card(fixed, {number: [{BRANCH: "animal"}] for number in range(22)})
    read(fixed)
    assert sorted(counts(fixed)) == list(range(TIMES - 1))
    (one,) = places(fixed)
    with fixed.journal.transaction():
        assert fixed.journal.repeats.judge(one.place.id, "real")
    assert {each for found in held(fixed).values() for each in found} == {""}
    card(fixed, {number: [{BRANCH: "animal"}] for number in range(22, 22 + TIMES + 3)})
    read(fixed)
    assert sorted(counts(fixed)) == [*range(TIMES - 1), *range(22, 22 + TIMES + 3)]
    (one,) = places(fixed)
    assert (one.place.state, one.place.events) == ("real", 22 + TIMES + 3)


def test_photos_of_a_branch_alone_are_not_called_empty(fixed: Bench) -> None:
    card(fixed, {number: [{BRANCH: "animal"}] for number in range(TIMES + 5)})
    fixed.shoot("CAM/zz.JPG", {}, seconds=100_000)
    assert read(fixed).count(Outcome.EMPTY) == 1
    report = fixed.pipeline.report_card()
    assert report is not None
    assert (report.photos, report.empty, report.events) == (TIMES + 6, 1, TIMES - 1)


def test_nothing_is_noted_where_repeats_are_off(bench: Bench) -> None:
    card(bench, {number: [{BRANCH: "animal"}] for number in range(TIMES + 5)})
    read(bench)
    assert len(counts(bench)) == TIMES + 5
    assert repeats.sighted(bench.journal._connection, suspects=True) == []


def test_a_card_that_is_read_again_adds_to_no_place(fixed: Bench) -> None:
    card(fixed, {number: [{BRANCH: "animal"}] for number in range(12)})
    read(fixed)
    card(fixed, {number: [{BRANCH: "animal"}] for number in range(12)}, camera="COPY")
    for file in sorted((fixed.card / "CAM").iterdir()):
        (fixed.card / "COPY" / file.name).write_bytes(file.read_bytes())
    assert read(fixed).count(Outcome.DUPLICATE) == 24
    (one,) = repeats.sighted(fixed.journal._connection, suspects=True)
    assert (one.place.events, one.photos) == (12, 12)


def test_the_command_lists_the_places_and_takes_a_persons_word(
    fixed: Bench, tmp_path: Path, colour_bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    card(fixed, {number: [{BRANCH: "animal", (3, 3): "person"}] for number in range(TIMES)})
    card(fixed, {TIMES: [{(2, 2): "animal"}]})
    read(fixed)
    config = tmp_path / "device.yaml"
    told = {"device": "bench", "data": "data", "cards": {"root": "card"}, "time_zone": "UTC"}
    config.write_text(yaml.safe_dump(told))

    def ask(*options: str) -> tuple[int, list[dict[str, object]]]:
        code = cli.main(["review", "repeats", "-c", str(config), "--json", *options])
        return code, [json.loads(line) for line in capsys.readouterr().out.splitlines()]

    code, (one, other) = ask()
    assert code == 0 and {one["state"], other["state"]} == {"repeat"}
    assert (one["camera"], one["events"], one["photos"]) == ("CAM", TIMES, TIMES)
    assert (one["first"], one["last"]) == ("CAM/000-0.JPG", f"CAM/{TIMES - 1:03}-0.JPG")
    assert len(ask("--all")[1]) == 3
    code, told_after = ask("--real", str(one["id"]), "--repeat", str(other["id"]))
    assert code == 0 and {place["id"]: place["state"] for place in told_after} == {
        one["id"]: "real",
        other["id"]: "repeat",
    }
    before = ask("--all")
    assert cli.main(["review", "repeats", "-c", str(config), "--real", str(other["id"]), "--real", "999"]) == 1
    assert "no place 999" in capsys.readouterr().err
    assert ask("--all") == before  # nothing of it was done
    assert cli.main(["review", "repeats", "-c", str(config)]) == 0
    assert "20 events, 20 photos: CAM/000-0.JPG to CAM/019-0.JPG" in capsys.readouterr().out


def test_a_summary_that_was_sent_is_not_changed_by_a_later_judgement(fixed: Bench) -> None:
    card(fixed, {number: [{BRANCH: "animal"}] for number in range(TIMES + 2)})
    read(fixed)
    before = fixed.sent()
    assert sum(isinstance(summary, Event) for summary in before) == TIMES - 1
    with fixed.journal.transaction():
        fixed.journal.repeats.judge(places(fixed)[0].place.id, "real")
    fixed.pipeline.close_events()
    assert fixed.sent() == before
