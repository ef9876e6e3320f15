"""Where the time of one photo goes, told by those who spend it."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Literal, get_args

Stage = Literal["read", "hash", "decode", "prepare", "h2d", "infer", "d2h", "boxes", "classify", "journal"]
STAGES: tuple[Stage, ...] = get_args(Stage)
"""In the order of a photo's way; `hash` is proving it whole and recognising it, `h2d` and `d2h` are the copies
to a GPU and back, `boxes` is what follows the graph."""

Lap = Callable[[Stage], None]
"""Called at the end of each stage."""


def no_lap(stage: Stage) -> None:
    """For everyday work, in which nobody looks at the clock."""


class StopWatch:
    """Seconds spent in each stage by one thread: what has passed since the last lap belongs to the stage that ends."""

    def __init__(self) -> None:
        self.seconds: dict[Stage, float] = dict.fromkeys(STAGES, 0.0)
        self._since = time.perf_counter()

    def __call__(self, stage: Stage) -> None:
        now = time.perf_counter()
        self.seconds[stage] += now - self._since
        self._since = now

    def restart(self) -> None:
        """What has passed since the last lap belongs to no stage."""
        self._since = time.perf_counter()

    def take(self) -> dict[Stage, float]:
        """The seconds of each stage since the last call; begins anew."""
        seconds, self.seconds = self.seconds, dict.fromkeys(STAGES, 0.0)
        self.restart()
        return seconds
