"""A burst of photos out of the cold: from the start of the process to the first and the last committed result."""

from __future__ import annotations

import time

from benchmarks.scenarios import whole_way
from benchmarks.scenarios.protocol import Samples, Task

PHOTOS = 10
"""What a camera trap takes in one burst at most."""


def measure(task: Task, samples: Samples) -> None:
    """The burst is the one query of this process, which began when the process did: loading is part of it."""
    burst, first_ns, photos = task.photos[:PHOTOS], 0, 0
    for _ in whole_way.committed(task, burst):
        first_ns = first_ns or time.monotonic_ns() - task.spawned_ns
        photos += 1
    whole_ns = time.monotonic_ns() - task.spawned_ns
    samples.add(0, task.spawned_ns, {"first": first_ns, "whole": whole_ns}, photos=photos)
