"""What becomes of a photo once it was looked at: its result, its event and what that sends, in one transaction."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from enum import Enum

import numpy as np

from edge_runtime.errors import GalleryError
from edge_runtime.events import closing, grouping
from edge_runtime.events.closing import Animal, Medium
from edge_runtime.events.evidence import Naming
from edge_runtime.individuals.recogniser import Recogniser
from edge_runtime.intake import scan
from edge_runtime.journal.event_log import OpenEvent
from edge_runtime.journal.journal import Journal
from edge_runtime.rules import Rules
from edge_runtime.values import CardReport, Detection, Event, FailureKind, FileStamp, Photo

log = logging.getLogger(__name__)

MAX_ATTEMPTS = 3
"""A file whose failure may pass (a reading error, an inference that failed) is tried this often, and what the card did
not give once more whenever it is put in."""


class Outcome(Enum):
    """What became of one file."""

    FOUND = "found"
    EMPTY = "empty"
    DUPLICATE = "duplicate"
    WAITING = "waiting"
    """Not whole yet: look again."""
    RETRY = "retry"
    """Failed, and is tried again."""
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Seen:
    """A photo or video that was read and inferred."""

    photo: Photo
    detections: tuple[Detection, ...]
    passed_over: bool = False
    """It was not inferred: nothing changed since an empty frame of its burst."""


@dataclass(frozen=True, slots=True)
class Known:
    """A file whose picture is in the journal already."""

    sha256: bytes


@dataclass(frozen=True, slots=True)
class Unfinished:
    """A file that is still being written, or a video that was left in the middle because the program ends."""


@dataclass(frozen=True, slots=True)
class Failed:
    """A file that could not be read or inferred."""

    kind: FailureKind
    problem: str
    final: bool
    """Nothing is to be hoped for from another try."""


Look = Seen | Known | Unfinished | Failed


class Recorder:
    """Writes what was seen into the journal; all of it inside the caller's transaction.

    Args:
        naming: how the classifier's probabilities become names; None without one.
        run_id: of the run that reads the photos (`Runs.add`).
        recogniser: knows individuals; None where none are to be recognised.
        now: UTC seconds since 1970.
    """

    def __init__(
        self,
        journal: Journal,
        rules: Rules,
        naming: Naming | None,
        *,
        run_id: int,
        recogniser: Recogniser | None = None,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._journal, self._rules, self._naming, self._run_id, self._now = journal, rules, naming, run_id, now
        self._recogniser = recogniser

    def record(self, stamp: FileStamp, look: Look) -> Outcome:
        """Record what looking at one file gave.

        Raises:
            sqlite3.Error: the journal cannot be written.
        """
        if isinstance(look, Unfinished):
            return Outcome.WAITING
        if isinstance(look, Failed):
            return self._fail(stamp, look)
        sha256 = look.sha256 if isinstance(look, Known) else look.photo.sha256
        # A photo of which two copies were looked at at once becomes known between its look and its turn.
        known = self._journal.ledger.photo_id(sha256)
        if known is not None:
            self._journal.ledger.add_duplicate(stamp, known)
            return Outcome.DUPLICATE
        if isinstance(look, Known):
            return self._fail(stamp, Failed(FailureKind.ACCESS, "its copy has left the journal", final=False))
        return self._add(look)

    def close_events(self, over: Collection[int] | None = None) -> int:
        """Close those open events that nothing more can join, all of them without `over`; returns how many."""
        closed = [event for event in self._journal.events.open() if over is None or event.id in over]
        for event in closed:
            self._close(event)
        return len(closed)

    def report_card(self) -> CardReport | None:
        """Put a report of what became of the files since the last one into the outbox, if anything did."""
        now_s = int(self._now())
        report = self._journal.reports.take(now_s=now_s)
        if report is not None:
            self._journal.outbox.put(report, now_s=now_s)
            log.info("card read: %s", report)
        return report

    def _add(self, seen: Seen) -> Outcome:
        photo, journal = seen.photo, self._journal
        empty = self._rules.empty(seen.detections)
        journal.codes.add("camera", [photo.camera])
        event_id = self._event_for(photo)
        journal.events.extend(event_id, photo.capture.time_s)
        photo_id = journal.ledger.add_photo(
            photo,
            seen.detections,
            empty=empty,
            passed_over=seen.passed_over,
            event_id=event_id,
            now_s=int(self._now()),
            run_id=self._run_id,
        )
        if self._recogniser is not None:
            journal.embeddings.add(photo_id, seen.detections, self._recogniser.made_by.title)
        if self._rules.repeats is not None:
            journal.repeats.note(photo_id, self._rules.repeats, confident=self._rules.confident)
        return Outcome.EMPTY if empty else Outcome.FOUND

    def _event_for(self, photo: Photo) -> int:
        """The open event that the photo joins, or a new one; closes those of its camera that are over."""
        time_s, gap_s = photo.capture.time_s, self._rules.gap_s
        joined: int | None = None
        for event in self._journal.events.open(photo.camera):
            if joined is None and grouping.joins(event.start_s, event.end_s, time_s, gap_s=gap_s):
                joined = event.id
            elif grouping.is_over(event.end_s, time_s, gap_s=gap_s):
                self._close(event)
        if joined is not None:
            return joined
        return self._journal.events.begin(photo.camera, time_s, photo.capture.time_source)

    def _close(self, event: OpenEvent) -> None:
        journal, confident = self._journal, self._rules.confident
        media = [
            Medium(shot.id, journal.ledger.detections(shot.id), shot.captured_s, shot.frame_rate, shot.answer)
            for shot in journal.events.shots(event.id)
        ]
        animals = closing.follow(media, self._naming, self._rules.rule, confident=confident)
        if self._recogniser is not None:
            animals = self._recognised(event.id, media, animals, self._recogniser)
        shown = closing.account(media, animals, self._naming, confident=confident)
        journal.events.add_animals(event.id, [medium.id for medium in media], animals)
        journal.events.ask([(medium.id, why) for medium, why in zip(media, shown.reasons, strict=True) if why])
        sequence = None
        if shown.counts:
            span = (event.start_s, event.end_s, event.time_source)
            summary = Event(event.camera, *span, len(media), shown.counts, review=shown.review)
            journal.codes.add_of(summary)
            sequence = journal.outbox.put(summary, now_s=int(self._now()))
            seen = ", ".join(f"{count.count} {count.label}" for count in shown.counts)
            log.info("event %d at %s: %s", sequence, event.camera, seen)
        journal.events.close(event.id, sequence=sequence)

    def _recognised(
        self, event_id: int, media: Sequence[Medium], animals: Sequence[Animal], recogniser: Recogniser
    ) -> list[Animal]:
        looks = self._journal.embeddings.take(event_id, recogniser.made_by.title)
        recognised = []
        for animal in animals:
            vectors = [looks.get((media[one.medium].id, one.rank)) for one in animal.track]
            known = [vector for vector in vectors if vector is not None]
            species = animal.verdict.species.name if animal.verdict.species else None
            try:
                who = recogniser.who(species, np.stack(known)) if known else None
            except GalleryError as error:
                log.error("%s; the event goes without names", error)
                return list(animals)
            recognised.append(replace(animal, individual=who))
        return closing.one_name_once(recognised)

    def _fail(self, stamp: FileStamp, failed: Failed) -> Outcome:
        earlier = self._journal.ledger.entry(stamp.path)
        before = earlier.attempts if earlier and earlier.failure and earlier.describes(stamp) else 0
        final = failed.final or before + 1 >= MAX_ATTEMPTS
        again = "" if final else f" (attempt {before + 1}, will try again)"
        log.warning("%s: %s%s", stamp.full_path, failed.problem, again)
        if before >= MAX_ATTEMPTS and earlier and earlier.problem == failed.problem:
            return Outcome.FAILED  # as every time that this card is put in: nothing new to report
        video = scan.is_video(stamp.path.name)
        self._journal.ledger.add_failure(
            stamp, failed.kind, failed.problem, attempts=before + 1, final=final, video=video
        )
        return Outcome.FAILED if final else Outcome.RETRY
