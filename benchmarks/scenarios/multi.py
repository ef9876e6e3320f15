"""Eight photos that come at once: the latency until the last of them is done. MLPerf's MultiStream."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

from benchmarks.scenarios.protocol import Samples, Task

PHOTOS = 8


def measure(task: Task, samples: Samples) -> None:
    """Look at eight photos with all the workers of the setup, again and again."""
    began, first = time.monotonic_ns(), 0
    with ThreadPoolExecutor(task.setup.workers) as pool:
        while True:
            query = [task.photos[(first + place) % len(task.photos)] for place in range(PHOTOS)]
            start = time.monotonic_ns()
            list(pool.map(task.looker.look, query))
            samples.add(first, start, {"whole": time.monotonic_ns() - start}, photos=PHOTOS)
            if samples.enough(task, began):
                return
            first = (first + PHOTOS) % len(task.photos)
