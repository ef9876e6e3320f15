"""The store's file: kept over a restart, brought up to date from an older program, refused where it is none of ours."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from edge_runtime.database import open_database
from edge_runtime.errors import JournalError
from edge_runtime.station.schema import MIGRATIONS
from edge_runtime.station.store import FILE_NAME, Store
from edge_runtime.values import Count
from tests.station.device import NOW_S, arrivals, introduction, seen
from tests.station.ridge import BOOK, NAMED, known, said, told


def test_a_store_reopened_holds_what_it_held(tmp_path: Path) -> None:
    file = tmp_path / FILE_NAME
    store = Store(file)
    store.commit([*introduction(BOOK, 1, 9), *arrivals(said(1, 0), said(3, 2))])
    before = (store.recent_events(9), store.devices(), store.standings())
    store.close()
    again = Store(file)
    assert (again.recent_events(9), again.devices(), again.standings()) == before
    again.close()


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
