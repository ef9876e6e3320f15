"""Nothing is missed, whatever a pass may pass over."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path, PurePosixPath

import pytest

from edge_runtime.errors import CardGoneError
from edge_runtime.intake.scan import Problem
from edge_runtime.recording import Outcome
from edge_runtime.rescan import Rescan
from edge_runtime.values import FailureKind
from tests.device.conftest import Bench

ANIMAL = {(1, 1): "animal"}


@pytest.fixture
def rescan(bench: Bench) -> Rescan:
    return Rescan(bench.card, bench.journal)


def todo(rescan: Rescan) -> list[str]:
    """The photos of one pass, none of which is taken."""
    return [str(stamp.path) for new in rescan.new([]) for stamp in new]


def take(bench: Bench, rescan: Rescan, *, settled: bool = True) -> dict[str, Outcome]:
    work = ((stamp, settled) for new in rescan.new([]) for stamp in new)
    return {str(stamp.path): outcome for stamp, outcome in bench.pipeline.take_all(work)}


@pytest.fixture
def known(bench: Bench, rescan: Rescan) -> Rescan:
    """A card of three folders that was read and found unchanged, so that every folder is passed over."""
    for number in range(6):
        bench.shoot(f"DCIM/10{number // 2}/{number}.JPG", ANIMAL, seconds=number * 100)
    assert len(take(bench, rescan)) == 6
    assert todo(rescan) == [] and todo(rescan) == []
    return rescan


def test_files_come_in_natural_order_folder_by_folder(bench: Bench, rescan: Rescan) -> None:
    names = ["IMG_2.JPG", "DCIM/9/IMG_10.JPG", "DCIM/9/IMG_9.JPG", "DCIM/10/IMG_1.JPG", "DCIM/z.jpg"]
    for name in names:
        bench.shoot(name, ANIMAL)
    assert todo(rescan) == ["IMG_2.JPG", "DCIM/z.jpg", "DCIM/9/IMG_9.JPG", "DCIM/9/IMG_10.JPG", "DCIM/10/IMG_1.JPG"]


def rewrite(file: Path) -> None:
    status = file.stat()
    file.write_bytes(file.read_bytes() + b"\0")
    os.utime(file, ns=(status.st_mtime_ns, status.st_mtime_ns))


CHANGES: dict[str, tuple[Callable[[Path], object], list[str]]] = {
    "another size, the same time": (lambda card: rewrite(card / "DCIM/101/2.JPG"), ["DCIM/101/2.JPG"]),
    "another time, the same size": (lambda card: os.utime(card / "DCIM/102/5.JPG", ns=(5, 5)), ["DCIM/102/5.JPG"]),
    "a new file": (
        lambda card: shutil.copy(card / "DCIM/100/1.JPG", card / "DCIM/100/9.JPG"),
        ["DCIM/100/9.JPG"],
    ),
    "a new name": (
        lambda card: (card / "DCIM/100/1.JPG").rename(card / "DCIM/100/9.JPG"),
        ["DCIM/100/9.JPG"],
    ),
    "two names exchanged": (
        lambda card: [
            (card / "DCIM/100/0.JPG").rename(card / "x"),
            (card / "DCIM/100/1.JPG").rename(card / "DCIM/100/0.JPG"),
            (card / "x").rename(card / "DCIM/100/1.JPG"),
        ],
        ["DCIM/100/0.JPG", "DCIM/100/1.JPG"],
    ),
    "a new folder": (
        lambda card: shutil.copytree(card / "DCIM/100", card / "DCIM/103"),
        ["DCIM/103/0.JPG", "DCIM/103/1.JPG"],
    ),
    "a file at the top": (lambda card: shutil.copy(card / "DCIM/100/1.JPG", card / "new.jpg"), ["new.jpg"]),
}


@pytest.mark.parametrize("change", CHANGES)
def test_what_changed_is_found_and_nothing_else(bench: Bench, known: Rescan, change: str) -> None:
    act, expected = CHANGES[change]
    act(bench.card)
    assert todo(known) == expected
    assert todo(known) == expected, "it is found again until somebody has taken it"
    assert list(take(bench, known)) == expected
    assert todo(known) == []


def test_a_file_that_was_deleted_gives_nothing_to_do(bench: Bench, known: Rescan) -> None:
    (bench.card / "DCIM/100/1.JPG").unlink()
    shutil.rmtree(bench.card / "DCIM/101")
    assert todo(known) == []


def test_a_file_that_waits_is_found_at_every_pass_though_nothing_changes(bench: Bench, known: Rescan) -> None:
    whole = bench.shoot("DCIM/100/7.JPG", ANIMAL, seconds=5000)
    content = whole.read_bytes()
    whole.write_bytes(content[: len(content) // 2])
    for _ in range(3):
        assert take(bench, known, settled=False) == {"DCIM/100/7.JPG": Outcome.WAITING}
    whole.write_bytes(content)
    assert take(bench, known, settled=False) == {"DCIM/100/7.JPG": Outcome.FOUND}
    assert todo(known) == []


def test_a_failure_that_is_to_be_retried_is_found_until_it_is_final(bench: Bench, known: Rescan) -> None:
    bench.shoot("DCIM/100/7.JPG", ANIMAL, seconds=5000)
    stamp = bench.stamp("DCIM/100/7.JPG")
    ledger = bench.journal.ledger
    ledger.add_failure(stamp, FailureKind.INFERENCE, "no memory", attempts=1, final=False)
    assert todo(known) == ["DCIM/100/7.JPG"] and todo(known) == ["DCIM/100/7.JPG"]
    ledger.add_failure(stamp, FailureKind.INFERENCE, "no memory", attempts=2, final=True)
    assert todo(known) == []


def test_what_a_pass_that_ended_early_did_not_reach_comes_in_the_next_one(bench: Bench, rescan: Rescan) -> None:
    for number in range(4):
        bench.shoot(f"DCIM/10{number}/1.JPG", ANIMAL, seconds=number)
    first = next(rescan.new([]))
    assert [str(stamp.path) for stamp in first] == ["DCIM/100/1.JPG"]
    assert todo(rescan) == [f"DCIM/10{number}/1.JPG" for number in range(4)]


def test_a_new_video_and_one_that_grew_are_told_of_until_they_are_noted(bench: Bench, known: Rescan) -> None:
    video = bench.card / "DCIM/100/V.MP4"
    for content in (b"x", b"xx"):
        video.write_bytes(content)
        for _ in range(2):
            (new,) = known.new([])
            assert [stamp.path.name for stamp in new] == ["V.MP4"]
        bench.journal.ledger.add_failure(new[0], FailureKind.ACCESS, "no video", attempts=1, final=True, video=True)
        assert list(known.new([])) == []
    assert bench.journal.ledger.totals().videos == 1


def test_a_folder_that_cannot_be_listed_is_told_and_comes_back(bench: Bench, known: Rescan) -> None:
    folder = bench.card / "DCIM/101"
    folder.rename(bench.card.parent / "away")
    folder.symlink_to(bench.card.parent / "away")  # links are not followed
    problems: list[Problem] = []
    assert list(known.new(problems)) == [] and problems == []
    folder.unlink()
    (bench.card.parent / "away").rename(folder)
    assert todo(known) == []


def test_a_root_that_is_gone_is_an_error(bench: Bench, known: Rescan) -> None:
    shutil.rmtree(bench.card)
    with pytest.raises(CardGoneError):
        todo(known)


def test_names_that_are_not_utf_8_are_known_the_next_time(bench: Bench, rescan: Rescan) -> None:
    file = bench.shoot("DCIM/100/1.JPG", ANIMAL)
    raw = os.fsencode(file.parent) + b"/caf\xe9.jpg"
    Path(os.fsdecode(raw)).write_bytes(bench.shoot("DCIM/100/2.JPG", ANIMAL, seconds=500).read_bytes())
    taken = take(bench, rescan)
    assert len(taken) == 3
    assert todo(rescan) == [] and todo(Rescan(bench.card, bench.journal)) == []
    name = PurePosixPath("DCIM/100") / os.fsdecode(b"caf\xe9.jpg")
    assert bench.journal.ledger.entry(name) is not None
