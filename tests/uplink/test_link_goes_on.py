"""Whether the link does its rounds: what the watchdog is told of it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from edge_runtime.journal.journal import Journal
from edge_runtime.settings import Uplink
from edge_runtime.uplink.link import Link
from tests.uplink.test_link import until


def test_a_link_that_hangs_or_died_is_told_from_one_that_only_finds_no_broker(tmp_path: Path) -> None:
    now, hangs = [time.monotonic()], threading.Event()

    def open_journal() -> Journal:
        assert hangs.wait(30)
        return Journal(tmp_path / "journal.sqlite", device="dev")

    def make(opener: Callable[[], Journal]) -> Link:
        return Link(Uplink(port=1), "dev", opener, models={}, time_zone="UTC", monotonic=lambda: now[0])

    link = make(open_journal)
    assert link.goes_on(), "it was not started yet"
    link.start()
    try:
        now[0] += 599
        assert link.goes_on()
        now[0] += 2
        assert not link.goes_on()
        hangs.set()
        until(link.goes_on)
        time.sleep(0.2)
        assert link.goes_on(), "nobody listens at port 1, and it goes on trying"
    finally:
        link.stop()
    assert link.goes_on(), "it was told to end"


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_link_whose_thread_died_does_not_go_on() -> None:
    def no_journal() -> Journal:
        raise SystemExit("the thread ends")

    link = Link(Uplink(port=1), "dev", no_journal, models={}, time_zone="UTC")
    link.start()
    until(lambda: not link.goes_on())
