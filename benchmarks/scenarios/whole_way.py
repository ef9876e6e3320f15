"""The way from the card to the committed journal, as a device goes it, for the scenarios `trap` and `card`."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from zoneinfo import ZoneInfo

from benchmarks.looking import MAX_PIXELS
from benchmarks.scenarios.protocol import Task
from edge_runtime.errors import BundleError, CamtrapEdgeError
from edge_runtime.journal.journal import FILE_NAME, Journal
from edge_runtime.models.detector import Detector
from edge_runtime.pipeline import Outcome, Pipeline
from edge_runtime.rules import Rules
from edge_runtime.values import FileStamp

GAP_S = 60


def committed(task: Task, photos: Sequence[FileStamp]) -> Iterator[Outcome]:
    """Bring photos into an empty journal; gives the outcome of each once it is committed.

    Raises:
        CamtrapEdgeError: one failed: then nothing was measured.
    """
    bundle = task.looker.bundle
    detector = task.looker.model
    if not isinstance(detector, Detector):
        raise BundleError(bundle.folder, "goes this way only behind a detector", hint="--scenario single or offline")
    rules = Rules(ZoneInfo("UTC"), (), MAX_PIXELS, gap_s=GAP_S, confident=bundle.manifest.thresholds.confident)
    with tempfile.TemporaryDirectory(prefix="camtrap-edge-bench-") as folder:
        journal = Journal(Path(folder) / FILE_NAME, device="bench")
        try:
            pipeline = Pipeline(journal, detector, None, rules, workers=task.setup.workers)
            with closing(pipeline.take_all((stamp, True) for stamp in photos)) as outcomes:
                for stamp, outcome in outcomes:
                    if outcome in (Outcome.RETRY, Outcome.WAITING):
                        raise CamtrapEdgeError(f"{stamp.full_path}: could not be looked at; nothing was measured")
                    yield outcome
            pipeline.close_events()
        finally:
            journal.close()
