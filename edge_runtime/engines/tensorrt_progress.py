"""How far TensorRT is with an engine: a small board takes minutes, and nobody should think that it hangs."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Lock
from typing import Any

from tqdm import tqdm

Report = Callable[[float, str], None]
"""Takes the share that is done (0..1, never falling) and the name of the phase that began last."""
_EVERY_SHARE = 0.1
_EVERY_SECONDS = 15.0
_log = logging.getLogger(__name__)


@dataclass
class _Phase:
    parent: str | None
    steps: int
    done: int = 0


class Phases:
    """The tree of phases that TensorRT tells. A phase that runs inside another counts as a part of its next step."""

    def __init__(self, report: Report) -> None:
        self._report = report
        self._phases: dict[str, _Phase] = {}
        self._share = 0.0
        # TensorRT calls from threads of its own.
        self._lock = Lock()

    def start(self, name: str, parent: str | None, steps: int) -> None:
        with self._lock:
            self._phases[name] = _Phase(parent, steps)
            self._tell()

    def step(self, name: str, number: int) -> None:
        """Step `number` of the phase, counted from 0, is done."""
        with self._lock:
            if phase := self._phases.get(name):
                phase.done = max(phase.done, number + 1)
                self._tell()

    def finish(self, name: str) -> None:
        with self._lock:
            self._phases.pop(name, None)

    def _tell(self) -> None:
        roots = [name for name, phase in self._phases.items() if phase.parent not in self._phases]
        self._share = max([self._share, *map(self._done, roots)])
        self._report(self._share, next(reversed(self._phases)))

    def _done(self, name: str) -> float:
        phase = self._phases[name]
        inside = [self._done(other) for other, each in self._phases.items() if each.parent == name]
        return min(1.0, (phase.done + max(inside, default=0.0)) / max(1, phase.steps))


@contextmanager
def shown(title: str, *, clock: Callable[[], float] = time.monotonic) -> Iterator[Report]:
    """Show a build to whoever waits: a bar on a terminal, else a line in the log every 10 % or 15 seconds."""
    begun = clock()
    if sys.stderr.isatty():
        with tqdm(total=100, desc=title, bar_format="{desc}: {percentage:3.0f} %|{bar}| {elapsed} {postfix}") as bar:

            def draw(share: float, phase: str) -> None:
                bar.set_postfix_str(phase, refresh=False)
                bar.update(100 * share - bar.n)

            yield draw
            draw(1.0, "")
    else:
        _log.info("%s", title)
        yield _lines(title, clock)
    _log.info("%s: done in %.0f s", title, clock() - begun)


def _lines(title: str, clock: Callable[[], float]) -> Report:
    said, when = 0.0, clock()

    def tell(share: float, phase: str) -> None:
        nonlocal said, when
        now = clock()
        if share - said >= _EVERY_SHARE or now - when >= _EVERY_SECONDS:
            _log.info("%s: %.0f %% (%s)", title, 100 * share, phase)
            said, when = share, now

    return tell


def monitor(trt: Any, report: Report) -> Any:
    """A `trt.IProgressMonitor` that reports."""

    class Monitor(trt.IProgressMonitor):  # type: ignore[misc]
        def __init__(self) -> None:
            trt.IProgressMonitor.__init__(self)
            self._phases = Phases(report)

        def phase_start(self, phase_name: str, parent_phase: str | None, num_steps: int) -> None:
            self._phases.start(phase_name, parent_phase, num_steps)

        def step_complete(self, phase_name: str, step: int) -> bool:
            self._phases.step(phase_name, step)
            return True

        def phase_finish(self, phase_name: str) -> None:
            self._phases.finish(phase_name)

    return Monitor()
