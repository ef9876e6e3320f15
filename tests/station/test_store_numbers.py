"""The numbers of a device's stream: gaps, what was let go of, beginnings, and what is acknowledged."""

from __future__ import annotations

from edge_runtime.station.store import Store
from edge_runtime.station.values import Gap
from edge_runtime.uplink.payload import LossRecord
from tests.station.device import NOW_S, arrivals, book, event, introduction, message, sequences, status
from tests.station.ridge import BOOK, EVENTS, STATUS, said


def test_a_gap_is_named_until_it_is_filled(store: Store) -> None:
    store.commit([*introduction(BOOK, 1, 10), *arrivals(said(1, 0), said(4, 3), said(6, 5))])
    assert store.gaps("ridge") == [Gap(2, 3, awaited=True), Gap(5, 5, awaited=True)]
    standing = store.standings()["ridge"]
    assert (standing.contiguous, standing.beyond) == (1, (4, 6))
    assert store.devices()[0].outstanding == 6
    store.commit(arrivals(said(5, 4), said(2, 1, 2)))
    assert store.gaps("ridge") == []
    assert store.standings()["ridge"].contiguous == 6


def test_what_the_device_let_go_of_before_it_came_is_named_as_never_arrived(store: Store) -> None:
    store.commit([*introduction(BOOK, 1, 10), *arrivals(said(1, 0))])
    store.commit(arrivals((STATUS, status(BOOK, 5, 10)), said(5, 4)))
    assert store.gaps("ridge") == [Gap(2, 4, awaited=False)]
    assert store.standings()["ridge"].contiguous == 5
    store.commit(arrivals(said(3, 2)))
    assert store.gaps("ridge") == [Gap(2, 2, awaited=False), Gap(4, 4, awaited=False)]


def test_numbers_that_the_device_reports_as_dropped_are_no_gap(store: Store) -> None:
    loss = message(BOOK, 2, [LossRecord(NOW_S, 3, 1)])
    store.commit([*introduction(BOOK, 1, 6), *arrivals(said(1, 0), said(5, 4), (EVENTS, loss), (EVENTS, loss))])
    assert store.gaps("ridge") == []
    assert store.standings()["ridge"].contiguous == 5
    assert (store.devices()[0].dropped, store.totals().duplicates) == (3, 1)


def test_a_station_that_lost_its_store_takes_the_numbers_from_the_status(store: Store) -> None:
    store.commit([*introduction(BOOK, 70_001, 70_003), *arrivals(said(70_001, 0, 1))])
    assert sequences(store) == [70_001, 70_002]
    assert store.standings()["ridge"].contiguous == 70_002
    assert store.gaps("ridge") == []


def test_numbers_go_on_where_the_wire_begins_again_at_zero(store: Store) -> None:
    store.commit([*introduction(BOOK, 65_530, 65_540), *arrivals(said(65_530, *range(10)))])
    assert sequences(store) == list(range(65_530, 65_540))


def test_a_new_epoch_counts_from_one_again_and_keeps_the_old_events(store: Store) -> None:
    new = book(epoch="00000000000000b2")
    store.commit([*introduction(BOOK, 1, 3), *arrivals(said(1, 0, 1))])
    store.commit([*introduction(new, 1, 2), *arrivals((EVENTS, message(new, 1, [event(7)])))])
    assert store.totals().events == 3
    assert (store.standings()["ridge"].digest, store.standings()["ridge"].contiguous) == (new.digest, 1)


def test_a_status_that_shows_a_lost_acknowledgement_asks_for_another(store: Store) -> None:
    store.commit([*introduction(BOOK, 1, 3), *arrivals(said(1, 0, 1))])
    assert store.commit(arrivals((STATUS, status(BOOK, 1, 3)))).acknowledge == {"ridge"}
    assert store.commit(arrivals((STATUS, status(BOOK, 3, 3)))).acknowledge == frozenset()
