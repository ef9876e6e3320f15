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


def look_in_vain(bench: Bench, rescan: Rescan, path: str) -> list[Outcome]:
    """One pass during which the system refuses to open `path`, as it may where a contact is dirty."""
    work = [(stamp, True) for new in rescan.new([]) for stamp in new]
    file, aside = bench.card / path, bench.card.parent / "aside"
    file.rename(aside)
    file.symlink_to("nowhere")
    try:
        return [outcome for _, outcome in bench.pipeline.take_all(work)]
    finally:
        aside.replace(file)


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


def test_what_the_card_did_not_give_is_asked_for_once_more_whenever_it_is_put_in(bench: Bench) -> None:
    fill(bench, 2)
    rescan, path = Rescan(bench.card, bench.journal), "DCIM/1.JPG"
    assert look_in_vain(bench, rescan, path) == [Outcome.FOUND, Outcome.RETRY]
    assert look_in_vain(bench, rescan, path) == [Outcome.RETRY]
    assert look_in_vain(bench, rescan, path) == [Outcome.FAILED]
    assert look(bench, rescan) == look(bench, rescan) == [], "it stays in, and nothing asks for it any more"
    first = bench.pipeline.report_card()
    assert first is not None and (first.photos, first.failed) == (1, 1)

    rescan.forget()  # the card is out
    assert look_in_vain(bench, rescan, path) == [Outcome.FAILED]
    assert look(bench, rescan) == []
    assert bench.pipeline.report_card() is None, "the same failure is no news"

    rescan.forget()
    assert look(bench, rescan) == [Outcome.FOUND]
    second = bench.pipeline.report_card()
    assert second is not None and (second.photos, second.failed) == (1, 0)
    assert (bench.journal.ledger.totals().photos, bench.journal.ledger.totals().failed) == (2, 0)


def test_a_broken_photo_is_not_read_again_when_its_card_is_put_in(bench: Bench) -> None:
    fill(bench, 1)
    (bench.card / "DCIM" / "1.JPG").write_bytes(b"no photo at all")
    rescan = Rescan(bench.card, bench.journal)
    assert look(bench, rescan) == [Outcome.FOUND, Outcome.FAILED]
    rescan.forget()
    assert look(bench, rescan) == []
