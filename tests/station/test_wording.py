"""What the page says, in words."""

from __future__ import annotations

from dataclasses import replace
from zoneinfo import ZoneInfo

import pytest

from edge_runtime.station import wording
from edge_runtime.station.values import DeviceView, Gap, StoredCardReport, StoredEvent
from edge_runtime.uplink import scales
from edge_runtime.uplink.payload import ClockQuality
from edge_runtime.values import Count
from tests.station.device import NOW_S

NAIROBI = ZoneInfo("Africa/Nairobi")


def stored(start_s: int | None, *, received_s: int = NOW_S, clock: ClockQuality = ClockQuality.CAMERA) -> StoredEvent:
    counts = (Count("common_eland", 2, 0.8), Count("person", 1, 0.9))
    return StoredEvent(1, "ridge", 1, "cam7", start_s, 4, 3, counts, clock, False, False, 9.5, 19, received_s)


def device(**known: object) -> DeviceView:
    fields = {"online": True, "last_contact_s": NOW_S, "status": None, "received": 214, "dropped": 0}
    fields |= {"outstanding": 0, "gaps": (), "held": 0, "models": {}}
    return DeviceView(name="ridge", **{**fields, **known})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("passed", "said"),
    [
        (0, "just now"),
        (59, "59 s ago"),
        (60, "1 min ago"),
        (179, "2 min ago"),
        (3600, "1 h ago"),
        (86399, "23 h ago"),
        (86400, "1 day ago"),
        (172800, "2 days ago"),
        (-30, "just now"),
        (-3600, "in the future"),
    ],
)
def test_a_relative_time_never_claims_more_than_has_passed(passed: int, said: str) -> None:
    assert wording.ago(NOW_S - passed, NOW_S) == said


def test_a_moment_is_told_in_the_stations_zone_and_as_short_as_is_clear() -> None:
    now = 1_790_000_000  # 2026-09-21T14:13:20Z
    assert wording.moment(now, now, NAIROBI) == "17:13"
    assert wording.moment(now - 86400, now, NAIROBI) == "Sun 20 Sep, 17:13"
    assert wording.moment(now - 400 * 86400, now, NAIROBI) == "17 Aug 2025, 17:13"


def test_an_event_is_told_in_one_line() -> None:
    assert wording.headline(stored(NOW_S)) == "Common eland × 2, Person × 1 at cam7"


def leopards(*counts: Count) -> StoredEvent:
    return replace(stored(NOW_S), counts=counts)


@pytest.mark.parametrize(
    ("counts", "said"),
    [
        ((Count("leopard", 1, 0.9, "F12", 0.9),), "Leopard F12 at cam7"),
        ((Count("leopard", 1, 0.9, "F12", 0.9), Count("leopard", 1, 0.8)), "Leopard × 2 (one of them F12) at cam7"),
        ((Count("leopard", 1, 0.9), Count("leopard", 1, 0.8)), "Leopard × 2 at cam7"),
        (
            (Count("leopard", 1, 0.9, "F12", 0.9), Count("lion", 1, 0.9, "F12", 0.9)),
            "Leopard F12, Lion F12 at cam7",
        ),
        (
            (Count("leopard", 1, 0.9, "F12", 0.9), Count("lion", 2, 0.8), Count("leopard", 1, 0.7, "M4", 0.9)),
            "Leopard × 2 (F12 and M4), Lion × 2 at cam7",
        ),
        (
            (*(Count("lion", 1, 0.9, name, 0.9) for name in ("A", "B", "C")), Count("lion", 4, 0.8)),
            "Lion × 7 (three of them A, B and C) at cam7",
        ),
    ],
)
def test_known_animals_are_told_among_those_of_their_label(counts: tuple[Count, ...], said: str) -> None:
    assert wording.headline(leopards(*counts)) == said


def test_the_animals_of_a_label_are_as_sure_as_the_surest_of_them() -> None:
    (sight,) = wording.sights(leopards(Count("leopard", 2, 0.7), Count("leopard", 1, 0.9, "F12", 0.9)))
    assert (sight.count, sight.confidence) == (3, 0.9)


def test_likeness_is_told_in_the_steps_in_which_it_travels() -> None:
    assert [wording.likeness(step / 7) for step in range(8)] == [f"{step} of 7" for step in range(8)]


def test_doubts_about_a_time_are_told_beside_it() -> None:
    assert wording.time_notes(stored(NOW_S), NOW_S) == []
    assert wording.time_notes(stored(None), NOW_S + 60) == ["arrived 1 min ago"]
    assert wording.time_notes(stored(NOW_S - 7200), NOW_S) == ["arrived just now"]
    assert wording.time_notes(stored(NOW_S + 7200), NOW_S) == ["the camera's clock is ahead"]
    assert wording.time_notes(stored(NOW_S, clock=ClockQuality.FILE), NOW_S) == ["time of the file"]


def test_an_event_whose_clock_is_ahead_or_unknown_counts_from_its_arrival() -> None:
    moments = [stored(start_s).happened_s for start_s in (None, NOW_S + 9**9, NOW_S - 5)]
    assert moments == [NOW_S, NOW_S, NOW_S - 5]


def test_a_card_report_leaves_out_what_is_zero() -> None:
    full = StoredCardReport(1, "ridge", NOW_S, 1204, 1100, 12, 3, 5, 1, NOW_S)
    plain = StoredCardReport(1, "ridge", NOW_S, 1, 0, 1, 0, 0, 0, NOW_S)
    assert wording.card(full) == (
        "1,204 photos, 1,100 empty, 12 events, 3 unreadable, 5 already known, 1 video not read"
    )
    assert wording.card(plain) == "1 photo, 0 empty, 1 event"


def test_delivery_says_all_only_where_nothing_is_missing() -> None:
    assert wording.delivery(device()) == ["all 214 summaries received"]
    assert wording.delivery(device(received=1)) == ["all 1 summary received"]
    assert wording.delivery(device(received=0)) == ["no summaries yet"]
    assert wording.delivery(device(outstanding=9)) == ["214 summaries received", "9 on the way"]
    gaps = (Gap(3, 5, awaited=False), Gap(12, 14, awaited=True), Gap(20, 20, awaited=True))
    assert wording.delivery(device(outstanding=6, gaps=gaps, dropped=2)) == [
        "214 summaries received",
        "missing 12–14, 20, the device will send again",
        "2 on the way",
        "never arrived here: 3–5",
        "2 dropped by the device, its memory was full or damaged",
    ]


def test_a_device_that_was_not_heard_for_long_is_silent_even_if_it_never_said_goodbye() -> None:
    assert wording.state(device(), NOW_S + 3600, 48) == "online"
    assert wording.state(device(), NOW_S + 49 * 3600, 48) == "silent"
    assert wording.state(device(online=False), NOW_S, 48) == "offline"
    assert wording.state(device(online=None, last_contact_s=None), NOW_S, 48) == "unknown"


def test_a_number_of_photos_that_the_payload_rounded_says_so() -> None:
    exact = [number for number in scales.IMAGES if number <= scales.EXACT_IMAGES]
    assert exact == list(range(1, scales.EXACT_IMAGES + 1))
    assert [wording.images(number) for number in (1, 6, 12, 6144)] == ["1", "6", "≈ 12", "≈ 6,144"]
