from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from edge_runtime import database
from edge_runtime.errors import JournalError
from edge_runtime.journal.journal import Journal
from edge_runtime.values import CardReport, Count, Event

EVENT = Event("CAM01", 100, 130, "exif", 3, (Count("leopard", 2, 0.9),))
REPORT = CardReport(time_s=1, photos=2, empty=3, events=4, failed=5, duplicates=6, videos=7)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "data" / "journal.sqlite"


def test_a_journal_keeps_its_epoch_and_another_journal_has_another(file: Path, tmp_path: Path) -> None:
    first = Journal(file, device="a")
    epoch = first.epoch
    first.close()
    again = Journal(file, device="a")
    other = Journal(tmp_path / "other.sqlite", device="a")
    assert again.epoch == epoch and len(epoch) == 16 and other.epoch != epoch


def test_a_journal_of_another_device_is_refused(file: Path) -> None:
    Journal(file, device="a").close()
    with pytest.raises(JournalError, match="belongs to the device 'a'"):
        Journal(file, device="b")


def test_commits_are_synced_to_the_disk(file: Path) -> None:
    connection = Journal(file, device="a")._connection
    assert connection.execute("PRAGMA journal_mode").fetchone()[0] == "wal"
    assert connection.execute("PRAGMA synchronous").fetchone()[0] == 2  # FULL


def test_a_newer_schema_is_refused_and_left_alone(file: Path) -> None:
    Journal(file, device="a").close()
    with sqlite3.connect(file) as connection:
        connection.execute("PRAGMA user_version=99")
    before = file.read_bytes()
    with pytest.raises(JournalError, match="update the program"):
        Journal(file, device="a")
    assert file.read_bytes() == before


def test_a_file_that_is_no_database_is_refused_with_its_name(file: Path) -> None:
    file.parent.mkdir()
    file.write_bytes(b"these are no pages" * 1000)
    with pytest.raises(JournalError, match=r"journal\.sqlite"):
        Journal(file, device="a")


def test_a_migration_that_fails_leaves_the_old_schema(file: Path) -> None:
    file.parent.mkdir()
    database.open_database(file, ("CREATE TABLE one (a);",)).close()
    with pytest.raises(JournalError):
        database.open_database(file, ("CREATE TABLE one (a);", "CREATE TABLE two (a);\nCREATE TABLE one (a);\n"))
    connection = database.open_database(file, ("CREATE TABLE one (a);",))
    tables = [row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    assert tables == ["one"]


def test_summaries_come_out_as_they_went_in_and_in_order(file: Path) -> None:
    outbox = Journal(file, device="a").outbox
    assert [outbox.put(EVENT, now_s=1), outbox.put(REPORT, now_s=2)] == [1, 2]
    assert [(entry.sequence, entry.summary) for entry in outbox.after(0, limit=9)] == [(1, EVENT), (2, REPORT)]


def test_an_acknowledged_summary_goes_and_its_number_never_comes_back(file: Path) -> None:
    outbox = Journal(file, device="a").outbox
    for _ in range(5):
        outbox.put(EVENT, now_s=1)
    assert outbox.acknowledge(2, [5]) == 3
    assert [entry.sequence for entry in outbox.after(0, limit=9)] == [3, 4]
    assert outbox.span() == (3, 6)
    outbox.acknowledge(4, [])
    assert outbox.span() == (6, 6) and outbox.waiting() == 0
    assert outbox.put(EVENT, now_s=1) == 6


def test_a_rolled_back_summary_takes_no_number(file: Path) -> None:
    journal = Journal(file, device="a")
    with pytest.raises(RuntimeError, match="power"), journal.transaction():
        journal.outbox.put(EVENT, now_s=1)
        raise RuntimeError("power")
    assert journal.outbox.put(EVENT, now_s=1) == 1


def test_a_name_keeps_its_code_for_ever(file: Path) -> None:
    codes = Journal(file, device="a").codes
    codes.add("label", ["animal", "person"])
    codes.add("label", ["leopard", "animal"])
    codes.add("camera", ["animal"])
    codes.add("label", ["zebra", "person"])
    assert codes.names("label") == ("animal", "person", "leopard", "zebra")
    assert codes.names("camera") == ("animal",)


def test_two_threads_connections_see_each_others_commits(file: Path) -> None:
    one, two = Journal(file, device="a"), Journal(file, device="a")
    with one.transaction():
        one.outbox.put(EVENT, now_s=1)
        assert two.outbox.waiting() == 0
    assert two.outbox.waiting() == 1
