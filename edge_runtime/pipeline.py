"""The way of a photo, in order: read, prove whole, recognise, decode, detect, classify, commit.

Someone who reads this file knows the program. `Pipeline.take` brings one file from the card into the journal; its
result, the event that it belongs to and whatever that event sends out commit in one transaction.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from zoneinfo import ZoneInfo

from edge_runtime import values
from edge_runtime.errors import (
    CardGoneError,
    EngineError,
    IncompletePhotoError,
    PhotoError,
    UnsettledPhotoError,
)
from edge_runtime.events import grouping
from edge_runtime.intake import cameras, completeness, decode, exif, identity
from edge_runtime.journal.event_log import OpenEvent
from edge_runtime.journal.journal import Journal
from edge_runtime.models import crops
from edge_runtime.models.classifier import Classifier
from edge_runtime.models.detector import Detector
from edge_runtime.settings import Camera
from edge_runtime.values import Detection, Event, FailureKind, FileStamp, Photo

log = logging.getLogger(__name__)

MAX_ATTEMPTS = 3
"""A file whose failure may pass (a reading error, an inference that failed) is tried this often."""


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


@dataclass(frozen=True)
class Rules:
    """How photos are read and grouped."""

    zone: ZoneInfo
    """Of the cameras' clocks."""
    cameras: Sequence[Camera]
    max_pixels: int
    gap_s: int
    confident: float
    """Least confidence of a detection that counts."""


class Pipeline:
    """Brings files into the journal, one at a time."""

    def __init__(
        self,
        journal: Journal,
        detector: Detector,
        classifier: Classifier | None,
        rules: Rules,
        *,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._journal, self._detector, self._classifier, self._rules = journal, detector, classifier, rules
        self._now = now

    def take(self, stamp: FileStamp, *, settled: bool) -> Outcome:
        """Bring one file into the journal. It is not touched, only read.

        Args:
            settled: the file has not changed for a while, so what it lacks now it will not get.

        Raises:
            CardGoneError: the card vanished; nothing was recorded.
            sqlite3.Error: the journal cannot be written; nothing was recorded.
        """
        try:
            data = identity.read(stamp)
            end = self._whole_until(data, stamp, settled=settled)
            sha256 = identity.picture_hash(data, end)
            known = self._journal.ledger.photo_id(sha256)
            if known is not None:
                with self._journal.transaction():
                    self._journal.ledger.add_duplicate(stamp, known)
                return Outcome.DUPLICATE
            photo, detections = self._look(data, stamp, sha256)
        except CardGoneError:
            raise
        except (IncompletePhotoError, UnsettledPhotoError) as error:
            if not settled:
                return Outcome.WAITING
            return self._fail(stamp, FailureKind.ACCESS, error.problem, final=True)
        except PhotoError as error:
            return self._fail(stamp, FailureKind.ACCESS, error.problem, final=error.final)
        except (EngineError, MemoryError) as error:
            return self._fail(stamp, FailureKind.INFERENCE, str(error) or type(error).__name__, final=False)
        except Exception as error:  # the stage's boundary: one bad photo must not stop the card
            log.exception("%s: unexpected error", stamp.full_path)
            return self._fail(stamp, FailureKind.INFERENCE, f"{type(error).__name__}: {error}", final=False)
        return self._commit(photo, detections)

    def close_events(self) -> int:
        """Close every open event: the card has nothing more that could join. Returns how many."""
        with self._journal.transaction():
            still_open = self._journal.events.open()
            for event in still_open:
                self._close(event)
        return len(still_open)

    def report_card(self) -> values.CardReport | None:
        """Put a report of what became of the files since the last one into the outbox, if anything did."""
        now_s = int(self._now())
        with self._journal.transaction():
            report = self._journal.reports.take(now_s=now_s)
            if report is not None:
                self._journal.outbox.put(report, now_s=now_s)
                log.info("card read: %s", report)
        return report

    def _whole_until(self, data: bytes, stamp: FileStamp, *, settled: bool) -> int:
        whole = completeness.check(data, stamp.full_path)
        if not (whole.certain or settled):
            raise UnsettledPhotoError(stamp.full_path, "something unknown follows the picture")
        return whole.end

    def _look(self, data: bytes, stamp: FileStamp, sha256: bytes) -> tuple[Photo, tuple[Detection, ...]]:
        path = stamp.full_path
        with decode.open_photo(data, path, max_pixels=self._rules.max_pixels) as image:
            capture = exif.read_capture(image, stamp.mtime_ns, self._rules.zone)
            frame = decode.decode(data, image, path)
        camera = cameras.camera_name(stamp.path, capture, self._rules.cameras)
        photo = Photo(stamp, sha256, camera, capture)
        return photo, self._name_species(frame, self._detector.detect(frame))

    def _name_species(self, frame: values.Frame, detections: tuple[Detection, ...]) -> tuple[Detection, ...]:
        if self._classifier is None:
            return detections
        rule = self._classifier.bundle.manifest.crop
        chosen = [
            index
            for index, found in enumerate(detections)
            if found.category == "animal" and found.confidence >= self._rules.confident
        ]
        species = self._classifier.classify([crops.cut(frame, detections[index], rule) for index in chosen])
        named = list(detections)
        for index, answer in zip(chosen, species, strict=True):
            named[index] = replace(named[index], species=answer)
        return tuple(named)

    def _commit(self, photo: Photo, detections: tuple[Detection, ...]) -> Outcome:
        empty = not any(found.confidence >= self._rules.confident for found in detections)
        journal, time_s = self._journal, photo.capture.time_s
        with journal.transaction():
            journal.codes.add("camera", [photo.camera])
            event_id = self._event_for(photo)
            journal.events.extend(event_id, time_s)
            journal.ledger.add_photo(photo, detections, empty=empty, event_id=event_id, now_s=int(self._now()))
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
        journal = self._journal
        photo_ids = journal.events.photo_ids(event.id)
        photos = [journal.ledger.detections(photo_id) for photo_id in photo_ids]
        coarser = self._classifier.taxonomy.coarser if self._classifier else grouping.NO_TAXA
        counts = grouping.count(photos, confident=self._rules.confident, coarser=coarser)
        sequence = None
        if counts:
            summary = Event(event.camera, event.start_s, event.end_s, event.time_source, len(photos), counts)
            sequence = journal.outbox.put(summary, now_s=int(self._now()))
            log.info("event %d at %s: %s", sequence, event.camera, ", ".join(f"{c.count} {c.label}" for c in counts))
        journal.events.close(event.id, sequence=sequence)

    def _fail(self, stamp: FileStamp, kind: FailureKind, problem: str, *, final: bool) -> Outcome:
        earlier = self._journal.ledger.entry(stamp.path)
        attempts = 1 + (earlier.attempts if earlier and earlier.failure and earlier.describes(stamp) else 0)
        final = final or attempts >= MAX_ATTEMPTS
        with self._journal.transaction():
            self._journal.ledger.add_failure(stamp, kind, problem, attempts=attempts, final=final)
        log.warning("%s: %s%s", stamp.full_path, problem, "" if final else f" (attempt {attempts}, will try again)")
        return Outcome.FAILED if final else Outcome.RETRY
