"""The device's main loop: look at the cards, bring in what is new, let the uplink carry it away."""

from __future__ import annotations

import logging
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from edge_runtime.errors import CardGoneError, DrainTimeoutError, JournalError
from edge_runtime.intake import scan
from edge_runtime.intake.settling import Settling
from edge_runtime.intake.watch import Watcher
from edge_runtime.journal.journal import Journal
from edge_runtime.pipeline import Outcome, Pipeline, Work
from edge_runtime.reinsertion import Reinsertion
from edge_runtime.settings import DeviceSettings
from edge_runtime.uplink.link import Link
from edge_runtime.values import FileStamp

log = logging.getLogger(__name__)

DEBOUNCE_SECONDS = 0.5
"""A card that is being written or mounted gives many events; wait until they have calmed down."""
DRAIN_POLL_SECONDS = 0.1
TROUBLE_SECONDS = 5.0
"""Pause after the disk or the card failed, before the next try."""


OnOutcome = Callable[[FileStamp, Outcome], None]


def ignore_outcome(stamp: FileStamp, outcome: Outcome) -> None:
    """For callers who want no progress."""


@dataclass(frozen=True, slots=True)
class Pass:
    """One look at the cards."""

    taken: int
    """Files that came to an end: found, empty, duplicate or failed for good."""
    unfinished: int
    """Files that are to be looked at again."""


class Daemon:
    """Brings cards into the journal until it is told to stop.

    Args:
        on_outcome: called after each file, for progress.
        monotonic: seconds that never jump.
    """

    def __init__(
        self,
        settings: DeviceSettings,
        journal: Journal,
        pipeline: Pipeline,
        link: Link,
        *,
        on_outcome: OnOutcome = ignore_outcome,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings, self._journal, self._pipeline, self._link = settings, journal, pipeline, link
        self._on_outcome, self._monotonic = on_outcome, monotonic
        self._root = Path(settings.cards.root)
        self._settling = Settling(settings.cards.settle_seconds, now=monotonic)
        self._reinsertion = Reinsertion(journal)
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self._quiet_since = monotonic()

    def stop(self) -> None:
        """Ask the loop to end after the photos in hand. Safe from a signal handler and from other threads."""
        self._stopping.set()
        self._wake.set()

    def run(self, *, until_idle: bool = False) -> None:
        """Work until `stop`, or until every file is through and every summary acknowledged.

        Raises:
            CardGoneError: with `until_idle`, the card folder cannot be read.
            JournalError: with `until_idle`, the journal cannot be written.
            DrainTimeoutError: with `until_idle`, no station acknowledged in time; the summaries stay in the outbox.
        """
        with Watcher(self._root, self._wake.set):
            while not self._stopping.is_set():
                self._wake.clear()
                try:
                    done = self._pass()
                    self._settle_accounts(done, at_once=until_idle)
                except CardGoneError as error:
                    if until_idle:
                        raise
                    self._trouble(str(error))
                    continue
                except sqlite3.Error as error:
                    problem = JournalError(self._journal.file, str(error), hint="free some space on the disk")
                    if until_idle:
                        raise problem from error
                    self._trouble(str(problem))
                    continue
                if until_idle and not done.unfinished:
                    break
                self._wait(min(self._settings.cards.rescan_seconds, 1.0 if done.unfinished else 86400.0))
        if until_idle and not self._stopping.is_set():
            self._drain()

    def _pass(self) -> Pass:
        seen = scan.scan(self._root)
        for path, reason in seen.problems:
            log.warning("%s: %s", path, reason)
        self._reinsertion.check(seen.photos)
        taken = unfinished = 0
        doubtful = []
        for stamp, outcome in self._pipeline.take_all(self._todo(seen.photos)):
            if outcome in (Outcome.WAITING, Outcome.RETRY):
                unfinished += 1
                doubtful.append(stamp.path)
            else:
                taken += 1
                self._quiet_since = self._monotonic()
            self._link.wake()
            self._on_outcome(stamp, outcome)
        self._note_videos(seen.videos)
        self._settling.keep_only(doubtful)
        return Pass(taken, unfinished)

    def _todo(self, stamps: Iterable[FileStamp]) -> Iterator[Work]:
        for stamp in stamps:
            if self._stopping.is_set():
                return
            entry = self._journal.ledger.entry(stamp.path)
            if entry is None or not entry.final or not entry.describes(stamp):
                yield stamp, self._settling.settled(stamp)

    def _note_videos(self, videos: tuple[FileStamp, ...]) -> None:
        new = [stamp for stamp in videos if self._journal.ledger.entry(stamp.path) is None]
        if new:
            with self._journal.transaction():
                for stamp in new:
                    self._journal.ledger.add_video(stamp)

    def _settle_accounts(self, done: Pass, *, at_once: bool) -> None:
        """Close events and report the card once nothing more is to be expected of it."""
        if self._stopping.is_set() or done.unfinished:
            return
        # A live camera may add to its burst: an event stays open for as long as a photo could still join it.
        if not at_once and self._monotonic() - self._quiet_since < self._settings.events.gap_seconds:
            return
        self._pipeline.close_events()
        self._pipeline.report_card()
        self._link.wake()

    def _drain(self) -> None:
        seconds = self._settings.uplink.drain_seconds
        deadline = self._monotonic() + seconds
        while self._journal.outbox.waiting() and not self._stopping.wait(DRAIN_POLL_SECONDS):
            if self._monotonic() >= deadline:
                raise DrainTimeoutError(self._journal.outbox.waiting(), seconds)

    def _wait(self, seconds: float) -> None:
        if self._wake.wait(seconds) and not self._stopping.is_set():
            self._stopping.wait(DEBOUNCE_SECONDS)

    def _trouble(self, problem: str) -> None:
        log.error("%s", problem)
        self._stopping.wait(TROUBLE_SECONDS)
