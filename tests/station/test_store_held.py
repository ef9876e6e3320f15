"""Messages that cannot be read yet wait, bounded: for a codebook, a status, a newer program."""

from __future__ import annotations

import itertools
import zlib

from edge_runtime.station import receive
from edge_runtime.station.store import Store
from tests.station.device import arrivals, book, event, introduction, message, seen, sequences, status
from tests.station.ridge import BOOK, CODEBOOK, EVENTS, NAMED, STATUS, said, told


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


def test_a_number_past_the_end_of_the_names_waits_for_the_right_codebook(store: Store) -> None:
    taken = store.commit([*introduction(NAMED), *told(1, seen(1, 2))])
    assert (taken.ask, store.totals().held) == ({("ridge", NAMED.wire_id)}, 1)


def test_the_messages_that_are_held_are_bounded(store: Store) -> None:
    store.commit(arrivals(*(said(number, number) for number in range(1, receive.MAX_HELD + 30))))
    assert store.totals().held == receive.MAX_HELD
