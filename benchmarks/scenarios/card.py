"""A whole card: every photo of the folder from its bytes to the committed journal."""

from __future__ import annotations

import time

from benchmarks.scenarios import whole_way
from benchmarks.scenarios.protocol import Samples, Task


def measure(task: Task, samples: Samples) -> None:
    """One pass is the one query of this process; photos per second come from it."""
    start = time.monotonic_ns()
    photos = sum(1 for _ in whole_way.committed(task, task.photos))
    samples.add(0, start, {"whole": time.monotonic_ns() - start}, photos=photos)
