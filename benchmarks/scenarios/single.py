"""One photo after another: the latency of a photo. MLPerf's SingleStream."""

from __future__ import annotations

import itertools
import time

from benchmarks.looking import Split
from benchmarks.scenarios.protocol import Samples, Task


def measure(task: Task, samples: Samples) -> None:
    """Look at the photos round and round."""
    began = time.monotonic_ns()
    for photo in itertools.cycle(range(len(task.photos))):
        split = Split()
        task.looker.look(task.photos[photo], split)
        samples.add_look(photo, split)
        if samples.enough(task, began):
            return
