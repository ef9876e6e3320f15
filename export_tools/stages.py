"""Which part of a long work is under way: a bar of stages on a terminal, plain log lines elsewhere."""

from __future__ import annotations

import logging
import sys
import time
from types import TracebackType

from tqdm import tqdm

log = logging.getLogger(__name__)


class Stages:
    """Counts stages; the bars inside a stage are its own."""

    def __init__(self, total: int) -> None:
        self._total, self._done, self._started = total, 0, time.monotonic()
        self._bar = tqdm(total=total, unit="stage", leave=False, disable=not sys.stderr.isatty(), position=0)

    def __enter__(self) -> Stages:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.close()

    def begin(self, stage: str) -> None:
        """Say what is under way from now on."""
        if self._done:
            self._bar.update()
        self._done += 1
        self._bar.set_description(stage)
        if self._bar.disable:
            log.info("%d/%d %s (%.0f s)", self._done, self._total, stage, time.monotonic() - self._started)
