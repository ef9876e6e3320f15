"""The store: each summary once, whatever order and however often it comes, and what can be asked of it."""

from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from edge_runtime.station.store import FILE_NAME, Store
from edge_runtime.uplink.payload import ClockQuality, Envelope
from tests.station.device import NOW_S, arrivals, book, card, event, introduction, message, sequences, status
from tests.station.ridge import BOOK, EVENTS, ONLINE, STATUS, said


def test_an_event_is_stored_with_names_times_and_bytes(store: Store) -> None:
    payload = message(BOOK, 1, [event(0, label=1, camera=1, count=2), event(1)])
    store.commit(introduction(BOOK, 1, 3))
    committed = store.commit(arrivals((EVENTS, payload), at=NOW_S + 90))
    first = committed.events[0]
    assert (first.device, first.camera, first.sequence, first.start_s) == ("ridge", "waterhole", 1, NOW_S)
    assert [(count.label, count.count, count.confidence) for count in first.counts] == [("leopard", 2, 0.8)]
    assert (first.payload_bytes, first.message_bytes, first.received_s) == (len(payload) / 2, len(payload), NOW_S + 90)
    assert list(store.recent_events(10)) == [committed.events[1], first]


def test_an_event_without_a_credible_time_has_none(store: Store) -> None:
    payload = message(BOOK, 1, [event()], clock=ClockQuality.UNKNOWN)
    committed = store.commit([*introduction(BOOK), *arrivals((EVENTS, payload))])
    assert committed.events[0].start_s is None


def test_a_tiny_message_stands_beside_standard_ones(store: Store) -> None:
    tiny = message(BOOK, 2, [event(0, at=NOW_S // 60 * 60)], envelope=Envelope.TINY)
    store.commit([*introduction(BOOK), *arrivals(said(1, 0), (EVENTS, tiny))])
    assert sequences(store) == [1, 2]
    assert {each.camera for each in store.recent_events(9)} == {"cam7"}


def test_the_same_message_again_is_counted_and_not_stored(store: Store) -> None:
    store.commit([*introduction(BOOK), *arrivals(said(1, 0, 1))])
    again = store.commit(arrivals(said(1, 0, 1)))
    assert again.events == ()
    assert again.acknowledge == {"ridge"}
    assert store.totals().events == 2
    assert store.totals().duplicates == 2


def test_a_repetition_packed_differently_is_still_a_repetition(store: Store) -> None:
    store.commit([*introduction(BOOK), *arrivals(said(1, 0), said(2, 1, 2))])
    again = store.commit(arrivals(said(1, 0, 1, 2, 3)))
    assert [each.sequence for each in again.events] == [4]
    assert store.totals().conflicts == 0


def test_other_content_under_a_taken_number_is_kept_as_a_conflict(store: Store) -> None:
    store.commit([*introduction(BOOK), *arrivals(said(1, 0))])
    for _ in range(2):
        store.commit(arrivals((EVENTS, message(BOOK, 1, [event(0, label=2)])), (EVENTS, message(BOOK, 1, [card()]))))
    assert [each.counts[0].label for each in store.recent_events(10)] == ["leopard"]
    assert store.totals().conflicts == 2
    assert store.recent_card_reports(10) == []


@given(st.data())
@settings(max_examples=30, deadline=None)
def test_any_order_and_any_repetition_give_each_event_once(data: st.DataObject) -> None:
    spans = data.draw(st.lists(st.tuples(st.integers(1, 20), st.integers(1, 6)), min_size=1, max_size=12))
    sent = [said(first, *range(first, min(21, first + count))) for first, count in spans]
    parts = data.draw(st.permutations([*introduction(BOOK, 1, 21), *arrivals(*sent)]))
    expected = sorted({number for first, count in spans for number in range(first, min(21, first + count))})
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder) / FILE_NAME)
        for part in parts:
            store.commit([part])
        assert sequences(store) == expected
        assert (store.totals().conflicts, store.totals().held, store.totals().bad) == (0, 0, 0)
        missing = {number for gap in store.gaps("ridge") for number in range(gap.first, gap.last + 1)}
        assert missing == set(range(1, expected[-1] + 1)) - set(expected)
        store.close()


def test_what_was_retained_is_no_contact(store: Store) -> None:
    store.commit(arrivals((STATUS, status(BOOK)), (ONLINE, b"1"), retained=True))
    store.commit(arrivals((ONLINE, b"0")))
    device = store.devices()[0]
    assert (device.online, device.last_contact_s) == (False, None)
    store.commit(arrivals((ONLINE, b"1"), at=NOW_S + 5))
    device = store.devices()[0]
    assert (device.online, device.last_contact_s) == (True, NOW_S + 5)


def test_events_can_be_asked_for_by_device_and_from_an_id_on(store: Store) -> None:
    other = book("ford")
    store.commit([*introduction(BOOK), *introduction(other), *arrivals(said(1, 0, 1))])
    store.commit(arrivals(("ct/1/ford/e", message(other, 1, [event(5)]))))
    assert [each.device for each in store.recent_events(10, device="ford")] == ["ford"]
    assert [each.id for each in store.recent_events(10, after_id=1)] == [3, 2]
    assert [each.id for each in store.recent_events(1)] == [3]


def test_totals_since_a_moment_count_what_arrived_from_then_on(store: Store) -> None:
    store.commit(introduction(BOOK))
    store.commit(arrivals(said(1, 0), at=NOW_S))
    store.commit(arrivals(said(2, 1), (EVENTS, message(BOOK, 3, [card()])), at=NOW_S + 100))
    totals = store.totals(NOW_S + 100)
    assert (totals.events, totals.events_since, totals.photos) == (2, 1, 1204)
