"""The device's main loop: look at the cards, bring in what is new, let the uplink carry it away."""

from __future__ import annotations

import logging
import math
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from edge_runtime.device import disks
from edge_runtime.device.notify import Supervisor
from edge_runtime.errors import CardGoneError, DrainTimeoutError, JournalError
from edge_runtime.events.lull import Lull
from edge_runtime.intake.scan import Problem
from edge_runtime.intake.settling import Settling
from edge_runtime.intake.watch import Watcher
from edge_runtime.journal.journal import Journal
from edge_runtime.pipeline import Outcome, Pipeline, Work
from edge_runtime.rescan import Rescan
from edge_runtime.settings import DeviceSettings
from edge_runtime.uplink.link import Link
from edge_runtime.values import FileStamp

log = logging.getLogger(__name__)

DEBOUNCE_SECONDS = 0.5
"""A card that is being written or mounted gives many events; wait until they have calmed down."""
UNFINISHED_SECONDS = 1.0
"""Pause before the next look at files that are still being written or are tried again."""
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
        supervisor: told how the work goes. Its watchdog is fed by what comes to an end: a file, a folder's listing, an
            idle wait; whatever hangs starves it. Videos feed it as they go: see `Pipeline`.
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
        supervisor: Supervisor | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings, self._journal, self._pipeline, self._link = settings, journal, pipeline, link
        self._on_outcome, self._monotonic = on_outcome, monotonic
        self._supervisor = Supervisor() if supervisor is None else supervisor
        self._root = Path(settings.cards.root)
        self._settling = Settling(settings.cards.settle_seconds, now=monotonic)
        self._rescan = Rescan(self._root, journal, on_progress=self._supervisor.progress)
        self._lull = Lull(settings.events.gap_seconds)
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self._hinted_at = -math.inf
        self._last_began = self._quiet_since = monotonic()
        # What an earlier process left unreported is reported by this one.
        self._report_due = True
        self._problems: list[Problem] = []
        self._trouble_told = ""
        self._disk_told: str | None = None
        # Files since the start, and of the folders begun in this pass.
        self._done = self._waiting = 0

    def stop(self) -> None:
        """Ask the loop to end after the photos in hand, and at once with a video. Safe from a signal handler and from
        other threads."""
        self._stopping.set()
        self._pipeline.stop()
        self._wake.set()

    def run(self, *, until_idle: bool = False) -> None:
        """Work until `stop`, or until every file is through and every summary acknowledged.

        Raises:
            CardGoneError: with `until_idle`, the card folder cannot be read.
            JournalError: with `until_idle`, the journal cannot be written.
            DrainTimeoutError: with `until_idle`, no station acknowledged in time; the summaries stay in the outbox.
        """
        self._supervisor.ready()
        try:
            self._run(until_idle=until_idle)
        finally:
            self._supervisor.stopping()

    def _run(self, *, until_idle: bool) -> None:
        with Watcher(self._root, self._hint):
            while not self._stopping.is_set():
                self._wake.clear()
                try:
                    done = self._once(at_once=until_idle)
                except CardGoneError as error:
                    if until_idle:
                        raise
                    self._trouble(str(error))
                    continue
                except sqlite3.Error as error:
                    problem = JournalError(self._journal.file, str(error), hint=self._advice())
                    if until_idle:
                        raise problem from error
                    self._trouble(str(problem))
                    continue
                self._trouble_told = ""
                if until_idle and not done.unfinished:
                    break
                self._wait(self._pause(done))
        if until_idle and not self._stopping.is_set():
            self._drain()

    def _once(self, *, at_once: bool) -> Pass:
        began = self._monotonic()
        try:
            done = self._pass()
        except CardGoneError:
            self._rescan.forget()
            # A card that is out adds nothing to an event.
            self._settle_accounts(Pass(0, 0), began, at_once=False)
            raise
        self._settle_accounts(done, began, at_once=at_once)
        self._supervisor.status(self._state(done))
        return done

    def _pass(self) -> Pass:
        taken = unfinished = self._waiting = 0
        doubtful = []
        self._look_at_the_disk()
        problems: list[Problem] = []
        with closing(self._pipeline.take_all(self._todo(problems))) as outcomes:
            for stamp, outcome in outcomes:
                if outcome in (Outcome.WAITING, Outcome.RETRY):
                    unfinished += 1
                    doubtful.append(stamp.path)
                else:
                    taken += 1
                    self._done += 1
                self._waiting -= 1
                self._supervisor.progress()
                self._supervisor.status(f"reading: {self._done} files done, {self._waiting} waiting", lasting=False)
                self._link.wake()
                self._on_outcome(stamp, outcome)
        self._settling.keep_only(doubtful)
        self._tell(problems)
        self._supervisor.progress()
        return Pass(taken, unfinished)

    def _todo(self, problems: list[Problem]) -> Iterator[Work]:
        for new in self._rescan.new(problems):
            self._waiting += len(new)
            for stamp in new:
                if self._stopping.is_set():
                    return
                yield stamp, self._settling.settled(stamp)

    def _tell(self, problems: list[Problem]) -> None:
        for problem in problems:
            if problem not in self._problems:
                log.warning("%s: %s", problem.path, problem.reason)
        self._problems = problems

    def _settle_accounts(self, done: Pass, began: float, *, at_once: bool) -> None:
        """Close events and report the card once nothing more is to be expected of it."""
        # Whatever the pass found has arrived by the last hint; what gave no hint, by the time it was looked for.
        arrived = self._hinted_at if self._hinted_at > self._last_began else began
        self._last_began = began
        self._lull.note(self._journal.events.sizes(), arrived)
        if done.taken:
            self._quiet_since, self._report_due = arrived, True
        if self._stopping.is_set() or done.unfinished:
            return
        over = self._lull.over(math.inf if at_once else began)
        if over:
            self._pipeline.close_events(over)
            self._lull.note(self._journal.events.sizes(), arrived)
        quiet = at_once or began >= self._quiet_since + self._settings.events.gap_seconds
        if self._report_due and quiet and self._lull.next_end() is None:
            self._pipeline.report_card()
            self._report_due = False
        self._link.wake()

    def _pause(self, done: Pass) -> float:
        """Seconds until there is something to do that no hint will tell of."""
        rescan = self._settings.cards.rescan_seconds
        if done.unfinished:
            return min(rescan, UNFINISHED_SECONDS)
        moment = self._lull.next_end()
        if moment is None and self._report_due:
            moment = self._quiet_since + self._settings.events.gap_seconds
        return rescan if moment is None else min(rescan, max(0.0, moment - self._monotonic()))

    def _drain(self) -> None:
        seconds = self._settings.uplink.drain_seconds
        deadline = self._monotonic() + seconds
        while not self._journal.outbox.empty() and not self._stopping.wait(DRAIN_POLL_SECONDS):
            self._supervisor.progress()
            if self._monotonic() >= deadline:
                raise DrainTimeoutError(self._journal.outbox.waiting(), seconds)

    def _hint(self) -> None:
        self._hinted_at = self._monotonic()
        self._wake.set()

    def _wait(self, seconds: float) -> None:
        woken = False
        while not woken and seconds > 0:
            # In parts: to wait on purpose is no hanging, and the supervisor is told so.
            part = min(seconds, self._supervisor.longest_wait)
            woken = self._wake.wait(part)
            self._supervisor.progress()
            seconds -= part
        if self._wake.is_set() and not self._stopping.is_set():
            self._stopping.wait(DEBOUNCE_SECONDS)

    def _trouble(self, problem: str) -> None:
        # Once, not every few seconds for weeks: the log lies on an SD card too.
        if problem != self._trouble_told:
            log.error("%s", problem)
        self._trouble_told = problem
        self._supervisor.status(f"waiting: {problem}")
        self._stopping.wait(min(TROUBLE_SECONDS, self._supervisor.longest_wait))
        # It waits for a card or for room on the disk, and looks again and again: nothing hangs.
        self._supervisor.progress()

    def _look_at_the_disk(self) -> None:
        """While nothing is written, nobody else would notice that nothing can be."""
        found = disks.unwritable(self._journal.file.parent)
        if found and found != self._disk_told:
            log.error("%s: %s; %s", self._journal.file, found, self._advice())
        self._disk_told = found

    def _advice(self) -> str:
        found = disks.unwritable(self._journal.file.parent)
        if found is None:
            return "free some space on the disk"
        return f"{found}: restart the board, which checks its disk; what was recorded is safe"

    def _state(self, done: Pass) -> str:
        disk = f"{self._disk_told}; " if self._disk_told else ""
        again = f", {done.unfinished} to be looked at again" if done.unfinished else ""
        waiting = self._journal.outbox.waiting()
        return f"{disk}idle: {self._done} files done{again}; {waiting} summaries wait for a station"
