"""What a scenario is given and what it gives."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from benchmarks.document.schema import Stage
from benchmarks.looking import Looker, Split
from edge_runtime.tuning.plan import Setup
from edge_runtime.values import FileStamp


@dataclass(frozen=True, slots=True)
class Task:
    """What one process measures."""

    looker: Looker
    setup: Setup
    photos: Sequence[FileStamp]
    seconds: float
    """At least so long ..."""
    queries: int
    """... and at least so many queries."""
    spawned_ns: int
    """When the process was started, monotonic clock."""


@dataclass(slots=True)
class Samples:
    """Every query of one process, in the order in which they ended. For any thread."""

    photo: list[int] = field(default_factory=list)
    start_ns: list[int] = field(default_factory=list)
    ns: dict[Stage, list[int]] = field(default_factory=dict)
    photos: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, photo: int, start_ns: int, stages: dict[Stage, int], *, photos: int = 1) -> None:
        """One query.

        Args:
            photo: index of its (first) photo.
            stages: with `whole`; the same stages each time.
        """
        with self._lock:
            self.photo.append(photo)
            self.start_ns.append(start_ns)
            for stage, ns in stages.items():
                self.ns.setdefault(stage, []).append(ns)
            self.photos += photos

    def add_look(self, photo: int, split: Split) -> None:
        """One photo as a query."""
        self.add(photo, split.start_ns, {**split.ns, "whole": split.whole_ns})

    def enough(self, task: Task, began_ns: int) -> bool:
        """Whether the task's time is over and its queries are done."""
        return len(self.photo) >= task.queries and time.monotonic_ns() - began_ns >= task.seconds * 1e9


Measure = Callable[[Task, Samples], None]
"""Fills the samples."""
