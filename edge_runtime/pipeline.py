"""The way of a photo, in order: read, prove whole, recognise, (compare,) decode, detect, classify, record.

A video goes the same way, frame after frame (video_look.py).

Someone who reads this file knows the program. Several threads look at photos at once, each at one from its bytes to its
species; the thread that called records them in the order of the card. What a photo leads to (its result, the event
that it belongs to, whatever that event sends out) commits in one transaction.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection, Generator, Iterable, Iterator
from contextlib import closing
from dataclasses import replace
from threading import Event

import cv2

from edge_runtime import overlap, values, video_look
from edge_runtime.device.notify import Supervisor
from edge_runtime.errors import (
    CardGoneError,
    EngineError,
    IncompletePhotoError,
    PhotoError,
    StoppedError,
    UnsettledPhotoError,
)
from edge_runtime.individuals.recogniser import Recogniser
from edge_runtime.intake import cameras, completeness, decode, exif, identity, scan, video
from edge_runtime.journal.journal import Journal
from edge_runtime.laps import Lap, no_lap
from edge_runtime.models import crops, loading
from edge_runtime.models.classifier import Classifier
from edge_runtime.models.detector import Detector
from edge_runtime.models.embedder import Embedder
from edge_runtime.prefilter import turns
from edge_runtime.prefilter.turns import Turn
from edge_runtime.recording import Failed, Known, Look, Outcome, Recorder, Seen, Unfinished
from edge_runtime.rules import Rules
from edge_runtime.values import CardReport, Detection, FailureKind, FileStamp
from edge_runtime.video_look import Stages

__all__ = ["Outcome", "Pipeline", "Work"]

log = logging.getLogger(__name__)

Work = tuple[FileStamp, bool]
"""A file, and whether it is settled: it has not changed for a while, so what it lacks now it will not get."""
LONGEST_PATIENCE = 3600.0
"""Seconds; threads cannot wait for ever and be asked in between."""
FINISHED_AHEAD = 8
"""Photos that are announced to the system, or wait for their turn to be recorded; of the latter only boxes are kept."""


class Pipeline:
    """Brings files into the journal.

    Args:
        workers: threads that look at photos at once.
        embedder: for the animals that `recogniser` may know; both or neither.
        supervisor: fed with each part of a video that is through, for a video may take hours; and asked, while a photo
            comes to no end, whether that will be the end of us.
    """

    def __init__(
        self,
        journal: Journal,
        detector: Detector,
        classifier: Classifier | None,
        rules: Rules,
        *,
        workers: int = 1,
        embedder: Embedder | None = None,
        recogniser: Recogniser | None = None,
        supervisor: Supervisor | None = None,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._journal, self._detector, self._classifier, self._rules = journal, detector, classifier, rules
        self._embedder, self._recogniser, self._workers = embedder, recogniser, workers
        run = loading.run(detector, classifier, embedder, confident=rules.confident, time_zone=str(rules.zone))
        with journal.transaction():
            run_id = journal.runs.add(run)
        naming = classifier.naming if classifier else None
        self._recorder = Recorder(journal, rules, naming, run_id=run_id, recogniser=recogniser, now=now)
        self._stopping, self._supervisor = Event(), Supervisor() if supervisor is None else supervisor
        self._blamed: FileStamp | None = None
        self._stages = Stages(detector.resized_to, detector.detect, self._name_animals, journal.knows, self._stopped)
        if video.installed():
            with journal.transaction():
                journal.ledger.try_again(video.NEEDS_AV)
        cv2.setNumThreads(1)  # a photo has one thread; the others have photos of their own

    def take_all(self, work: Iterable[Work]) -> Generator[tuple[FileStamp, Outcome], None, None]:
        """Bring files into the journal, which are not touched, only read; yields each once it is committed.

        `work` is read a few files ahead, in the caller's thread. Photos that finish while the disk is busy share the
        next transaction. Whoever may leave early closes it before the journal (`contextlib.closing`): threads that are
        still looking at photos ask the journal.

        Raises:
            CardGoneError: the card vanished; nothing was recorded of the file in hand and those after it.
            sqlite3.Error: the journal cannot be written; likewise.
        """
        ahead = self._workers + FINISHED_AHEAD if self._workers > 1 else 1
        work, workers, leave, blame = _announced(work), self._workers, self._stopping.set, self._blame
        patience = min(self._supervisor.longest_wait, LONGEST_PATIENCE)
        self._stopping.clear()
        if self._rules.prefilter == "burst":
            looks = turns.in_order(
                work,
                self.look,
                workers=workers,
                ahead=ahead,
                gap_s=self._rules.gap_s,
                on_leaving=leave,
                on_waiting=blame,
                patience=patience,
            )
        else:
            looks = overlap.in_order(
                work, self.look, workers=workers, ahead=ahead, on_leaving=leave, on_waiting=blame, patience=patience
            )
        with closing(looks):
            for ready in looks:
                yield from self.record(ready)

    def stop(self) -> None:
        """Have `take_all` leave off in the middle of a video: it is told of as waiting. For any thread."""
        self._stopping.set()

    def record(self, ready: Iterable[tuple[Work, Look]]) -> list[tuple[FileStamp, Outcome]]:
        """Commit what looking at files gave, in their order, all of it or nothing.

        Raises:
            sqlite3.Error: the journal cannot be written.
        """
        with self._journal.transaction():
            return [(stamp, self._recorder.record(stamp, look)) for (stamp, _), look in ready]

    def _blame(self, work: Work) -> None:
        """Count a failed attempt for the photo that everybody waits for, before the supervisor ends the program for it.

        Otherwise the next program would hang with the same photo, and the one after that. Comes the photo to an end
        after all, that is what is recorded of it.

        Raises:
            sqlite3.Error: the journal cannot be written.
        """
        stamp, _ = work
        if stamp == self._blamed or not self._supervisor.is_starving():
            return
        self._blamed = stamp
        with self._journal.transaction():
            self._recorder.record(stamp, Failed(FailureKind.INFERENCE, "it comes to no end", final=False))

    def close_events(self, over: Collection[int] | None = None) -> int:
        """Close those open events that nothing more can join, all of them without `over`; returns how many."""
        with self._journal.transaction():
            return self._recorder.close_events(over)

    def report_card(self) -> CardReport | None:
        """Put a report of what became of the files since the last one into the outbox, if anything did."""
        with self._journal.transaction():
            return self._recorder.report_card()

    def look(self, work: Work, lap: Lap = no_lap, *, turn: Turn | None = None) -> Look:
        """Look at one file, from its bytes to its species; for any thread. Nothing is recorded.

        Args:
            lap: called at the end of each stage.
            turn: the photo's place in the order of the card; without one it is not compared with others.

        Raises:
            CardGoneError: the card vanished.
        """
        stamp, settled = work
        try:
            if scan.is_video(stamp.path.name):
                if turn:
                    turn.stand_aside()
                return video_look.see(stamp, self._rules, self._stages, lap, settled=settled)
            return self._see(stamp, lap, turn, settled=settled)
        except CardGoneError:
            raise
        except StoppedError:
            return Unfinished()
        except (IncompletePhotoError, UnsettledPhotoError) as error:
            return Failed(FailureKind.ACCESS, error.problem, final=True) if settled else Unfinished()
        except PhotoError as error:
            return Failed(FailureKind.ACCESS, error.problem, final=error.final)
        except (EngineError, MemoryError) as error:
            return Failed(FailureKind.INFERENCE, str(error) or type(error).__name__, final=False)
        except Exception as error:  # the stage's boundary: one bad photo must not stop the card
            log.exception("%s: unexpected error", stamp.full_path)
            return Failed(FailureKind.INFERENCE, f"{type(error).__name__}: {error}", final=False)

    def _see(self, stamp: FileStamp, lap: Lap, turn: Turn | None, *, settled: bool) -> Seen | Known:
        path, rules = stamp.full_path, self._rules
        data = identity.read(stamp)
        lap("read")
        whole = completeness.check(data, path)
        if not (whole.certain or settled):
            raise UnsettledPhotoError(path, "something unknown follows the picture")
        sha256 = identity.picture_hash(data, whole.end)
        if self._journal.knows(sha256):
            return Known(sha256)
        lap("hash")
        with decode.open_photo(data, path, max_pixels=rules.max_pixels) as image:
            capture = exif.read_capture(image, stamp.mtime_ns, rules.zone)
            camera = cameras.camera_name(stamp.path, capture, rules.cameras)
            photo = values.Photo(stamp, sha256, camera, capture)
            if turn and turn.nothing_changed(photo, data, image):
                return Seen(photo, (), passed_over=True)
            enough = self._detector.resized_to(capture.width, capture.height) if rules.decode == "reduced" else None
            frame = decode.decode(data, image, path, at_least=enough)
        lap("decode")
        detections = self._detector.detect(frame, lap)
        if turn:
            turn.looked(empty=rules.empty(detections))
        lap("boxes")
        detections = self._name_animals(frame, detections)
        lap("classify")
        return Seen(photo, detections)

    def _name_animals(self, frame: values.Frame, detections: tuple[Detection, ...]) -> tuple[Detection, ...]:
        return self._embed(frame, self._name_species(frame, detections))

    def _stopped(self) -> bool:
        """Asked between any two parts of a video: whoever asks has come on."""
        self._supervisor.progress()
        return self._stopping.is_set()

    def _name_species(self, frame: values.Frame, detections: tuple[Detection, ...]) -> tuple[Detection, ...]:
        if self._classifier is None:
            return detections
        counting = [
            (index, found) for index, found in enumerate(detections) if found.confidence >= self._rules.confident
        ]
        people = [found.box for _, found in counting if found.category == "person"]
        chosen = [index for index, found in counting if found.category == "animal" and not crops.hidden(found, people)]
        manifest = self._classifier.bundle.manifest
        animals = crops.cut_all(frame, [detections[index] for index in chosen], manifest, people=people)
        named = list(detections)
        for index, animal in zip(chosen, animals, strict=True):
            species, scores = self._classifier.answer(animal)
            named[index] = replace(named[index], species=species, scores=scores)
        return tuple(named)

    def _embed(self, frame: values.Frame, detections: tuple[Detection, ...]) -> tuple[Detection, ...]:
        if self._embedder is None or self._recogniser is None:
            return detections
        chosen = self._recogniser.chosen(detections, confident=self._rules.confident)
        animals = crops.cut_all(frame, [detections[place] for place in chosen], self._embedder.bundle.manifest)
        embedded = list(detections)
        for place, embedding in zip(chosen, self._embedder.embed(animals), strict=True):
            embedded[place] = replace(embedded[place], embedding=embedding)
        return tuple(embedded)


def _announced(work: Iterable[Work]) -> Iterator[Work]:
    for stamp, settled in work:
        identity.announce(stamp)
        yield stamp, settled
