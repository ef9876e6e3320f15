"""What nobody can read costs only itself, is counted, and is kept within bounds."""

from __future__ import annotations

import sqlite3
import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from edge_runtime.station import receive
from edge_runtime.station.store import FILE_NAME, Store
from edge_runtime.station.values import Arrival
from tests.station.device import NOW_S, arrivals, introduction, sequences, status
from tests.station.ridge import BOOK, CODEBOOK, EVENTS, ONLINE, STATUS, said


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


def test_a_retained_topic_that_was_cleared_is_no_error(store: Store) -> None:
    store.commit([Arrival(topic, b"", NOW_S, True) for topic in (STATUS, CODEBOOK, ONLINE)])
    assert store.totals().bad == 0
