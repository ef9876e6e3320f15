"""As many photos as possible: throughput. MLPerf's Offline."""

from __future__ import annotations

import itertools
import threading
import time
from concurrent.futures import ThreadPoolExecutor

from benchmarks.looking import Split
from benchmarks.scenarios.protocol import Samples, Task


def measure(task: Task, samples: Samples) -> None:
    """Look at the photos round and round with all the workers of the setup; latencies are those under this load."""
    began, turns, lock = time.monotonic_ns(), itertools.cycle(range(len(task.photos))), threading.Lock()

    def work() -> None:
        while not samples.enough(task, began):
            with lock:
                photo = next(turns)
            split = Split()
            task.looker.look(task.photos[photo], split)
            samples.add_look(photo, split)

    with ThreadPoolExecutor(task.setup.workers) as pool:
        for each in [pool.submit(work) for _ in range(task.setup.workers)]:
            each.result()
