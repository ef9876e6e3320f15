from __future__ import annotations

import os
import shutil

from edge_runtime.intake import scan
from edge_runtime.pipeline import Outcome
from edge_runtime.reinsertion import Reinsertion
from tests.device.conftest import Bench


def look(bench: Bench, reinsertion: Reinsertion) -> list[Outcome]:
    """As the daemon does: check, then take what is not known."""
    seen = scan.scan(bench.card)
    reinsertion.check(seen.photos)
    new = []
    for stamp in seen.photos:
        entry = bench.journal.ledger.entry(stamp.path)
        if not (entry and entry.final and entry.describes(stamp)):
            new.append(bench.take_stamp(stamp))
    return new


def test_known_files_are_not_read_again(bench: Bench) -> None:
    for number in range(5):
        bench.shoot(f"DCIM/{number}.JPG", {(1, 1): "animal"}, seconds=number)
    reinsertion = Reinsertion(bench.journal)
    assert len(look(bench, reinsertion)) == 5
    assert look(bench, reinsertion) == []
    assert look(bench, Reinsertion(bench.journal)) == []


def test_another_card_with_the_same_names_sizes_and_times_is_noticed(bench: Bench) -> None:
    files = [bench.shoot(f"DCIM/{number}.JPG", {(1, 1): "animal"}, seconds=number) for number in range(5)]
    reinsertion = Reinsertion(bench.journal)
    look(bench, reinsertion)
    shutil.move(bench.card / "DCIM", bench.card.parent / "first")
    assert look(bench, reinsertion) == []  # the card is out
    for number, file in enumerate(files):
        old = bench.card.parent / "first" / file.name
        bench.shoot(f"DCIM/{number}.JPG", {(2, 2): "person"}, seconds=900 + number)
        status = old.stat()
        content = file.read_bytes()
        # Bytes after the end of a JPEG are padding: both files get the size of the larger one.
        size = max(len(content), status.st_size)
        file.write_bytes(content + b"\0" * (size - len(content)))
        os.utime(file, ns=(status.st_mtime_ns, status.st_mtime_ns))
        bench.journal._connection.execute(
            "UPDATE file SET size = ? WHERE path = ?", (size, f"DCIM/{number}.JPG".encode())
        )
    assert look(bench, reinsertion) == [Outcome.FOUND] * 5
    assert bench.journal.ledger.totals().photos == 10
