"""A hint that something changed below a folder. Only ever a hint: the scan is the truth.

Kernel watches overflow, run out, and see neither a card that is mounted below the folder nor one that is pulled, so
nothing here raises: where watching fails, the daemon finds out at its next scan.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

from watchdog.events import (
    DirCreatedEvent,
    DirDeletedEvent,
    DirMovedEvent,
    FileClosedEvent,
    FileCreatedEvent,
    FileDeletedEvent,
    FileMovedEvent,
    FileSystemEvent,
    FileSystemEventHandler,
)
from watchdog.observers import Observer
from watchdog.observers.api import BaseObserver

log = logging.getLogger(__name__)

_STOP_SECONDS = 5.0
# Neither what our own reading causes (each scan would call for the next) nor each write to a file that stays open: the
# kernel does not even tell of them, which would cost more than reading the photo.
_CHANGES: list[type[FileSystemEvent]] = [
    FileCreatedEvent,
    FileClosedEvent,
    FileMovedEvent,
    FileDeletedEvent,
    DirCreatedEvent,
    DirMovedEvent,
    DirDeletedEvent,
]


class Watcher:
    """Calls `on_hint` from a thread of its own, once per change, however many there are; the caller debounces.

    Use it as a context manager.
    """

    def __init__(self, root: Path, on_hint: Callable[[], None]) -> None:
        self._root = root
        self._handler = _Handler(on_hint)
        self._observer: BaseObserver | None = None

    @property
    def watching(self) -> bool:
        """False where the system refused the watch; the scan alone must do then."""
        return self._observer is not None

    def __enter__(self) -> Watcher:
        try:
            observer = Observer()
            observer.schedule(self._handler, str(self._root), recursive=True, event_filter=_CHANGES)
            observer.start()
        except (OSError, RuntimeError) as error:  # RuntimeError: no thread could be started
            log.warning("%s: not watched (%s); it is scanned at intervals instead", self._root, error)
            return self
        self._observer = observer
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._observer is not None:
            self._observer.stop()
            self._observer.join(_STOP_SECONDS)
            self._observer = None


class _Handler(FileSystemEventHandler):
    def __init__(self, on_hint: Callable[[], None]) -> None:
        self._on_hint = on_hint

    def on_any_event(self, event: FileSystemEvent) -> None:
        self._on_hint()
