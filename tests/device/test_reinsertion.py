from __future__ import annotations

import os
import shutil

from edge_runtime.recording import Outcome
from edge_runtime.rescan import Rescan
from tests.device.conftest import Bench


def look(bench: Bench, rescan: Rescan) -> list[Outcome]:
    """One pass, as the daemon makes it."""
    work = [(stamp, True) for new in rescan.new([]) for stamp in new]
    return [outcome for _, outcome in bench.pipeline.take_all(work)]


def put_another_card_with_the_same_names_sizes_and_times(bench: Bench, photos: int) -> None:
    shutil.move(bench.card / "DCIM", bench.card.parent / "first")
    for number in range(photos):
        old = (bench.card.parent / "first" / f"{number}.JPG").stat()
        file = bench.shoot(f"DCIM/{number}.JPG", {(2, 2): "person"}, seconds=900 + number)
        content = file.read_bytes()
        # Bytes after the end of a JPEG are padding: both files get the size of the larger one.
        size = max(len(content), old.st_size)
        file.write_bytes(content + b"\0" * (size - len(content)))
        os.utime(file, ns=(old.st_mtime_ns, old.st_mtime_ns))
        bench.journal._connection.execute(
            "UPDATE file SET size = ? WHERE path = ?", (size, f"DCIM/{number}.JPG".encode())
        )


def fill(bench: Bench, photos: int) -> None:
    for number in range(photos):
        bench.shoot(f"DCIM/{number}.JPG", {(1, 1): "animal"}, seconds=number)


def test_known_files_are_not_read_again(bench: Bench) -> None:
    fill(bench, 5)
    rescan = Rescan(bench.card, bench.journal)
    assert len(look(bench, rescan)) == 5
    assert look(bench, rescan) == []
    assert look(bench, Rescan(bench.card, bench.journal)) == []


def test_another_card_with_the_same_names_sizes_and_times_is_noticed(bench: Bench) -> None:
    fill(bench, 5)
    rescan = Rescan(bench.card, bench.journal)
    look(bench, rescan)
    assert look(bench, rescan) == []
    (bench.card / "DCIM").rename(bench.card.parent / "out")
    assert look(bench, rescan) == []  # the card is out
    (bench.card.parent / "out").rename(bench.card / "DCIM")
    put_another_card_with_the_same_names_sizes_and_times(bench, 5)
    assert look(bench, rescan) == [Outcome.FOUND] * 5
    assert bench.journal.ledger.totals().photos == 10


def test_another_card_is_noticed_by_a_process_that_starts_with_it(bench: Bench) -> None:
    fill(bench, 5)
    look(bench, Rescan(bench.card, bench.journal))
    put_another_card_with_the_same_names_sizes_and_times(bench, 5)
    assert look(bench, Rescan(bench.card, bench.journal)) == [Outcome.FOUND] * 5


def test_another_card_is_noticed_when_the_daemon_knows_that_the_first_one_vanished(bench: Bench) -> None:
    fill(bench, 3)
    rescan = Rescan(bench.card, bench.journal)
    look(bench, rescan)
    look(bench, rescan)
    put_another_card_with_the_same_names_sizes_and_times(bench, 3)
    rescan.forget()
    assert look(bench, rescan) == [Outcome.FOUND] * 3


def test_a_card_put_back_is_recognised_and_nothing_of_it_is_read_anew(bench: Bench) -> None:
    fill(bench, 4)
    rescan = Rescan(bench.card, bench.journal)
    look(bench, rescan)
    (bench.card / "DCIM").rename(bench.card.parent / "out")
    look(bench, rescan)
    (bench.card.parent / "out").rename(bench.card / "DCIM")
    assert look(bench, rescan) == []
