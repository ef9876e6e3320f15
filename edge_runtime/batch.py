"""One folder, once: every file into a MegaDetector results file, without a broker, resumable."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path, PurePosixPath

from edge_runtime.errors import CamtrapEdgeError, JournalError
from edge_runtime.intake import scan
from edge_runtime.intake.settling import Settling
from edge_runtime.journal.journal import Journal
from edge_runtime.journal.ledger import Totals
from edge_runtime.journal.results import Result
from edge_runtime.models import loading
from edge_runtime.models.classifier import Classifier
from edge_runtime.models.detector import Detector
from edge_runtime.pipeline import Outcome, Pipeline
from edge_runtime.reports import megadetector
from edge_runtime.reports.source import Source
from edge_runtime.rules import Rules
from edge_runtime.values import FileStamp

SETTLE_SECONDS = 2.0
"""How long an unfinished file must stay unchanged before it is reported as damaged."""
_DEVICE = "batch"


@dataclass(frozen=True, slots=True)
class Summary:
    """What `process` did."""

    files: int
    """Photos and videos in the folder."""
    resumed: int
    """Of these, those that an interrupted earlier run had finished."""
    totals: Totals
    unread_folders: tuple[tuple[Path, str], ...]
    """Folders that could not be looked into, and why: their photos are missing from the results."""
    seconds: float


def process(
    folder: Path,
    output: Path,
    *,
    detector: Detector,
    classifier: Classifier | None,
    rules: Rules,
    workers: int = 1,
    fresh: bool = False,
    on_start: Callable[[int, int], None],
    on_outcome: Callable[[FileStamp, Outcome], None],
) -> Summary:
    """Process every photo and video below `folder` and write `output` (MegaDetector batch results 1.6).

    What is finished is kept in `output` + `.journal` until the output is written, so that the same command after an
    interruption goes on where it stopped.

    Args:
        workers: photos looked at at once.
        fresh: throw away what an interrupted run left.
        on_start: called once with the number of files and of those already finished.
        on_outcome: called with every photo that comes to an end.

    Raises:
        CamtrapEdgeError: there is no such folder, or the output cannot be written there.
        CardGoneError: the folder vanished.
        JournalError: the leftovers belong to another folder or other models, or the disk is full.
    """
    started = time.monotonic()
    if not folder.is_dir():
        raise CamtrapEdgeError(f"{folder}: is no folder; name the card's folder or its mount point")
    _check_output(output)
    journal_file = output.with_name(output.name + ".journal")
    if fresh:
        _remove(journal_file)
    journal = Journal(journal_file, device=_DEVICE)
    try:
        _check_same_work(journal, folder, detector, classifier, rules)
        seen = scan.scan(folder)
        pipeline = Pipeline(journal, detector, classifier, rules, workers=workers)
        todo = _unfinished(journal, seen.files)
        files = len(seen.files)
        resumed = files - len(todo)
        on_start(files, resumed)
        _take_all(pipeline, todo, on_outcome)
        pipeline.close_events()
        present = {stamp.path for stamp in seen.files}
        megadetector.write(_source(journal, present), output)
        totals = journal.ledger.totals()
    finally:
        journal.close()
    _remove(journal_file)
    return Summary(files, resumed, totals, seen.problems, time.monotonic() - started)


def _take_all(pipeline: Pipeline, todo: list[FileStamp], on_outcome: Callable[[FileStamp, Outcome], None]) -> None:
    settling = Settling(SETTLE_SECONDS, now=time.monotonic)
    while todo:
        doubtful: list[FileStamp] = []
        with closing(pipeline.take_all((stamp, settling.settled(stamp)) for stamp in todo)) as outcomes:
            for stamp, outcome in outcomes:
                if outcome in (Outcome.WAITING, Outcome.RETRY):
                    doubtful.append(_look_again(stamp))
                else:
                    on_outcome(stamp, outcome)
        if doubtful:
            time.sleep(SETTLE_SECONDS / 4)
        todo = doubtful


def _look_again(stamp: FileStamp) -> FileStamp:
    try:
        status = stamp.full_path.stat()
    except OSError:
        return stamp  # Reading it will say what is wrong.
    return replace(stamp, size=status.st_size, mtime_ns=status.st_mtime_ns)


def _unfinished(journal: Journal, seen: Sequence[FileStamp]) -> list[FileStamp]:
    todo: list[FileStamp] = []
    for folder, files in groupby(seen, key=lambda stamp: stamp.path.parent):
        stamps = {(stamp.path.name, stamp.size, stamp.mtime_ns): stamp for stamp in files}
        finished = journal.ledger.finished(folder, [name for name, _, _ in stamps])
        todo += [stamp for key, stamp in stamps.items() if key not in finished]
    return todo


def _check_output(output: Path) -> None:
    if output.is_dir():
        raise CamtrapEdgeError(f"{output}: is a folder; name the results file, for example {output / 'results.json'}")
    if not output.parent.is_dir():
        raise CamtrapEdgeError(f"{output}: the folder {output.parent} does not exist; make it first")


def _check_same_work(
    journal: Journal, folder: Path, detector: Detector, classifier: Classifier | None, rules: Rules
) -> None:
    prefilter = [] if rules.prefilter == "off" else [f"prefilter {rules.prefilter}"]
    allowed = [f"allowed {', '.join(classifier.allowed)}"] if classifier and classifier.allowed else []
    work = " | ".join([str(folder.resolve()), *loading.titles(detector, classifier).values(), *prefilter, *allowed])
    earlier = journal.get("work")
    if earlier is None:
        journal.put("work", work)
    elif earlier != work:
        raise JournalError(
            journal.file,
            f"an interrupted run of other work is here ({earlier})",
            hint="finish that one, choose another output, or say --fresh to throw it away",
        )


def _source(journal: Journal, present: Collection[PurePosixPath]) -> Source:
    def rows(*, by_event: bool) -> Iterator[Result]:
        return (result for result in journal.ledger.results(by_event=by_event) if result.path in present)

    return Source(rows, device=_DEVICE, runs=tuple(journal.runs.all().values()))


def _remove(journal_file: Path) -> None:
    for suffix in ("", "-wal", "-shm"):
        journal_file.with_name(journal_file.name + suffix).unlink(missing_ok=True)
