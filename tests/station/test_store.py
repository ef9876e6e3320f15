"""The store: each summary once, whatever order and however often it comes; nothing dropped in silence."""

from __future__ import annotations

import itertools
import sqlite3
import tempfile
import zlib
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_runtime.database import open_database, open_read_only
from edge_runtime.errors import JournalError
from edge_runtime.station import animals, queries, receive
from edge_runtime.station.schema import MIGRATIONS
from edge_runtime.station.store import FILE_NAME, Reader, Store
from edge_runtime.station.values import Arrival, Gap
from edge_runtime.uplink.payload import ClockQuality, Envelope, LossRecord, SpeciesCount
from edge_runtime.values import Count
from tests.station.device import NOW_S, arrivals, book, card, event, introduction, message, seen, sighting, status

BOOK = book()
EVENTS, STATUS, CODEBOOK, ONLINE = (f"ct/1/ridge/{kind}" for kind in "esmo")


def said(sequence: int, *numbers: int) -> tuple[str, bytes]:
    """A message of events that start at `sequence`."""
    return EVENTS, message(BOOK, sequence, [event(number) for number in numbers])


def sequences(store: Reader) -> list[int]:
    return sorted(each.sequence for each in store.recent_events(10_000))


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


def test_a_message_waits_for_its_codebook_and_is_not_acknowledged_before(store: Store) -> None:
    early = store.commit(arrivals((STATUS, status(BOOK)), said(1, 0), said(1, 0)))
    assert early.ask == {("ridge", BOOK.wire_id)}
    assert "ridge" not in store.standings()
    assert (store.totals().held, store.totals().events) == (1, 0)
    released = store.commit(arrivals((CODEBOOK, BOOK.to_bytes())))
    assert [each.sequence for each in released.events] == [1]
    assert released.acknowledge == {"ridge"}
    assert store.totals().held == 0


def test_a_message_waits_for_the_status_that_tells_where_its_numbers_stand(store: Store) -> None:
    store.commit(arrivals((CODEBOOK, BOOK.to_bytes()), said(70_001, 0)))
    assert (store.totals().held, store.standings()) == (1, {})
    store.commit(arrivals((STATUS, status(BOOK, 70_001, 70_002))))
    assert sequences(store) == [70_001]


def test_a_message_of_a_newer_format_is_held_and_looked_at_again_by_a_newer_program(store: Store) -> None:
    newer = bytes([0xFF, 1, 2, 3])
    taken = store.commit([*introduction(BOOK), *arrivals((EVENTS, newer), said(1, 0))])
    assert taken.ask == frozenset()
    assert (store.totals().held, store.totals().bad, store.totals().events) == (1, 0, 1)
    store.release_held()
    assert store.totals().held == 1


def test_a_codebook_or_a_status_of_a_newer_format_is_held(store: Store) -> None:
    newer = zlib.compress(b'{"v":2,"device":"ridge"}')
    for _ in range(2):
        store.commit(arrivals((CODEBOOK, newer), (STATUS, b'{"v":2}'), said(1, 0)))
    assert (store.totals().held, store.totals().bad) == (3, 0)
    store.release_held()
    assert (store.totals().held, store.totals().bad) == (3, 0)
    store.commit([*introduction(BOOK)])
    assert (store.totals().held, sequences(store)) == (2, [1])


def test_a_tiny_message_stands_beside_standard_ones(store: Store) -> None:
    tiny = message(BOOK, 2, [event(0, at=NOW_S // 60 * 60)], envelope=Envelope.TINY)
    store.commit([*introduction(BOOK), *arrivals(said(1, 0), (EVENTS, tiny))])
    assert sequences(store) == [1, 2]
    assert {each.camera for each in store.recent_events(9)} == {"cam7"}


def test_of_two_codebooks_with_one_wire_id_the_newest_wins(store: Store) -> None:
    names = (f"{a}{b}" for a, b in itertools.product("abcdefghijklmnop", repeat=2))
    seen: dict[int, str] = {}
    for name in itertools.chain(names, (str(number) for number in range(100_000))):
        other = seen.setdefault(book(labels=("animal", name)).wire_id, name)
        if other != name:
            break
    older, newer = book(labels=("animal", other)), book(labels=("animal", name))
    store.commit([*introduction(older), *arrivals((CODEBOOK, newer.to_bytes()))])
    store.commit(arrivals((EVENTS, message(newer, 1, [event()]))))
    assert store.recent_events(1)[0].counts[0].label == name
    store.commit(arrivals((CODEBOOK, older.to_bytes()), (EVENTS, message(older, 2, [event(1)]))))
    assert store.recent_events(1)[0].counts[0].label == other


def test_a_code_that_the_codebook_lacks_waits_for_the_right_codebook(store: Store) -> None:
    taken = store.commit([*introduction(BOOK), *arrivals((EVENTS, message(BOOK, 1, [event(label=9)])))])
    assert taken.ask == {("ridge", BOOK.wire_id)}
    assert (store.totals().held, store.totals().bad) == (1, 0)


NAMED = book(individuals=("F12", "Nala"))


def told(sequence: int, *entries: SpeciesCount, **how: Any) -> list[Arrival]:
    """An event of the codebook that names individuals."""
    return arrivals((EVENTS, message(NAMED, sequence, [sighting(*entries, **how)])))


def known(store: Reader) -> list[tuple[str, str, int, str, int]]:
    return [(each.label, each.name, each.events, each.camera, each.last_s - NOW_S) for each in store.known_animals(10)]


def test_an_event_says_who_was_seen_and_that_a_person_should_look(store: Store) -> None:
    committed = store.commit([*introduction(NAMED), *told(1, seen(1, 0), seen(1), review=True)])
    (stored,) = store.recent_events(10)
    assert stored == committed.events[0]
    assert stored.counts == (Count("leopard", 1, 0.8, "F12", 6 / 7), Count("leopard", 1, 0.8))
    assert stored.review


def test_a_number_without_a_name_is_told_with_its_device(store: Store) -> None:
    ford = book("ford")
    payload = message(ford, 1, [sighting(seen(1, 7))])
    store.commit([*introduction(BOOK), *arrivals((EVENTS, message(BOOK, 1, [sighting(seen(1, 7))])))])
    store.commit([*introduction(ford), *arrivals(("ct/1/ford/e", payload))])
    assert [each.counts[0].individual for each in store.recent_events(10)] == ["ford #7", "ridge #7"]
    assert {each.name for each in store.known_animals(10)} == {"ford #7", "ridge #7"}


def test_a_number_past_the_end_of_the_names_waits_for_the_right_codebook(store: Store) -> None:
    taken = store.commit([*introduction(NAMED), *told(1, seen(1, 2))])
    assert (taken.ask, store.totals().held) == ({("ridge", NAMED.wire_id)}, 1)


def test_a_known_animal_is_where_it_was_last_whatever_came_last(store: Store) -> None:
    store.commit([*introduction(NAMED), *told(1, seen(1, 0), camera=1), *told(2, seen(1, 1), at=NOW_S - 50)])
    store.commit(told(3, seen(1, 0), at=NOW_S - 900))
    assert known(store) == [("leopard", "F12", 2, "waterhole", 0), ("leopard", "Nala", 1, "cam7", -50)]
    store.commit(told(4, seen(1, 1), at=NOW_S + 60))
    assert known(store) == [("leopard", "Nala", 2, "cam7", 60), ("leopard", "F12", 2, "waterhole", 0)]
    assert [each.name for each in store.known_animals(1)] == ["Nala"]


def test_a_wrong_clock_does_not_make_a_known_animal_seen_in_the_future(store: Store) -> None:
    store.commit([*introduction(NAMED), *told(1, seen(1, 0), at=NOW_S + 10**7)])
    assert [(each.last_s, each.timed) for each in store.known_animals(9)] == [(NOW_S, False)]
    store.commit(told(2, seen(1, 0)))
    assert [(each.last_s, each.timed) for each in store.known_animals(9)] == [(NOW_S, True)]


def test_a_repetition_or_a_contradiction_is_no_sighting(store: Store) -> None:
    store.commit([*introduction(NAMED), *told(1, seen(1, 0)), *told(1, seen(1, 0)), *told(1, seen(1, 1))])
    assert known(store) == [("leopard", "F12", 1, "cam7", 0)]


def test_an_animal_that_an_event_names_twice_was_seen_in_one_event(store: Store) -> None:
    store.commit([*introduction(NAMED), *told(1, seen(1, 0), seen(1, 0))])
    assert known(store) == [("leopard", "F12", 1, "cam7", 0)]


def test_animals_of_two_species_may_share_a_name_and_devices_share_an_animal(store: Store) -> None:
    ford = book("ford", individuals=("Nala", "F12"))
    store.commit([*introduction(NAMED), *told(1, seen(0, 0), seen(1, 0))])
    payload = message(ford, 1, [sighting(seen(1, 1), at=NOW_S + 5)])
    store.commit([*introduction(ford), *arrivals(("ct/1/ford/e", payload))])
    assert known(store) == [("leopard", "F12", 2, "cam7", 5), ("animal", "F12", 1, "cam7", 0)]
    assert store.known_animals(1)[0].device == "ford"


def test_the_events_of_a_known_animal_can_be_asked_for(store: Store) -> None:
    store.commit([*introduction(NAMED), *told(1, seen(1, 0)), *told(2, seen(1, 1)), *told(3, seen(1, 0), seen(1, 1))])
    found = store.recent_events(10, animal=("leopard", "F12"))
    assert [each.sequence for each in found] == [3, 1]
    assert [each.sequence for each in store.recent_events(10, found[1].id, animal=("leopard", "F12"))] == [3]
    assert store.recent_events(10, device="ford", animal=("leopard", "F12")) == []
    assert store.recent_events(10, animal=("lion", "F12")) == []


def test_known_animals_and_their_events_are_told_without_walking_through_all_events(store: Store) -> None:
    def steps() -> list[int]:
        counts = []
        with closing(open_read_only(store.file)) as connection:
            for question in (
                lambda: animals.latest(connection, 6),
                lambda: queries.recent_events(connection, 5, None, None, ("leopard", "Nala")),
            ):
                done = [0]
                connection.set_progress_handler(lambda done=done: done.__setitem__(0, done[0] + 1), 1)
                assert question()
                counts.append(done[0])
        return counts

    store.commit([*introduction(NAMED), *told(1, seen(1, 0), at=NOW_S), *told(2, seen(1, 1), at=NOW_S)])
    few = steps()
    for number in range(3, 1003):
        store.commit(told(number, seen(1, 0), at=NOW_S + number))
    assert steps() == few


def test_the_store_of_an_older_program_is_brought_up_to_date_and_its_events_stay_readable(tmp_path: Path) -> None:
    file = tmp_path / FILE_NAME
    with closing(open_database(file, MIGRATIONS[:1])) as older:
        older.execute(
            "INSERT INTO stream (device, epoch, base, floor, next, contiguous) VALUES ('ridge', ?, 1, 1, 2, 1)",
            (BOOK.epoch,),
        )
        older.execute("INSERT INTO summary (stream_id, sequence, record, message_id) VALUES (1, 1, X'00', 1)")
        counts = '[{"label":"leopard","count":2,"confidence":0.8}]'
        older.execute(
            "INSERT INTO event VALUES (1, 'ridge', 'cam7', ?, 4, 3, 2, ?, 0, 1, 13.0, 13, ?)", (NOW_S, counts, NOW_S)
        )
    with closing(Store(file)) as store:
        assert [each.counts for each in store.recent_events(10)] == [(Count("leopard", 2, 0.8),)]
        assert (store.recent_events(1)[0].review, store.known_animals(10)) == (True, [])
        store.commit([*introduction(NAMED, 1, 3), *told(2, seen(1, 0))])
        assert [each.sequence for each in store.recent_events(10)] == [2, 1]
        assert known(store) == [("leopard", "F12", 1, "cam7", 0)]


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


def test_what_was_retained_is_no_contact(store: Store) -> None:
    store.commit(arrivals((STATUS, status(BOOK)), (ONLINE, b"1"), retained=True))
    store.commit(arrivals((ONLINE, b"0")))
    device = store.devices()[0]
    assert (device.online, device.last_contact_s) == (False, None)
    store.commit(arrivals((ONLINE, b"1"), at=NOW_S + 5))
    device = store.devices()[0]
    assert (device.online, device.last_contact_s) == (True, NOW_S + 5)


def test_a_codebook_on_another_devices_topic_is_refused(store: Store) -> None:
    store.commit(arrivals(("ct/1/other/m", BOOK.to_bytes()), said(1, 0)))
    assert (store.totals().bad, store.totals().held) == (1, 1)


def test_garbage_beside_good_messages_costs_only_itself(store: Store) -> None:
    garbage = [(topic, b"\x00garbage") for topic in (EVENTS, STATUS, CODEBOOK, ONLINE, "ct/1/UPPER/e", "else")]
    committed = store.commit([*introduction(BOOK), *arrivals(*garbage, said(1, 0))])
    assert len(committed.events) == 1
    assert store.totals().bad == len(garbage)


def test_numbers_too_large_for_the_store_are_garbage(store: Store) -> None:
    store.commit(arrivals((STATUS, status(BOOK, 2**70, 2**70)), (STATUS, status(BOOK, 1, 2**64))))
    assert store.totals().bad == 2
    store.commit([*introduction(BOOK), *arrivals(said(1, 0))])
    assert sequences(store) == [1]


def test_the_bad_messages_that_are_kept_are_bounded_and_all_are_counted(store: Store) -> None:
    more = receive.MAX_BAD + 30
    store.commit(arrivals(*((EVENTS, bytes(2) + number.to_bytes(2, "big") * 600) for number in range(more))))
    with sqlite3.connect(store.file) as connection:
        kept = connection.execute("SELECT COUNT(*), MAX(LENGTH(payload)) FROM message").fetchone()
    assert kept == (receive.MAX_BAD, receive.MAX_BAD_BYTES)
    assert store.totals().bad == more


def test_the_messages_that_are_held_are_bounded(store: Store) -> None:
    store.commit(arrivals(*(said(number, number) for number in range(1, receive.MAX_HELD + 30))))
    assert store.totals().held == receive.MAX_HELD


@given(
    st.lists(
        st.tuples(st.sampled_from([EVENTS, STATUS, CODEBOOK, ONLINE, "ct/1/x", ""]), st.binary(max_size=40)),
        max_size=8,
    )
)
@settings(max_examples=30, deadline=None)
def test_any_bytes_on_any_topic_are_taken_without_an_error(parts: list[tuple[str, bytes]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder) / FILE_NAME)
        store.commit([*introduction(BOOK), *arrivals(*parts)])
        store.devices(), store.totals(), store.standings(), store.recent_events(10)
        store.close()


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


def test_a_store_reopened_holds_what_it_held(tmp_path: Path) -> None:
    file = tmp_path / FILE_NAME
    store = Store(file)
    store.commit([*introduction(BOOK, 1, 9), *arrivals(said(1, 0), said(3, 2))])
    before = (store.recent_events(9), store.devices(), store.standings())
    store.close()
    again = Store(file)
    assert (again.recent_events(9), again.devices(), again.standings()) == before
    again.close()


def test_a_store_that_a_newer_program_made_is_refused(tmp_path: Path) -> None:
    file = tmp_path / FILE_NAME
    Store(file).close()
    with sqlite3.connect(file) as connection:
        connection.execute("PRAGMA user_version=99")
    with pytest.raises(JournalError, match="schema version 99"):
        Store(file)


def test_a_store_that_is_no_database_is_refused(tmp_path: Path) -> None:
    file = tmp_path / FILE_NAME
    file.write_bytes(b"not a database " * 100)
    with pytest.raises(JournalError, match="cannot be opened"):
        Store(file)


def test_a_retained_topic_that_was_cleared_is_no_error(store: Store) -> None:
    store.commit([Arrival(topic, b"", NOW_S, True) for topic in (STATUS, CODEBOOK, ONLINE)])
    assert store.totals().bad == 0
